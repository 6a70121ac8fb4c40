package dagrunstore_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/pkg/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

func TestTheLockIsExclusive(t *testing.T) {
	testkit.OnEach(t, engines, func(t *testing.T, url string) {
		first, err := dagrunstore.Acquire(t.Context(), url)
		require.NoError(t, err)
		_, err = dagrunstore.Acquire(t.Context(), url)
		require.ErrorContains(t, err, "another pipeline process already runs the tasks of this database")
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
		require.NoError(t, first.Release())
		again, err := dagrunstore.Acquire(t.Context(), url)
		require.NoError(t, err)
		require.NoError(t, again.Release())
	})
}

func TestTheLockFileIsNamed(t *testing.T) {
	dir := t.TempDir()
	first, err := dagrunstore.Acquire(t.Context(), "sqlite:"+filepath.Join(dir, "pipeline.db"))
	require.NoError(t, err)
	_, err = dagrunstore.Acquire(t.Context(), "sqlite:"+filepath.Join(dir, "pipeline.db"))
	require.ErrorContains(t, err, filepath.Join(dir, "pipeline.lock"))
	require.NoError(t, first.Release())
	_, err = dagrunstore.Acquire(t.Context(), "sqlite:"+filepath.Join(dir, "missing", "pipeline.db"))
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
}

func TestDatabasesAndSchemasOfAServerHaveLocksOfTheirOwn(t *testing.T) {
	url := testkit.Postgres(t).NewDatabase(t)
	require.NoError(t, sqlstore.EnsureSchema(t.Context(), url, "other"))
	for _, place := range []string{url, url + "?search_path=other", testkit.Postgres(t).NewDatabase(t)} {
		lock, err := dagrunstore.Acquire(t.Context(), place)
		require.NoError(t, err, place)
		defer func() { require.NoError(t, lock.Release()) }()
	}
}

// endHolder ends the session that holds the lock, as a server that is restarted or an administrator does.
func endHolder(t *testing.T) {
	t.Helper()
	testkit.Postgres(t).Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tasador pipeline lock'")
}

func TestALockWhoseConnectionBreaksIsLost(t *testing.T) {
	url := testkit.Postgres(t).NewDatabase(t)
	lock, err := dagrunstore.Acquire(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, lock.Release()) }()
	lost := lock.Lost()
	select {
	case <-lost:
		require.Fail(t, "it is held")
	default:
	}
	endHolder(t)
	select {
	case <-lost:
	case <-time.After(time.Minute):
		require.Fail(t, "nobody noticed")
	}
	other, err := dagrunstore.Acquire(t.Context(), url)
	require.NoError(t, err, "it is free")
	err = lock.Retake(t.Context())
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err), "%v", err)
	require.NoError(t, other.Release())
	require.NoError(t, lock.Retake(t.Context()))
	select {
	case <-lock.Lost():
		require.Fail(t, "it is held again")
	default:
	}
	_, err = dagrunstore.Acquire(t.Context(), url)
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
}

// TestALockIsTakenFromAConnectionThatWasLostOnTheWay is a network that forgets a connection: the server does not know yet that the holder is gone.
func TestALockIsTakenFromAConnectionThatWasLostOnTheWay(t *testing.T) {
	line := testkit.NewLine(t, testkit.Postgres(t).Address())
	url := testkit.Postgres(t).NewDatabase(t)
	lock, err := dagrunstore.Acquire(t.Context(), strings.Replace(url, testkit.Postgres(t).Address(), line.Address(), 1))
	require.NoError(t, err)
	defer func() { require.NoError(t, lock.Release()) }()
	line.Silence()
	select {
	case <-lock.Lost():
	case <-time.After(time.Minute):
		require.Fail(t, "nobody noticed")
	}
	_, err = dagrunstore.Acquire(t.Context(), url)
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err), "for the server it is still held")
	line.Restore()
	require.NoError(t, lock.Retake(context.Background()))
}
