// Package artifact says what an artifact store does: files under slash-separated paths below one root.
package artifact

import (
	"context"
	"io"
)

// Info describes a file or a folder. Path is relative to the folder listed's root, slash-separated; Size is in bytes, 0 for folders.
type Info struct {
	Path  string
	IsDir bool
	Size  int64
}

// Store keeps files below one root. Paths are slash-separated and relative; one that leaves the root, is absolute, or holds
// a back-slash, a drive letter or a NUL is refused with apperror.Invalid, and nothing is read or written.
type Store interface {
	// Put stores a file whole or not at all, replacing what was there. Codes: Invalid.
	Put(ctx context.Context, path string, r io.Reader) error
	// Open returns a file's content and size; the caller closes it. Codes: Invalid, NotFound.
	Open(ctx context.Context, path string) (io.ReadCloser, Info, error)
	// List returns the direct children of a folder, sorted by path; a file or a missing folder gives an empty list. Codes: Invalid.
	List(ctx context.Context, path string) ([]Info, error)
	// Delete removes a file or a folder with its content; a missing one is no error. Codes: Invalid.
	Delete(ctx context.Context, path string) error
}
