package sqlstore

import (
	"errors"
	"io/fs"
	"path/filepath"

	"gorm.io/gorm"

	"tasador/pkg/writable"
)

// NewProbe returns a probe that tells whether the database can be written, before something has to be: whether its disk has room, whether its files may be
// written, and whether its file is still the one that was opened.
func NewProbe(db *gorm.DB) *writable.Probe {
	d, ok := db.Dialector.(*sqliteFile)
	if !ok {
		return writable.NewProbe("the database", func() error { return nil })
	}
	what := "the database " + d.path
	return writable.NewProbe(what, func() error {
		if err := d.inPlace(); err != nil {
			return err
		}
		// Connections that are open keep the right to write that a new one would not get.
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := access(d.path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return d.readOnly(err)
			}
		}
		return writable.TryDir(filepath.Dir(d.path), filepath.Base(d.path)+".probe", what)
	})
}
