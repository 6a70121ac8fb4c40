// Package sqlstore opens the databases, brings their schemas up to date and translates their errors. The stores are in the
// packages below it; gorm and the drivers are used nowhere else.
package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"tasador/pkg/apperror"
)

// maxConns bounds the connections of one SQLite file: readers run beside each other and beside the one writer (WAL).
const maxConns = 8

// busyTimeout is how long a statement waits for the writer before it; longer than any transaction of ours but a bulk load.
const busyTimeout = 60 * time.Second

// Open opens the database that url names: sqlite:PATH. The folder of an SQLite file is made if it is missing.
// Codes: Invalid for a scheme that is unknown or not built yet, Unavailable when the database does not answer.
func Open(ctx context.Context, rawURL string, log *slog.Logger) (*gorm.DB, error) {
	scheme, path, found := strings.Cut(rawURL, ":")
	switch {
	case !found || path == "":
		return nil, apperror.New(apperror.Invalid, "database URL %q is not understood; write it as sqlite:PATH", Redact(rawURL))
	case scheme == "mysql" || scheme == "postgres" || scheme == "postgresql" || strings.HasPrefix(scheme, "mysql+"):
		return nil, apperror.New(apperror.Invalid, "database URL %q: %s is not supported yet; use sqlite:PATH", Redact(rawURL), scheme)
	case scheme != "sqlite":
		return nil, apperror.New(apperror.Invalid, "database URL %q has the unknown scheme %s; use sqlite:PATH", Redact(rawURL), scheme)
	}
	path = strings.TrimPrefix(path, "//")
	if path == ":memory:" {
		return nil, apperror.New(apperror.Invalid, "database URL %q keeps nothing; write it as sqlite:PATH", rawURL)
	}
	return openSQLite(ctx, path, log)
}

// Redact hides the password in a database URL, for messages and logs.
func Redact(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		scheme, _, _ := strings.Cut(rawURL, ":")
		return scheme + ":…"
	}
	return u.Redacted()
}

func openSQLite(ctx context.Context, path string, log *slog.Logger) (*gorm.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "cannot make the folder of the database %s; check that its parent is writable", path)
	}
	pragmas := url.Values{"_pragma": {
		"journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)",
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
	}}
	// Transactions take the write lock when they begin: a reader that turns writer half-way fails at once instead of waiting.
	pragmas.Set("_txlock", "immediate")
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas.Encode()
	db, err := gorm.Open(&dialector{sqlite.New(sqlite.Config{DriverName: "sqlite", DSN: dsn}).(*sqlite.Dialector), path}, &gorm.Config{
		TranslateError:         true,
		SkipDefaultTransaction: true,
		Logger:                 newLogger(log),
		NowFunc:                func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
	})
	if err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "cannot open the database %s; check that the file is a writable SQLite database", path)
	}
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("database handle: %w", err)
	}
	pool.SetMaxOpenConns(maxConns)
	pool.SetMaxIdleConns(maxConns)
	if err := pool.PingContext(ctx); err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "the database %s does not answer", path)
	}
	return db, nil
}

// Pool returns the database/sql handle beneath db, for streams and bulk loads.
func Pool(db *gorm.DB) (*sql.DB, error) {
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("database handle: %w", err)
	}
	return pool, nil
}

// Close closes the connections.
func Close(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return fmt.Errorf("database handle: %w", err)
	}
	return pool.Close()
}

// InTx runs fn in one transaction, committed if fn returns nil. It is the only caller of Transaction. Codes: those of fn, Unavailable
// if the database cannot be written.
func InTx(ctx context.Context, db *gorm.DB, fn func(tx *gorm.DB) error) error {
	err := db.WithContext(ctx).Transaction(fn)
	if d, ok := db.Dialector.(*dialector); ok {
		return d.unwritable(err) // fn may have used the driver itself
	}
	return err
}
