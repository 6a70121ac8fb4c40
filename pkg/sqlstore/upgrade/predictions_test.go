package upgrade_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/sqlstore/predictionstore"
)

func openPredictions(t *testing.T, d *database) *predictionstore.Store {
	t.Helper()
	store, err := predictionstore.Open(t.Context(), d.url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func checkPredictions(t *testing.T, d *database) {
	records, err := openPredictions(t, d).ByRequest(t.Context(), "old-1")
	require.NoError(t, err)
	require.Len(t, records, 2, "rows that are older than the journal are told apart")
	for _, r := range records {
		require.Zero(t, r.Item)
		require.Equal(t, "2", r.ModelVersion)
		if r.Prediction > 1 {
			require.InDelta(t, 123456.75, r.Prediction, 0)
			require.Equal(t, "Main", r.Street.Value)
			require.InDelta(t, 920, r.Listing.HouseSize, 0)
			require.False(t, r.Listing.City.Valid)
		}
	}
}

func checkJournal(t *testing.T, d *database) {
	record, err := openPredictions(t, d).Newest(t.Context(), "new-1", 4)
	require.NoError(t, err)
	require.NotNil(t, record)
	require.NotNil(t, record.Sale)
	require.InDelta(t, 99000, record.Sale.Price, 0)
	require.Equal(t, "2026-01-05", record.Sale.SoldAt.Value)
}
