package cli

import "io"

// IO is where commands write: results to Out, progress and errors to Err.
type IO struct {
	Out io.Writer
	Err io.Writer
}
