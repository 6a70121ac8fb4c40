package sqlstore

import (
	"context"
	"errors"
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

// Probe tells whether a database can be written, before something has to be. Of a file: whether its disk has room, whether it may be written, and whether it
// is still the one that was opened; the answer stands for some seconds. Of a server: whether it takes rows of a table from this user, and whether the table has
// the columns; no row is written, so that a full disk is not found.
type Probe struct {
	file   *writable.Probe
	server func(ctx context.Context) error
}

// Check tries it. Codes: Unavailable.
func (p *Probe) Check(ctx context.Context) error {
	if p.server != nil {
		return p.server(ctx)
	}
	return p.file.Check(ctx)
}

// NewProbe returns the probe of a database, on a server by one of its tables.
func NewProbe(db *gorm.DB, table string, columns ...string) *Probe {
	if s, ok := db.Dialector.(server); ok {
		return &Probe{server: serverProbe(db, s, table, columns)}
	}
	d, ok := db.Dialector.(*sqliteFile)
	if !ok {
		return &Probe{server: func(context.Context) error { return nil }} // there is no other
	}
	what := "the database " + d.path
	return &Probe{file: writable.NewProbe(what, func() error {
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
	})}
}

func serverProbe(db *gorm.DB, s server, table string, columns []string) func(context.Context) error {
	names := strings.Join(columns, ", ")
	statement := "INSERT INTO " + table + " (" + names + ") SELECT " + names + " FROM " + table + " WHERE 1 = 0" //nolint:gosec // names of ours
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		pool, err := Pool(db)
		if err != nil {
			return err
		}
		_, err = pool.ExecContext(ctx, statement)
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return apperror.Wrap(apperror.Unavailable, err, "the database %s takes too long to answer; look for who holds a lock in it", s.database())
		}
		if err = s.explainTable(err); err != nil && apperror.CodeOf(err) == apperror.Internal {
			return apperror.Wrap(apperror.Unavailable, err, "the database %s takes no rows (%s); let its administrator look at it", s.database(), err.Error())
		}
		return err
	}
}
