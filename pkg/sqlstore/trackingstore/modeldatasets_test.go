package trackingstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore/trackingstore"
)

// TestModelsByADatasetOfAnyDigest: a search that names no digest takes all, and one point may be of several datasets; a stock MLflow server does
// neither.
func TestModelsByADatasetOfAnyDigest(t *testing.T) {
	onEach(t, func(t *testing.T, store *trackingstore.Store) {
		run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: experiment.DefaultID})
		require.NoError(t, err)
		m, err := store.CreateLoggedModel(t.Context(), experiment.NewLoggedModel{ExperimentID: experiment.DefaultID})
		require.NoError(t, err)
		_, err = store.CreateLoggedModel(t.Context(), experiment.NewLoggedModel{ExperimentID: experiment.DefaultID})
		require.NoError(t, err)
		var points []experiment.Metric
		for _, d := range []experiment.DatasetKey{{}, {Name: "homes", Digest: "1"}, {Name: "homes", Digest: "2"}} {
			points = append(points, experiment.Metric{Key: "rmse", Value: 1, ModelID: m.ID, Dataset: d})
		}
		require.NoError(t, store.LogBatch(t.Context(), run.ID, experiment.Batch{Metrics: points}))
		history, err := store.MetricHistory(t.Context(), run.ID, "rmse", experiment.PageRequest{})
		require.NoError(t, err)
		require.Len(t, history.Items, 1, "of the run it is one point")

		search := func(q experiment.RunSearch) []experiment.LoggedModel {
			q.ExperimentIDs = []string{experiment.DefaultID}
			page, err := store.SearchLoggedModels(t.Context(), q)
			require.NoError(t, err)
			return page.Items
		}
		homes := []experiment.DatasetKey{{Name: "homes"}}
		for _, filter := range []string{"", "metrics.rmse = 1"} {
			found := search(experiment.RunSearch{Search: experiment.Search{Filter: filter}, Datasets: homes})
			require.Len(t, found, 1, filter)
			require.Equal(t, m.ID, found[0].ID)
			require.Len(t, found[0].Metrics, 3)
		}
		found := search(experiment.RunSearch{Search: experiment.Search{OrderBy: []string{"metrics.rmse"}}, OrderDatasets: homes})
		require.Len(t, found, 2, "each once")
		require.Equal(t, m.ID, found[0].ID)
	})
}
