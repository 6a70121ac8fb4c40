package sqlstore_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
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
		"mysql://user:hunter2@host/db":    {apperror.Invalid, "mysql is not supported yet"},
		"postgres://user:hunter2@h/db":    {apperror.Invalid, "postgres is not supported yet"},
		"sqlite:" + garbage:               {apperror.Unavailable, garbage},
		"sqlite:" + filepath.Dir(garbage): {apperror.Unavailable, filepath.Dir(garbage)},
	} {
		err := open(t, url)
		require.Equal(t, want.code, apperror.CodeOf(err), url)
		require.ErrorContains(t, err, want.says)
		require.NotContains(t, err.Error(), "hunter2")
	}
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
