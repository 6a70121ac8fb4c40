//go:build !unix

package sqlstore

import (
	"io/fs"
	"os"
)

// access returns an error if a file is marked as read-only.
func access(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Mode()&0o200 == 0 {
		err = &fs.PathError{Op: "access", Path: path, Err: fs.ErrPermission}
	}
	return err
}
