package dagrunstore

import (
	"context"
	"fmt"

	"tasador/pkg/sqlstore"
)

// Lock makes sure that one process at a time runs the tasks of a pipeline database: whoever holds it may take over at once what a dead process left.
// Beside an SQLite file it is a file, which nothing but the end of the process lets go of. On a server it is as good as the connection that holds
// it, so its holder has to watch Lost.
type Lock struct {
	file    *sqlstore.Lock
	session *sqlstore.SessionLock
}

// lockName is what administrators of a server see in the list of sessions.
const lockName = "tasador pipeline lock"

// Acquire takes the lock of the database that url names. Codes: FailedPrecondition if another process has it, Unavailable if that cannot be found out,
// Invalid for a database that the store cannot be kept in.
func Acquire(ctx context.Context, url string) (*Lock, error) {
	const taken = "another pipeline process already runs the tasks of this database (it holds %s); stop it, or give this one another --pipeline.db"
	if err := sqlstore.CheckKept(url, "dagrun"); err != nil {
		return nil, err
	}
	if sqlstore.IsServer(url) {
		session, err := sqlstore.AcquireSessionLock(ctx, url, lockName, fmt.Sprintf(taken, "the advisory lock of the session “"+lockName+"”"))
		return &Lock{session: session}, err
	}
	path := LockFile(url)
	file, err := sqlstore.AcquireLock(ctx, path, fmt.Sprintf(taken, path))
	return &Lock{file: file}, err
}

// LockFile is the file that Acquire locks, beside the file of the database; empty for a database on a server.
func LockFile(url string) string {
	if sqlstore.IsServer(url) {
		return ""
	}
	return sqlstore.Beside(url, ".lock")
}

// JobsFile is the file of jobs, beside the file of the database; empty for a database on a server. It holds nothing that is not made again from the database.
func JobsFile(url string) string {
	if sqlstore.IsServer(url) {
		return ""
	}
	return sqlstore.Beside(url, "-jobs.db")
}

// Lost is closed when the lock has been lost; nil, for ever, where it cannot be.
func (l *Lock) Lost() <-chan struct{} {
	if l.session == nil {
		return nil
	}
	return l.session.Lost()
}

// Retake takes the lock again after it was lost. Codes: as Acquire.
func (l *Lock) Retake(ctx context.Context) error {
	if l.session == nil {
		return nil
	}
	return l.session.Retake(ctx)
}

// Release lets the next process have the lock.
func (l *Lock) Release() error {
	if l.session == nil {
		return l.file.Release()
	}
	return l.session.Release()
}
