package sqlstore_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"tasador/migrations"
	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
	"tasador/pkg/testkit"
)

// onEachStore runs a test for each store on an empty database of each engine that it can be kept in.
func onEachStore(t *testing.T, test func(t *testing.T, store, url string)) {
	require.Subset(t, migrations.Stores(), []string{"cleandata", "dagrun", "dataset", "prediction", "tracking"})
	for _, store := range migrations.Stores() {
		t.Run(store, func(t *testing.T) {
			testkit.OnEach(t, migrations.Dialects(store), func(t *testing.T, url string) { test(t, store, url) })
		})
	}
}

func connect(t *testing.T, url string) *gorm.DB {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sqlstore.Close(db)) })
	return db
}

// schemaOf lists table.column type of all tables but those that count versions.
func schemaOf(t *testing.T, db *gorm.DB) []string {
	t.Helper()
	tables, err := db.Migrator().GetTables()
	require.NoError(t, err)
	var out []string
	for _, table := range tables {
		if strings.HasPrefix(table, "schema_versions_") || strings.HasPrefix(table, "sqlite_") {
			continue
		}
		columns, err := db.Migrator().ColumnTypes(table)
		require.NoError(t, err)
		for _, c := range columns {
			out = append(out, fmt.Sprintf("%s.%s %s", table, c.Name(), c.DatabaseTypeName()))
		}
	}
	slices.Sort(out)
	return out
}

// TestASchemaGoesUpAndDown goes to the newest version, back one by one to none, which leaves nothing, and up one by one to the same as before.
func TestASchemaGoesUpAndDown(t *testing.T) {
	onEachStore(t, func(t *testing.T, store, url string) {
		db := connect(t, url)
		require.NoError(t, sqlstore.Migrate(t.Context(), db, store))
		v, err := sqlstore.SchemaVersions(t.Context(), db, store)
		require.NoError(t, err)
		require.Equal(t, v.Known, v.Have)
		first := schemaOf(t, db)
		schemas := map[int64][]string{v.Known: first}
		for at := v.Known - 1; at >= 0; at-- {
			require.NoError(t, sqlstore.MigrateDown(t.Context(), db, store, at))
			v, err := sqlstore.SchemaVersions(t.Context(), db, store)
			require.NoError(t, err)
			require.Equal(t, at, v.Have)
			schemas[at] = schemaOf(t, db)
		}
		require.Empty(t, schemas[0])
		for at := int64(1); at <= v.Known; at++ {
			require.NoError(t, sqlstore.MigrateUp(t.Context(), db, store, at))
			require.Equal(t, schemas[at], schemaOf(t, db))
		}
	})
}

func TestANewerSchemaIsRefused(t *testing.T) {
	onEachStore(t, func(t *testing.T, store, url string) {
		db := connect(t, url)
		require.NoError(t, sqlstore.Migrate(t.Context(), db, store))
		before := schemaOf(t, db)
		require.NoError(t, db.Exec("INSERT INTO schema_versions_"+store+" (version_id, is_applied) VALUES (999, ?)", true).Error)
		_, err := sqlstore.DownSteps(t.Context(), db, store, 0)
		for _, err := range []error{err, sqlstore.Migrate(t.Context(), db, store), sqlstore.MigrateDown(t.Context(), db, store, 0)} {
			require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, "the "+store+" database has schema version 999, but this tasador knows only ")
		}
		require.Equal(t, before, schemaOf(t, db))
	})
}

// TestManyOpenAtOnce lets eight processes, as far as the database can tell, bring a new database up to date at the same time.
func TestManyOpenAtOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, store, url string) {
		var group sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			group.Go(func() {
				db, err := sqlstore.Open(t.Context(), url, slog.New(slog.DiscardHandler))
				if err == nil {
					err = sqlstore.Migrate(t.Context(), db, store)
				}
				errs[i] = err
				if db != nil {
					_ = sqlstore.Close(db) // the error before says more
				}
			})
		}
		group.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
		v, err := sqlstore.SchemaVersions(t.Context(), connect(t, url), store)
		require.NoError(t, err)
		require.Equal(t, v.Known, v.Have)
	})
}

func TestWhatGoingDownLosesIsKnownBefore(t *testing.T) {
	testkit.OnEach(t, migrations.Dialects("prediction"), func(t *testing.T, url string) {
		db := connect(t, url)
		require.NoError(t, sqlstore.Migrate(t.Context(), db, "prediction"))
		for range 3 {
			require.NoError(t, db.Exec(`INSERT INTO predictions (request_id, predicted_at, model_name, model_version, model_run_id, as_of, prediction)
				VALUES ('', '', '', '', '', '', 1)`).Error)
		}
		steps, err := sqlstore.DownSteps(t.Context(), db, "prediction", 0)
		require.NoError(t, err)
		require.Equal(t, sqlstore.DownStep{Version: 2, Statement: "DROP TABLE prediction_feedback"}, steps[0])
		require.Equal(t, sqlstore.DownStep{Version: 1, Statement: "DROP TABLE predictions", Rows: 3}, steps[len(steps)-1])
	})
}
