package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"

	"gorm.io/gorm"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tasador/pkg/apperror"
	"tasador/pkg/writable"
)

// NewProbe returns a probe that tells whether the database can be written, before something has to be: whether its disk has room, whether its file is
// writable, and whether that is still the file that was opened.
func NewProbe(db *gorm.DB) *writable.Probe {
	d, ok := db.Dialector.(*sqliteFile)
	if !ok {
		return writable.NewProbe("the database", func() error { return nil })
	}
	opened, openErr := os.Stat(d.path)
	what := "the database " + d.path
	return writable.NewProbe(what, func() error {
		// SQLite goes on writing into a file that has no name any more, and all of it is lost at the end.
		if now, err := os.Stat(d.path); openErr == nil && (err != nil || !os.SameFile(opened, now)) {
			return apperror.New(apperror.Unavailable, "the file of %s was removed or replaced while it was in use; put the right one there, then restart this process", what)
		}
		if err := writable.TryDir(filepath.Dir(d.path), filepath.Base(d.path)+".probe", what); err != nil {
			return err
		}
		return d.tryLock()
	})
}

// tryLock takes the write lock on a connection of its own, which finds the permissions of the file as they are now. Somebody who has the lock shows that the
// database can be written.
func (d *sqliteFile) tryLock() error {
	dsn := "file:" + (&url.URL{Path: d.path}).EscapedPath() + "?mode=rw&_pragma=busy_timeout(0)"
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot open the database %s", d.path)
	}
	err = beginAndUndo(pool)
	err = errors.Join(err, pool.Close())
	var e *driver.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY:
		return nil
	}
	if err = d.explain(err); apperror.CodeOf(err) != apperror.Internal {
		return err
	}
	return apperror.Wrap(apperror.Unavailable, err, "the database %s cannot be opened for writing; check the permissions of the file and its folder, then try again", d.path)
}

func beginAndUndo(pool *sql.DB) error {
	conn, err := pool.Conn(context.Background())
	if err != nil {
		return err
	}
	_, err = conn.ExecContext(context.Background(), "BEGIN IMMEDIATE")
	if err == nil {
		_, err = conn.ExecContext(context.Background(), "ROLLBACK")
	}
	return errors.Join(err, conn.Close())
}
