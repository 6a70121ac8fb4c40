package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"tasador/pkg/apperror"
)

// checkWritable finds out whether a result can be written to the file of a flag before the work is done, and refuses to write it over
// the listings of a CSV file. An empty path and - are fine.
func checkWritable(flag, path, csv string) error {
	if path == "" || path == "-" {
		return nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		probe, err := os.CreateTemp(filepath.Dir(path), ".tasador-*")
		if err != nil {
			return cannotWrite(flag, path, err)
		}
		return errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		return cannotWrite(flag, path, err)
	}
	if listings, err := os.Stat(csv); err == nil && os.SameFile(listings, info) {
		return apperror.New(apperror.Invalid, "%s=%s is the file of the listings, which the result would replace; choose another file", flag, path)
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		return nil // a pipe may have no reader yet
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0) // #nosec G304 -- the user names the file
	if err != nil {
		return cannotWrite(flag, path, err)
	}
	return file.Close()
}

func cannotWrite(flag, path string, err error) error {
	return apperror.Wrap(apperror.Invalid, err, "the result cannot be written to %s; choose another file with %s", path, flag)
}
