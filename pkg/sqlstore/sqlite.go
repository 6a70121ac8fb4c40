package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tasador/pkg/apperror"
)

// fileConns bounds the connections of one SQLite file: readers run beside each other and beside the one writer (WAL).
const fileConns = 8

// fileCache is how many KiB of the file each connection keeps in memory. SQLite's own 2 MB would be a quarter of the memory of a loaded tracking server;
// what is not there comes from the system's cache.
const fileCache = 1000

// busyTimeout is how long a statement waits for the writer before it; longer than any transaction of ours but a bulk load.
const busyTimeout = 60 * time.Second

// sqliteFile is gorm's SQLite dialect on the pure Go driver, whose errors gorm's own translation does not know.
type sqliteFile struct {
	*sqlite.Dialector
	path   string
	file   os.FileInfo   // what stood there when it was opened; nil if nothing could
	writer chan struct{} // holds one element while a transaction runs
}

func sqliteDialector(ctx context.Context, rawURL string) (gorm.Dialector, error) {
	path := FilePath(rawURL)
	switch path {
	case "":
		return nil, apperror.New(apperror.Invalid, "database URL %q names no file; write it as sqlite:PATH", rawURL)
	case ":memory:":
		return nil, apperror.New(apperror.Invalid, "database URL %q keeps nothing; write it as sqlite:PATH", rawURL)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "cannot make the folder of the database %s; check that its parent is writable", path)
	}
	file := makeFile(path)
	if file != nil && file.IsDir() {
		return nil, apperror.New(apperror.Invalid, "database URL %q names a folder; write it as sqlite:PATH of a file", rawURL)
	}
	pragmas := url.Values{"_pragma": {
		"journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)",
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), fmt.Sprintf("cache_size(-%d)", fileCache),
	}}
	pragmas.Set("mode", "rw") // a file that was taken away is not made anew, empty
	// Transactions take the write lock when they begin: a reader that turns writer half-way fails at once instead of waiting.
	pragmas.Set("_txlock", "immediate")
	pool, err := sql.Open("sqlite", fileDSN(path, pragmas))
	if err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "database URL %q is not understood", rawURL)
	}
	if err := ping(ctx, pool); err != nil {
		_ = pool.Close() // it never answered
		return nil, openError(&sqliteFile{path: path}, err)
	}
	d, ok := sqlite.New(sqlite.Config{Conn: pool}).(*sqlite.Dialector)
	if !ok {
		return nil, errors.New("gorm's SQLite dialect has another type")
	}
	return &sqliteFile{d, path, file, make(chan struct{}, 1)}, nil
}

// fileDSN is how the driver is told of a file.
func fileDSN(path string, parameters url.Values) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + parameters.Encode()
}

// makeFile makes the file at path if there is none, and returns what stands there. A file that is there is not opened: to close it again would take the locks
// of other connections of this process from it.
func makeFile(path string) os.FileInfo {
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644); err == nil { //nolint:gosec // as SQLite makes it; the folder keeps others out
		_ = f.Close() // nothing was written
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil // the first connection says what is wrong
	}
	return info
}

// ping makes the first connection. Of those that open a new SQLite file at the same moment, one turns it to WAL, for which the others do not wait
// by themselves.
func ping(ctx context.Context, pool *sql.DB) error {
	retry, patience := time.NewTicker(lockRetry), time.After(lockPatience)
	defer retry.Stop()
	for {
		err := pool.PingContext(ctx)
		if !isBusyFile(err) {
			return err
		}
		select {
		case <-retry.C:
		case <-patience:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

// Translate turns constraint violations into gorm's errors, and gives one of a database that cannot be written its sentence.
func (d *sqliteFile) Translate(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		return gorm.ErrDuplicatedKey
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return gorm.ErrForeignKeyViolated
	}
	return d.explain(err)
}

func isBusyFile(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

func (d *sqliteFile) explain(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) || apperror.CodeOf(err) != apperror.Internal {
		return err
	}
	switch e.Code() & 0xff { // without the details
	case sqlite3.SQLITE_FULL:
		return apperror.Wrap(apperror.Unavailable, err, diskFull, d.path)
	case sqlite3.SQLITE_READONLY:
		return d.readOnly(err)
	case sqlite3.SQLITE_BUSY:
		return apperror.Wrap(apperror.Unavailable, err, lockedLong, d.path)
	case sqlite3.SQLITE_IOERR:
		return apperror.Wrap(apperror.Unavailable, err, "the database %s cannot be read or written (%s); check its disk, then try again", d.path, e.Error())
	case sqlite3.SQLITE_CANTOPEN:
		return apperror.Wrap(apperror.Unavailable, err, "the database %s cannot be opened; check that the file is there and that it and its folder can be read and written", d.path)
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return apperror.Wrap(apperror.Unavailable, err, "the file %s is damaged or no SQLite database; put a good copy in its place, then start this server again", d.path)
	}
	return err
}

// takeTurn waits until no other transaction of this process runs. SQLite has one writer at a time and lets the others ask again and again,
// each time later; here they queue. Whoever has the turn calls release.
func (d *sqliteFile) takeTurn(ctx context.Context) (release func(), err error) {
	select {
	case d.writer <- struct{}{}:
		return func() { <-d.writer }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *sqliteFile) readOnly(err error) error {
	return apperror.Wrap(apperror.Unavailable, err, "the database %s is read-only; make the file and its folder writable, then try again", d.path)
}

// inPlace reports whether the file still stands where it was opened. Open connections would go on with one that was moved or deleted, and what they write
// would be lost. Codes: Unavailable.
func (d *sqliteFile) inPlace() error {
	now, err := os.Stat(d.path)
	if d.file == nil || (err == nil && os.SameFile(d.file, now)) {
		return nil
	}
	return apperror.Wrap(apperror.Unavailable, err, "the file of the database %s was removed or replaced while it was in use; put the right one there, then restart this process", d.path)
}

func (d *sqliteFile) database() string { return d.path }

func (d *sqliteFile) openHint(error) string {
	return "check that the file is a writable SQLite database"
}
