package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"gorm.io/gorm"

	"tasador/migrations"
	"tasador/pkg/apperror"
)

// Migrate brings the schema of a store (a folder of tasador/migrations) up to date. Each store counts its versions in a table of its own,
// because stores may share a database; processes that start together take turns. Codes: Invalid if the store cannot be kept in such a
// database, FailedPrecondition if the schema is newer than this binary knows.
func Migrate(ctx context.Context, db *gorm.DB, store string) error {
	return MigrateUp(ctx, db, store, goose.MaxVersion)
}

// MigrateUp brings the schema of a store up to a version, or to the newest that this binary knows. Codes: as Migrate.
func MigrateUp(ctx context.Context, db *gorm.DB, store string, version int64) error {
	return withProvider(ctx, db, store, func(p *goose.Provider) error {
		v, err := versionsOf(ctx, db, p, store)
		if err != nil {
			return err
		}
		version := min(version, v.Known)
		for tries := v.Known; ; tries-- {
			_, err := p.UpTo(ctx, version)
			if err == nil {
				return nil
			}
			// Who migrates the same SQLite file at the same moment makes a migration of ours fail, and has made it.
			if v, other := versionsOf(ctx, db, p, store); other == nil && v.Have >= version {
				return nil
			}
			if tries <= 0 {
				return schemaError(db, err, "cannot bring the schema of the %s database up to date", store)
			}
		}
	})
}

// MigrateDown takes the schema of a store back to a version, 0 for none at all; what the later versions added is lost. Codes: as Migrate.
func MigrateDown(ctx context.Context, db *gorm.DB, store string, version int64) error {
	return withProvider(ctx, db, store, func(p *goose.Provider) error {
		if _, err := versionsOf(ctx, db, p, store); err != nil {
			return err
		}
		if _, err := p.DownTo(ctx, version); err != nil {
			return schemaError(db, err, "cannot take the schema of the %s database back to version %d", store, version)
		}
		return nil
	})
}

// Versions are those of a store's schema: the one that a database has, 0 for none, and the newest that this binary knows.
type Versions struct{ Have, Known int64 }

// SchemaVersions reads the versions of a store's schema. Codes: as Migrate.
func SchemaVersions(ctx context.Context, db *gorm.DB, store string) (v Versions, err error) {
	err = withProvider(ctx, db, store, func(p *goose.Provider) error {
		v, err = versionsOf(ctx, db, p, store)
		return err
	})
	return v, err
}

func versionsOf(ctx context.Context, db *gorm.DB, p *goose.Provider, store string) (Versions, error) {
	have, known, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return Versions{}, schemaError(db, err, "cannot read the schema version of the %s database", store)
	case have > known:
		return Versions{have, known}, apperror.New(apperror.FailedPrecondition,
			"the %s database has schema version %d, but this tasador knows only %d; run the newer tasador that made it, or take the schema back with its tasador migrate down",
			store, have, known)
	}
	return Versions{have, known}, nil
}

// withProvider runs fn with the migrations of a store while no other process migrates it.
func withProvider(ctx context.Context, db *gorm.DB, store string, fn func(*goose.Provider) error) (err error) {
	engine := EngineOf(db)
	if err := checkKept(engine, store); err != nil {
		return err
	}
	files, err := migrations.Of(store, string(engine))
	if err != nil {
		return fmt.Errorf("migrations of %s: %w", store, err)
	}
	pool, err := Pool(db)
	if err != nil {
		return err
	}
	versions, err := database.NewStore(gooseDialect(engine), versionTable(store))
	if err != nil {
		return fmt.Errorf("version table of %s: %w", store, err)
	}
	provider, err := goose.NewProvider("", pool, files, goose.WithStore(versions), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations of %s: %w", store, err)
	}
	unlock, err := lockMigrations(ctx, pool, engine, store)
	if err != nil {
		return schemaError(db, err, "cannot lock the schema of the %s database", store)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return fn(provider)
}

// versionTable is where goose counts the versions of a store.
func versionTable(store string) string { return "schema_versions_" + store }

// CheckKept refuses a database URL of an engine that a store cannot be kept in. Codes: Invalid.
func CheckKept(rawURL, store string) error {
	engine, err := parseEngine(rawURL)
	if err != nil {
		return err
	}
	return checkKept(engine, store)
}

func checkKept(engine Engine, store string) error {
	if kept := migrations.Dialects(store); !slices.Contains(kept, string(engine)) {
		return apperror.New(apperror.Invalid, "the %s database cannot be kept in %s; use one of %s", store, engine, strings.Join(kept, ", "))
	}
	return nil
}

// schemaError gives an error of a schema its sentence: what keeps the database from being used, or else what could not be done with it.
func schemaError(db *gorm.DB, err error, format string, args ...any) error {
	if explained := Explain(db, err); apperror.CodeOf(explained) != apperror.Internal {
		return explained
	}
	return apperror.Wrap(apperror.Unavailable, err, format, args...)
}

func gooseDialect(e Engine) database.Dialect {
	switch e {
	case MySQL:
		return database.DialectMySQL
	case Postgres:
		return database.DialectPostgres
	default:
		return database.DialectSQLite3
	}
}

// lockMigrations waits for other processes that migrate the store. An SQLite file needs none: one process has its data folder.
func lockMigrations(ctx context.Context, pool *sql.DB, e Engine, store string) (unlock func() error, err error) {
	name := "tasador_migrate_" + store
	var lock, release string
	switch e {
	case MySQL:
		lock, release = "SELECT GET_LOCK(concat(database(), '.', ?), 60)", "SELECT RELEASE_LOCK(concat(database(), '.', ?))"
	case Postgres:
		// A session lock of the database at hand.
		lock, release = "SELECT 1 FROM pg_advisory_lock(hashtext($1))", "SELECT pg_advisory_unlock(hashtext($1))::int"
	default:
		return func() error { return nil }, nil
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	var got sql.NullInt64
	if err := conn.QueryRowContext(ctx, lock, name).Scan(&got); err != nil || got.Int64 != 1 {
		return nil, errors.Join(err, errors.New("another process migrates it for over a minute"), conn.Close())
	}
	return func() error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), release, name)
		return errors.Join(err, conn.Close())
	}, nil
}
