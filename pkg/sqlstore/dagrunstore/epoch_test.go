package dagrunstore_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/migrations"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/pkg/testkit"
)

// TestFencesOfARestoredDatabaseGoOnAboveAllThatWereSeen: the databases of listings refuse tasks whose fence is below one that they have seen.
func TestFencesOfARestoredDatabaseGoOnAboveAllThatWereSeen(t *testing.T) {
	testkit.OnEach(t, migrations.Dialects("dagrun"), func(t *testing.T, url string) {
		db, err := sqlstore.Open(t.Context(), url, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		store, err := dagrunstore.Open(t.Context(), db)
		require.NoError(t, err)
		defer func() { require.NoError(t, store.Close()) }()
		require.NoError(t, db.Exec("UPDATE fence SET value = 1700000000000").Error) // as it was when the backup was made
		now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		first, err := store.NextEpoch(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, now.UnixMilli(), first)
		for _, clock := range []time.Time{now, now.Add(-time.Hour)} {
			next, err := store.NextEpoch(t.Context(), clock)
			require.NoError(t, err)
			require.Greater(t, next, first, "also when the clock was put back")
			first = next
		}
	})
}
