package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"net/url"

	"tasador/pkg/apperror"
)

// Lock keeps other processes away from what a file stands for. It is a transaction on the file that is never committed, so the
// operating system lets go of it when the process ends in whatever way.
type Lock struct {
	pool *sql.DB
	conn *sql.Conn
}

// AcquireLock takes the lock file at path, which is made if it is missing, without waiting. Codes: FailedPrecondition, with the
// sentence taken, if somebody has it.
func AcquireLock(ctx context.Context, path, taken string) (*Lock, error) {
	pool, err := sql.Open("sqlite", fileDSN(path, url.Values{"_pragma": {"busy_timeout(0)"}}))
	if err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "cannot open the lock file %s", path)
	}
	conn, err := beginLock(ctx, pool)
	if err != nil {
		closeErr := pool.Close()
		if isBusyFile(err) {
			return nil, apperror.New(apperror.FailedPrecondition, "%s", taken)
		}
		return nil, apperror.Wrap(apperror.Unavailable, errors.Join(err, closeErr),
			"cannot take the lock file %s; check that its folder is writable, and delete the file if it is not a lock", path)
	}
	return &Lock{pool: pool, conn: conn}, nil
}

func beginLock(ctx context.Context, pool *sql.DB) (*sql.Conn, error) {
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
