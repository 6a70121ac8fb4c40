package sqlstore_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
	"tasador/pkg/testkit"
)

// onServers runs a test on a new database of each server. as is the URL of that database for a user who has only the rights named on it.
func onServers(t *testing.T, test func(t *testing.T, admin *gorm.DB, as func(rights string) string)) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	for name, server := range map[string]*testkit.DatabaseServer{"mariadb": testkit.MariaDB(t), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			url := server.NewDatabase(t)
			admin := connect(t, url)
			test(t, admin, func(rights string) string {
				user := "u" + strings.ToLower(strings.ReplaceAll(rights, ", ", "_"))
				statements, drop := []string{"CREATE USER " + user + "@'%' IDENTIFIED BY 'hunter2'", "GRANT " + rights + " ON * TO " + user + "@'%'"}, []string{"DROP USER " + user + "@'%'"}
				if name == "postgres" {
					statements = []string{"CREATE ROLE " + user + " LOGIN PASSWORD 'hunter2'", "GRANT " + rights + " ON ALL TABLES IN SCHEMA public TO " + user}
					drop = []string{"DROP OWNED BY " + user, "DROP ROLE " + user}
				}
				for _, statement := range statements {
					require.NoError(t, admin.Exec(statement).Error)
				}
				t.Cleanup(func() {
					for _, statement := range drop {
						require.NoError(t, admin.WithContext(context.Background()).Exec(statement).Error)
					}
				})
				return withUser(url, user+":hunter2")
			})
		})
	}
}

func TestAUserWhoMayNotMakeTablesIsNamed(t *testing.T) {
	onServers(t, func(t *testing.T, _ *gorm.DB, as func(string) string) {
		err := sqlstore.Migrate(t.Context(), connect(t, as("SELECT, INSERT")), "dataset")
		require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
		require.ErrorContains(t, err, "refuses the user")
		require.ErrorContains(t, err, "check user, password and rights")
		require.NotContains(t, err.Error(), "hunter2")
	})
}

func TestTheProbeOfAServerAsksForTheRightToWrite(t *testing.T) {
	onServers(t, func(t *testing.T, admin *gorm.DB, as func(string) string) {
		require.NoError(t, admin.Exec("CREATE TABLE kept (a INT, b INT)").Error)
		require.NoError(t, admin.Exec("INSERT INTO kept VALUES (1, 2)").Error)
		probe := func(url string, columns ...string) error {
			return sqlstore.NewProbe(connect(t, url), "kept", columns...).Check(t.Context())
		}
		reader, writer := as("SELECT"), as("SELECT, INSERT")
		require.NoError(t, probe(writer, "a", "b"))
		require.Contains(t, apperror.MessageOf(probe(reader, "a", "b")), "refuses the user")
		require.Contains(t, apperror.MessageOf(probe(writer, "a", "c")), "gone or was changed by somebody else")
		var rows int64
		require.NoError(t, admin.Table("kept").Count(&rows).Error)
		require.EqualValues(t, 1, rows, "a probe writes nothing")
		require.NoError(t, admin.Exec("DROP TABLE kept").Error)
		require.Contains(t, apperror.MessageOf(probe(writer, "a", "b")), "gone or was changed by somebody else")
	})
}

func TestATableOfSomebodyElseIsRefused(t *testing.T) {
	testkit.OnEach(t, []string{"sqlite", "mysql", "postgres"}, func(t *testing.T, url string) {
		db := connect(t, url)
		require.NoError(t, sqlstore.RefuseForeign(t.Context(), db, "predictions", "id", "status"), "there is none")
		require.NoError(t, db.Exec("CREATE TABLE predictions (id INT, price INT)").Error)
		require.NoError(t, sqlstore.RefuseForeign(t.Context(), db, "predictions", "id", "price"))
		err := sqlstore.RefuseForeign(t.Context(), db, "predictions", "id", "status")
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
		require.Contains(t, apperror.MessageOf(err), "it has no column status; rename or drop it")
	})
}

func TestTheProbeNamesALock(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	url := testkit.Postgres(t).NewDatabase(t)
	admin := connect(t, url)
	require.NoError(t, admin.Exec("CREATE TABLE kept (a INT)").Error)
	probe := sqlstore.NewProbe(connect(t, url), "kept", "a")
	require.NoError(t, sqlstore.InTx(t.Context(), admin, func(tx *gorm.DB) error {
		require.NoError(t, tx.Exec("LOCK TABLE kept").Error)
		err := probe.Check(t.Context())
		require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
		require.Contains(t, apperror.MessageOf(err), "takes too long to answer; look for who holds a lock in it")
		return nil
	}))
}
