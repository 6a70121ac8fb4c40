// Package authstore keeps users, the hashes of their passwords and tokens, and their sessions. Several servers may share it.
package authstore

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
	"tasador/pkg/sqlstore"
)

// migrationsName is the folder of migrations.
const migrationsName = "auth"

// Store is the store on one database. It is safe for concurrent use.
type Store struct {
	db    *gorm.DB
	probe *sqlstore.Probe
}

var _ auth.Keeper = (*Store)(nil)

// Open opens the database that url names and brings its schema up to date. A file is made so that only its owner can read it. Codes: as sqlstore.Open and
// sqlstore.Migrate.
func Open(ctx context.Context, url string, log *slog.Logger) (*Store, error) {
	if err := sqlstore.CheckKept(url, migrationsName); err != nil {
		return nil, err
	}
	makePrivate(url)
	db, err := sqlstore.Open(ctx, url, log)
	if err != nil {
		return nil, err
	}
	if err := sqlstore.Migrate(ctx, db, migrationsName); err != nil {
		_ = sqlstore.Close(db) // the first error says more
		return nil, err
	}
	return &Store{db: db, probe: sqlstore.NewProbe(db, "auth_user", "name")}, nil
}

// makePrivate makes the file of a database that is one, for its owner alone; SQLite gives the files beside it the same rights. Whatever goes wrong, opening it tells.
func makePrivate(url string) {
	path := ""
	if !sqlstore.IsServer(url) {
		path = sqlstore.FilePath(url)
	}
	if path == "" || path == ":memory:" || os.MkdirAll(filepath.Dir(path), 0o750) != nil {
		return
	}
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err == nil {
		_ = f.Close() // nothing was written
	}
}

// Close closes the database.
func (s *Store) Close() error { return sqlstore.Close(s.db) }

// Ping tells whether the database answers and can be written. Codes: Unavailable.
func (s *Store) Ping(ctx context.Context) error {
	if err := sqlstore.Ping(ctx, s.db); err != nil {
		if apperror.CodeOf(err) != apperror.Internal {
			return err
		}
		return apperror.Wrap(apperror.Unavailable, err, "the database of users does not answer")
	}
	return s.probe.Check(ctx)
}

// Times are microseconds since 1970, 0 for none.

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// locked makes a query hold its rows until the transaction ends. SQLite, which has one writer anyway, does without.
func locked(tx *gorm.DB) *gorm.DB { return tx.Clauses(clause.Locking{Strength: "UPDATE"}) }
