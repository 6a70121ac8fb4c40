package trackingstore_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
)

// TestMetricsOfOlderSchemas: points that were there before the index of metrics are found along it, in the experiment that they belong to.
func TestMetricsOfOlderSchemas(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "tracking.db")
	store := open(t, url)
	id, err := store.CreateExperiment(t.Context(), experiment.NewExperiment{Name: "old"})
	require.NoError(t, err)
	run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: id})
	require.NoError(t, err)
	require.NoError(t, store.LogBatch(t.Context(), run.ID, experiment.Batch{Metrics: []experiment.Metric{{Key: "m", Value: 7}}}))

	db, err := sqlstore.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, sqlstore.MigrateDown(t.Context(), db, "tracking", 2))
	require.Error(t, db.Exec("SELECT experiment_id FROM latest_metrics").Error)
	require.NoError(t, sqlstore.Close(db))

	again := open(t, url)
	for experimentID, want := range map[string]int{id: 1, experiment.DefaultID: 0} {
		page, err := again.SearchRuns(t.Context(), experiment.RunSearch{
			Search: experiment.Search{Filter: "metrics.m > 6", OrderBy: []string{"metrics.m"}}, ExperimentIDs: []string{experimentID},
		})
		require.NoError(t, err)
		require.Len(t, page.Items, want)
	}
}
