package predictionstore_test

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/journal"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/predictionstore"
	"tasador/pkg/testkit"
)

// eventually opens a store that is closed when the test ends.
func eventually(t *testing.T, url string) *predictionstore.Eventual {
	t.Helper()
	e, err := predictionstore.OpenEventually(t.Context(), url, time.Minute, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// awaitOpen waits until a store is open.
func awaitOpen(t *testing.T, e *predictionstore.Eventual) {
	t.Helper()
	require.Eventually(t, func() bool { return e.Opened() == nil }, 30*time.Second, 5*time.Millisecond)
	require.NoError(t, e.Ping(t.Context()))
}

// TestADatabaseThatIsAwayAtTheStartIsOpenedLater starts with a server that is stopped, and with one that answers wrong when it comes back.
func TestADatabaseThatIsAwayAtTheStartIsOpenedLater(t *testing.T) {
	for engine, server := range map[string]*testkit.DatabaseServer{"postgres": testkit.StartPostgres(t), "mysql": testkit.StartMariaDB(t)} {
		t.Run(engine, func(t *testing.T) {
			good, foreign := server.NewDatabase(t), server.NewDatabase(t)
			db := connect(t, foreign)
			require.NoError(t, db.Exec("CREATE TABLE predictions (what INTEGER)").Error)
			open := func(url string) error {
				_, err := predictionstore.OpenEventually(t.Context(), url, time.Minute, slog.New(slog.DiscardHandler))
				return err
			}
			require.ErrorContains(t, open(foreign), "there is a table predictions that tasador did not make", "it answers: this is said at the start")
			require.ErrorContains(t, open(good+"x"), "there is no database")
			server.Exec(t, map[string]string{"postgres": "CREATE ROLE guest LOGIN", "mysql": "CREATE USER guest@'127.0.0.1'"}[engine])
			_, place, _ := strings.Cut(good, "@")
			require.ErrorContains(t, open(engine+"://guest@"+place), "refuses the user")
			server.Stop(t)
			require.ErrorContains(t, open("oracle"+good), "unknown scheme", "nobody has to be asked for that")
			one, other := eventually(t, good), eventually(t, foreign)
			_, _, err := one.Recent(t.Context(), predictionstore.Query{Limit: 1})
			_, again := one.Newest(t.Context(), "id", 0)
			_, third := one.ByRequest(t.Context(), "id")
			_, fourth := one.Store(t.Context(), []journal.Entry{entryOf(record("id"))})
			for _, err := range []error{err, again, third, fourth, one.Ping(t.Context()), other.Opened()} {
				require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
				require.Contains(t, apperror.MessageOf(err), "does not answer; check that it runs and can be reached from here")
			}

			server.Restart(t)
			awaitOpen(t, one)
			_, err = one.Store(t.Context(), []journal.Entry{entryOf(record("id"))})
			require.NoError(t, err)
			known, err := one.Newest(t.Context(), "id", 0)
			require.NoError(t, err)
			require.NotNil(t, known)
			says := "the predictions database cannot be used: there is a table predictions that tasador did not make"
			require.Eventually(t, func() bool { return strings.HasPrefix(apperror.MessageOf(other.Opened()), says) }, 30*time.Second, 5*time.Millisecond, "%v", other.Opened())
			require.Equal(t, apperror.Unavailable, apperror.CodeOf(other.Opened()))
			require.NoError(t, db.Exec("DROP TABLE predictions").Error)
			awaitOpen(t, other)
		})
	}
}

// TestAFileThatIsLockedAtTheStartIsOpenedLater holds the file as another program may, which no statement gets through.
func TestAFileThatIsLockedAtTheStartIsOpenedLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "predictions.db")
	holder, err := sql.Open("sqlite", "file:"+path)
	require.NoError(t, err)
	holder.SetMaxOpenConns(1)
	for _, statement := range []string{"CREATE TABLE t (v)", "PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE"} {
		_, err = holder.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	e, err := predictionstore.OpenEventually(t.Context(), "sqlite:"+path, time.Millisecond, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	require.ErrorContains(t, e.Opened(), "the predictions database has not answered since this server was started")
	require.NoError(t, holder.Close())
	awaitOpen(t, e)
}

// TestWhatIsAway tells what a start may wait for from what it must refuse.
func TestWhatIsAway(t *testing.T) {
	_, err := predictionstore.OpenEventually(t.Context(), "sqlite:"+t.TempDir(), time.Minute, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "names a folder")
	require.False(t, sqlstore.IsAway(err))
	e := eventually(t, "postgres://nobody@"+testkit.FreeAddress(t)+"/none")
	require.True(t, sqlstore.IsAway(e.Opened()))
}
