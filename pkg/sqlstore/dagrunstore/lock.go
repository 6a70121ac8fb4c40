package dagrunstore

import (
	"context"
	"database/sql"
	"errors"
	"net/url"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tasador/pkg/apperror"
)

// Lock makes sure that one process at a time runs the tasks of a pipeline database: whoever holds it may take over at once what a dead process left.
// The lock is a transaction on a file of its own that is never committed, so the operating system lets go of it when the process ends in whatever way.
type Lock struct {
	pool *sql.DB
	conn *sql.Conn
}

// Acquire takes the lock file at path, which is made if it is missing, without waiting. Codes: FailedPrecondition if another process has it.
func Acquire(ctx context.Context, path string) (*Lock, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(0)"
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "cannot open the lock file %s", path)
	}
	conn, err := begin(ctx, pool)
	if err != nil {
		closeErr := pool.Close()
		var e *driver.Error
		if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY {
			return nil, apperror.Wrap(apperror.FailedPrecondition, err,
				"another pipeline process already runs the tasks of this database (it holds %s); stop it, or give this one another --pipeline.db", path)
		}
		return nil, apperror.Wrap(apperror.Unavailable, errors.Join(err, closeErr), "cannot take the lock file %s; check that its folder is writable", path)
	}
	return &Lock{pool: pool, conn: conn}, nil
}

func begin(ctx context.Context, pool *sql.DB) (*sql.Conn, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// Release lets the next process have the lock.
func (l *Lock) Release() error {
	_, err := l.conn.ExecContext(context.Background(), "ROLLBACK")
	return errors.Join(err, l.conn.Close(), l.pool.Close())
}
