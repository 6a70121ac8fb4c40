// Package artifact says what an artifact store does: files under slash-separated paths below one root.
package artifact

import (
	"context"
	"io"
	"time"
)

// Info describes a file or a folder. Path is relative to the folder listed's root, slash-separated; Size is in bytes, 0 for folders.
type Info struct {
	Path  string
	IsDir bool
	Size  int64
	ETag  string // of an opened file: differs once the file has changed; in quotes, as HTTP has it
}

// Store keeps files below one root. Paths are slash-separated and relative; one that leaves the root, is absolute, or holds
// a back-slash, a drive letter or a NUL is refused with apperror.Invalid, and nothing is read or written.
type Store interface {
	// Put stores a file whole or not at all, replacing what was there. Codes: Invalid.
	Put(ctx context.Context, path string, r io.Reader) error
	// Open returns a file's content, which can be read from any place on, and its size; the caller closes it. Codes: Invalid, NotFound.
	Open(ctx context.Context, path string) (io.ReadSeekCloser, Info, error)
	// List returns the direct children of a folder, sorted by path; a file or a missing folder gives an empty list. Codes: Invalid.
	List(ctx context.Context, path string) ([]Info, error)
	// Delete removes a file or a folder with its content; a missing one is no error. Codes: Invalid.
	Delete(ctx context.Context, path string) error
}

// Part is one part of an upload, as the store named it when it took it.
type Part struct {
	Number int // from 1
	ETag   string
}

// Direct is what a Store also is whose files clients can move without the server, by addresses that it signs. Paths are checked as by Store.
type Direct interface {
	// CreateUpload begins an upload in parts and returns the address to PUT each to. Codes: Invalid.
	CreateUpload(ctx context.Context, path string, parts int) (id string, urls []string, err error)
	// CompleteUpload makes the parts the file. Codes: Invalid, NotFound for an upload that is not open.
	CompleteUpload(ctx context.Context, path, id string, parts []Part) error
	// AbortUpload drops the parts. Codes: Invalid, NotFound for an upload that is not open.
	AbortUpload(ctx context.Context, path, id string) error
	// SignDownload returns the address to GET a file from, for a short time. Codes: Invalid, NotFound.
	SignDownload(ctx context.Context, path string) (url string, info Info, err error)
}

// Upload is one in parts that is not complete.
type Upload struct {
	Path, ID string
	Begun    time.Time
}

// Uploads is what a Store also is that keeps the parts of uploads until they are completed or aborted.
type Uploads interface {
	// OpenUploads returns those that began at a time or before, of all clients. Codes: PermissionDenied.
	OpenUploads(ctx context.Context, before time.Time) ([]Upload, error)
	// AbortUpload drops the parts. Codes: Invalid, NotFound for an upload that is not open.
	AbortUpload(ctx context.Context, path, id string) error
}
