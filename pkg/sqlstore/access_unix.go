//go:build unix

package sqlstore

import (
	"io/fs"
	"os"
	"syscall"
)

const mayWrite = 2 // W_OK of access(2)

// access returns an error if this process may not write a file. It does not open it: to close a file that SQLite has open drops SQLite's locks.
func access(path string) error {
	if err := syscall.Access(path, mayWrite); err != nil {
		return &fs.PathError{Op: "access", Path: path, Err: os.NewSyscallError("access", err)}
	}
	return nil
}
