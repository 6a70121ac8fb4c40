package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"gorm.io/gorm"

	"tasador/migrations"
	"tasador/pkg/apperror"
)

// Migrate brings the schema of a store (a folder of tasador/migrations) up to date. Each store counts its versions in a table of its own,
// because stores may share a database. Codes: FailedPrecondition if the schema is newer than this binary knows.
func Migrate(ctx context.Context, db *gorm.DB, store string) error {
	files, err := migrations.Of(store, db.Name())
	if err != nil {
		return fmt.Errorf("migrations of %s: %w", store, err)
	}
	if _, err := fs.Stat(files, "."); err != nil {
		return fmt.Errorf("there are no migrations of %s for %s", store, db.Name())
	}
	pool, err := Pool(db)
	if err != nil {
		return err
	}
	versions, err := database.NewStore(database.DialectSQLite3, "schema_versions_"+store)
	if err != nil {
		return fmt.Errorf("version table of %s: %w", store, err)
	}
	provider, err := goose.NewProvider("", pool, files, goose.WithStore(versions), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations of %s: %w", store, err)
	}
	have, known, err := provider.GetVersions(ctx)
	if err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot read the schema version of the %s database", store)
	}
	if have > known {
		return apperror.New(apperror.FailedPrecondition,
			"the %s database has schema version %d, but this tasador knows only %d; run the newer tasador that made it", store, have, known)
	}
	if _, err := provider.Up(ctx); err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot bring the schema of the %s database up to date", store)
	}
	return nil
}

// Translate gives database errors a code: a duplicate key is AlreadyExists, a missing row NotFound; others keep theirs. Messages
// name the thing as what.
func Translate(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return apperror.Wrap(apperror.AlreadyExists, err, "%s already exists", what)
	case errors.Is(err, gorm.ErrRecordNotFound):
		return apperror.Wrap(apperror.NotFound, err, "%s does not exist", what)
	}
	return fmt.Errorf("%s: %w", what, err)
}
