package cli

import "io"

// IO is where commands read and write: what a user types or pipes from In, results to Out, progress and errors to Err.
type IO struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}
