package trackingstore_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/trackingstore"
	"tasador/pkg/testkit"
)

// TestMLflowsDatabaseIsLeftAlone opens a database in which MLflow keeps its experiments, in a table of the same name.
func TestMLflowsDatabaseIsLeftAlone(t *testing.T) {
	testkit.OnEach(t, engines(), func(t *testing.T, url string) {
		db, err := sqlstore.Open(t.Context(), url, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, sqlstore.Close(db)) })
		require.NoError(t, db.Exec("CREATE TABLE experiments (experiment_id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(256) NOT NULL UNIQUE, artifact_location VARCHAR(256))").Error)
		_, err = trackingstore.Open(t.Context(), url, "mlflow-artifacts:/", slog.New(slog.DiscardHandler))
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
		require.ErrorContains(t, err, "there is a table experiments that tasador did not make: it has no column id")
		require.False(t, db.Migrator().HasTable("schema_versions_tracking"), "nothing is left there")
	})
}
