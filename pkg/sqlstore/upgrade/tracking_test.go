package upgrade_test

import (
	"log/slog"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore/trackingstore"
)

// The run and the logged model of the fixtures.
const (
	runID     = "11111111111111111111111111111111"
	deletedID = "22222222222222222222222222222222"
	garbageID = "55555555555555555555555555555555"
	modelID   = "m-33333333333333333333333333333333"
	modelName = "Prices"
)

func openTracking(t *testing.T, d *database) *trackingstore.Store {
	t.Helper()
	store, err := trackingstore.Open(t.Context(), d.url, "mlflow-artifacts:/", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// checkTracking looks for what the first version kept, and writes on.
func checkTracking(t *testing.T, d *database) {
	store := openTracking(t, d)
	old, err := store.ExperimentByName(t.Context(), "old")
	require.NoError(t, err)
	require.Equal(t, []experiment.Tag{{Key: "team", Value: "prices"}}, old.Tags)
	run, err := store.Run(t.Context(), runID)
	require.NoError(t, err)
	require.Equal(t, old.ID, run.ExperimentID)
	require.Equal(t, experiment.Status("FINISHED"), run.Status)
	require.Equal(t, int64(4000), run.EndTime)
	require.Equal(t, []experiment.Param{{Key: "best_alpha", Value: "1.0"}}, run.Params)
	require.Contains(t, run.Tags, experiment.Tag{Key: "promoted", Value: "true"})
	latest := map[string]float64{}
	for _, m := range run.Metrics {
		latest[m.Key] = m.Value
	}
	require.InDelta(t, 7.25, latest["test_rmse"], 0)
	require.True(t, math.IsNaN(latest["odd"]))
	history, err := store.MetricHistory(t.Context(), runID, "test_rmse", experiment.PageRequest{})
	require.NoError(t, err)
	require.Len(t, history.Items, 2)
	require.Equal(t, []experiment.ModelOutput{{ModelID: modelID, Step: 2}}, run.ModelOutputs)

	model, err := store.LoggedModel(t.Context(), modelID)
	require.NoError(t, err)
	require.Equal(t, []experiment.Tag{{Key: "recipe", Value: "classic"}}, model.Tags)
	require.Equal(t, []experiment.Param{{Key: "alpha", Value: "1.0"}}, model.Params)
	require.NotEmpty(t, model.Metrics)
	version, err := store.VersionByAlias(t.Context(), modelName, "champion")
	require.NoError(t, err)
	require.Equal(t, "2", version.Version)
	require.Equal(t, registry.Production, version.Stage)
	require.Equal(t, runID, version.RunID)
	require.Equal(t, []experiment.Tag{{Key: "rmse", Value: "7.25"}}, version.Tags)

	next, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: old.ID})
	require.NoError(t, err)
	require.NoError(t, store.LogBatch(t.Context(), next.ID, experiment.Batch{Metrics: []experiment.Metric{{Key: "test_rmse", Value: 8}}}))
	added, err := store.CreateVersion(t.Context(), registry.NewVersion{Name: modelName, Source: "models:/" + modelID, RunID: next.ID})
	require.NoError(t, err)
	require.Equal(t, "3", added.Version)
	_, err = store.CreateExperiment(t.Context(), experiment.NewExperiment{Name: "new"})
	require.NoError(t, err)

	all, err := store.Garbage(t.Context(), time.Now().Add(time.Minute).UnixMilli()) // times of migrations are rounded
	require.NoError(t, err)
	require.Contains(t, ids(all), deletedID, "a run that was deleted before can be removed for good")
	require.NoError(t, store.RestoreRun(t.Context(), deletedID), "or be restored")
}

func ids(all []trackingstore.Garbage) (out []string) {
	for _, g := range all {
		out = append(out, g.ID)
	}
	return out
}

// checkMetricSearch finds and orders runs along the index of metrics.
func checkMetricSearch(t *testing.T, d *database) {
	store := openTracking(t, d)
	old, err := store.ExperimentByName(t.Context(), "old")
	require.NoError(t, err)
	found, err := store.SearchRuns(t.Context(), experiment.RunSearch{
		Search: experiment.Search{Filter: "metrics.test_rmse < 9", OrderBy: []string{"metrics.test_rmse"}}, ExperimentIDs: []string{old.ID},
	})
	require.NoError(t, err)
	require.NotEmpty(t, found.Items)
	require.Equal(t, runID, found.Items[0].ID)
}

func checkDatasets(t *testing.T, d *database) {
	run, err := openTracking(t, d).Run(t.Context(), runID)
	require.NoError(t, err)
	require.Len(t, run.DatasetInputs, 1)
	require.Equal(t, "listings", run.DatasetInputs[0].Dataset.Name)
	require.Equal(t, []experiment.Tag{{Key: "mlflow.data.context", Value: "training"}}, run.DatasetInputs[0].Tags)
}

func checkMoves(t *testing.T, d *database) {
	moves, _, err := openTracking(t, d).Moves(t.Context(), modelName, trackingstore.MoveQuery{Limit: 100})
	require.NoError(t, err)
	oldest := moves[len(moves)-1]
	require.Equal(t, registry.StageMatter, oldest.Matter)
	require.Equal(t, "Production", oldest.To)
	require.Equal(t, "ana", oldest.By.User)
	require.False(t, oldest.By.Verified)
}

func checkVerified(t *testing.T, d *database) {
	moves, _, err := openTracking(t, d).Moves(t.Context(), modelName, trackingstore.MoveQuery{Limit: 100})
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(moves, func(m registry.Move) bool { return m.By.User == "bob" && m.By.Verified }))
}

// checkGarbage looks for the run whose removal was begun: nothing brings it back.
func checkGarbage(t *testing.T, d *database) {
	store := openTracking(t, d)
	require.ErrorContains(t, store.RestoreRun(t.Context(), garbageID), "is being removed for good")
	all, err := store.Garbage(t.Context(), 4600)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, garbageID, all[0].ID)
}

func checkModelDatasets(t *testing.T, d *database) {
	model, err := openTracking(t, d).LoggedModel(t.Context(), modelID)
	require.NoError(t, err)
	var names []string
	for _, m := range model.Metrics {
		names = append(names, m.Dataset.Name)
	}
	require.ElementsMatch(t, []string{"", "listings"}, names)
}

func checkImports(t *testing.T, d *database) {
	known, err := openTracking(t, d).Import("http://other:5000").Known(t.Context(), trackingstore.Run)
	require.NoError(t, err)
	require.Equal(t, map[string]string{runID: runID}, known)
}
