package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/writable"
)

// probeTimeout bounds a probe of a server, which waits for who changes the table; /readyz waits a little longer.
const probeTimeout = 2 * time.Second

// NewProbe returns a probe that tells whether the database can be written, before something has to be. Of a file: whether its disk has room, whether it may
// be written, and whether it is still the one that was opened. Of a server: whether it takes rows of a table from this user, and whether the table has the
// columns; no row is written, so that a full disk is not found.
func NewProbe(db *gorm.DB, table string, columns ...string) *writable.Probe {
	if s, ok := db.Dialector.(server); ok {
		return newServerProbe(db, s, table, columns)
	}
	d, ok := db.Dialector.(*sqliteFile)
	if !ok {
		return writable.NewProbe("the database", func() error { return nil }) // there is no other
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

func newServerProbe(db *gorm.DB, s server, table string, columns []string) *writable.Probe {
	names := strings.Join(columns, ", ")
	statement := fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s WHERE 1 = 0", table, names, names, table)
	return writable.NewProbe("the database "+s.database(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
		defer cancel()
		pool, err := Pool(db)
		if err != nil {
			return err
		}
		if _, err = pool.ExecContext(ctx, statement); err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return apperror.Wrap(apperror.Unavailable, err, "the database %s takes too long to answer; look for who holds a lock in it", s.database())
		}
		return s.explainTable(err)
	})
}
