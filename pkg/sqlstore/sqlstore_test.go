package sqlstore_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
	"tasador/pkg/testkit"
)

func open(t *testing.T, url string) error {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	if err == nil {
		require.NoError(t, sqlstore.Close(db))
	}
	return err
}

func TestADatabaseIsTheFileThatWasNamed(t *testing.T) {
	for _, name := range []string{"plain.db", "with space.db", "ñandú 日本.db", "a?mode=memory.db", "a#b.db", "a%41b.db", "file:x.db"} {
		folder := filepath.Join(t.TempDir(), "made by the way")
		require.NoError(t, open(t, "sqlite:"+filepath.Join(folder, name)))
		entries, err := os.ReadDir(folder)
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, name, entries[0].Name())
	}
}

func TestWrongDatabasesAreNamed(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	require.NoError(t, os.WriteFile(garbage, []byte("this is not a database, however long one reads"), 0o600))
	for url, want := range map[string]struct {
		code apperror.Code
		says string
	}{
		"":                                {apperror.Invalid, "write it as sqlite:PATH"},
		"sqlite:":                         {apperror.Invalid, "write it as sqlite:PATH"},
		"sqlite::memory:":                 {apperror.Invalid, "keeps nothing"},
		"oracle:x":                        {apperror.Invalid, "unknown scheme oracle"},
		"mysql://user:hunter2@host":       {apperror.Invalid, "must name a host and a database"},
		"postgres:///db":                  {apperror.Invalid, "must name a host and a database"},
		"postgres://u:hunter2@h/a/b":      {apperror.Invalid, "must name a host and a database"},
		"mysql://u:hunter2@h/db?tls=what": {apperror.Invalid, "tls"},
		"sqlite:" + garbage:               {apperror.Unavailable, garbage},
		"sqlite:" + filepath.Dir(garbage): {apperror.Invalid, filepath.Dir(garbage)},
	} {
		err := open(t, url)
		require.Equal(t, want.code, apperror.CodeOf(err), url)
		require.ErrorContains(t, err, want.says)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestAServersDatabaseIsOpened(t *testing.T) {
	for _, url := range []string{testkit.Postgres(t).NewDatabase(t), testkit.MariaDB(t).NewDatabase(t)} {
		require.NoError(t, open(t, url))
		require.NoError(t, open(t, strings.NewReplacer("postgres:", "postgresql+psycopg2:", "mysql:", "mysql+pymysql:").Replace(url)+"?"))
	}
}

func TestAServerThatCannotBeUsedIsNamed(t *testing.T) {
	nobody := testkit.FreeAddress(t)
	for url, says := range map[string]string{
		"postgres://u:hunter2@" + nobody + "/db":                    "postgres://u@" + nobody + "/db does not answer",
		"mysql://u:hunter2@" + nobody + "/db":                       "mysql://u@" + nobody + "/db does not answer",
		withDatabase(testkit.Postgres(t).NewDatabase(t), "nowhere"): "create it first",
		withDatabase(testkit.MariaDB(t).NewDatabase(t), "nowhere"):  "create it first",
		withUser(testkit.MariaDB(t).NewDatabase(t), "u:hunter2"):    "refuses the user",
		withUser(testkit.Postgres(t).NewDatabase(t), "u:hunter2"):   "refuses the user",
	} {
		err := open(t, url)
		require.Equal(t, apperror.Unavailable, apperror.CodeOf(err), "%s: %v", url, err)
		require.Contains(t, apperror.MessageOf(err), says)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func withDatabase(url, name string) string { return url[:strings.LastIndex(url, "/")+1] + name }

func withUser(url, user string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	_, rest, _ = strings.Cut(rest, "@")
	return scheme + "://" + user + "@" + rest
}

func TestALockKeepsOthersAwayUntilItIsReleased(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a?b.lock")
	first, err := sqlstore.AcquireLock(t.Context(), path, "somebody has it")
	require.NoError(t, err)
	_, err = sqlstore.AcquireLock(t.Context(), path, "somebody has it")
	require.EqualError(t, err, "somebody has it")
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
	require.NoError(t, first.Release())
	again, err := sqlstore.AcquireLock(t.Context(), path, "somebody has it")
	require.NoError(t, err)
	require.NoError(t, again.Release())
}
