package sqlstore_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
)

// copySnapshot writes the bytes of a snapshot into a file, and returns its URL.
func copySnapshot(t *testing.T, s *sqlstore.Snapshot) string {
	t.Helper()
	r, err := s.Reader(t.Context())
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "copy.db")
	file, err := os.Create(path)
	require.NoError(t, err)
	n, err := io.Copy(file, r)
	require.NoError(t, err)
	require.Equal(t, s.Size(), n)
	require.NoError(t, r.Close())
	require.NoError(t, file.Close())
	return "sqlite:" + path
}

// TestASnapshotIsOneMoment copies a database into which pairs of rows are written all the time: no copy has half a pair, and each has all that was written before.
func TestASnapshotIsOneMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db := connect(t, "sqlite:"+path)
	require.NoError(t, sqlstore.Migrate(t.Context(), db, "tracking"))
	require.NoError(t, db.Exec("CREATE TABLE pairs (n INTEGER, filler BLOB)").Error)
	pair := func(ctx context.Context) error {
		return db.WithContext(ctx).Exec("INSERT INTO pairs SELECT count(*) / 2, randomblob(3000) FROM pairs UNION ALL SELECT count(*) / 2, randomblob(3000) FROM pairs").Error
	}
	for range 100 {
		require.NoError(t, pair(t.Context()))
	}
	ended := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
				_ = pair(context.Background()) // what is missing is counted
			}
		}
	})
	for range 5 {
		var before, after int64
		require.NoError(t, db.Raw("SELECT count(*) FROM pairs").Scan(&before).Error)
		s, err := sqlstore.OpenSnapshot(t.Context(), path)
		require.NoError(t, err)
		versions, err := s.Schemas(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[string]int64{"tracking": sqlstore.NewestSchema("tracking")}, versions)
		url := copySnapshot(t, s)
		require.NoError(t, s.Close())
		require.NoError(t, db.Raw("SELECT count(*) FROM pairs").Scan(&after).Error)
		require.NoError(t, sqlstore.CheckFile(t.Context(), sqlstore.FilePath(url)))
		copied := connect(t, url)
		var found, halves int64
		require.NoError(t, copied.Raw("SELECT count(*) FROM pairs").Scan(&found).Error)
		require.NoError(t, copied.Raw("SELECT count(*) FROM (SELECT n FROM pairs GROUP BY n HAVING count(*) <> 2)").Scan(&halves).Error)
		require.Zero(t, halves)
		require.GreaterOrEqual(t, found, before)
		require.LessOrEqual(t, found, after)
		var verdict string
		require.NoError(t, copied.Raw("PRAGMA integrity_check").Scan(&verdict).Error)
		require.Equal(t, "ok", verdict)
	}
	close(ended)
	writer.Wait()
}

func TestADamagedFileIsFound(t *testing.T) {
	_, err := sqlstore.OpenSnapshot(t.Context(), filepath.Join(t.TempDir(), "none.db"))
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err))

	path := filepath.Join(t.TempDir(), "test.db")
	db, err := sqlstore.Open(t.Context(), "sqlite:"+path, nil)
	require.NoError(t, err)
	require.NoError(t, sqlstore.Migrate(t.Context(), db, "tracking"))
	require.NoError(t, sqlstore.Close(db))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := range 4096 {
		content[4096+i] ^= 0x5a
	}
	require.NoError(t, os.WriteFile(path, content, 0o600))
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(sqlstore.CheckFile(t.Context(), path)))
}
