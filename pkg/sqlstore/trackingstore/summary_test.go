package trackingstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore/trackingstore"
)

func TestRunSummaries(t *testing.T) { onEach(t, testRunSummaries) }

func testRunSummaries(t *testing.T, store *trackingstore.Store) {
	busy, err := store.CreateExperiment(t.Context(), experiment.NewExperiment{Name: "busy"})
	require.NoError(t, err)
	for name, start := range map[string]int64{"first": 1000, "last": 3000, "middle": 2000, "deleted": 4000} {
		run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: busy, Name: name, StartTime: start})
		require.NoError(t, err)
		if name == "deleted" {
			require.NoError(t, store.DeleteRun(t.Context(), run.ID))
		}
	}
	got, err := store.RunSummaries(t.Context(), []string{busy, experiment.DefaultID})
	require.NoError(t, err)
	require.Len(t, got, 1, "an experiment without runs has no summary")
	require.EqualValues(t, 3, got[busy].Runs)
	require.Equal(t, "last", got[busy].Last.Name)
	require.EqualValues(t, 3000, got[busy].Last.StartTime)
}

func TestRunsByIDAndTheirPoints(t *testing.T) { onEach(t, testRunsByIDAndTheirPoints) }

func testRunsByIDAndTheirPoints(t *testing.T, store *trackingstore.Store) {
	run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	require.NoError(t, store.LogBatch(t.Context(), run.ID, experiment.Batch{Metrics: []experiment.Metric{
		{Key: "loss", Value: 2, Step: 0}, {Key: "loss", Value: 1, Step: 1}, {Key: "rmse", Value: 7},
	}}))
	runs, err := store.RunsByID(t.Context(), []string{run.ID, "nobody"})
	require.NoError(t, err)
	require.Len(t, runs, 1)
	found := runs[run.ID]
	rmse, ok := found.Metric("rmse")
	require.True(t, ok)
	require.InDelta(t, 7, rmse, 0)
	points, err := store.PointCounts(t.Context(), run.ID)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"loss": 2, "rmse": 1}, points)
}

func TestVersionsOf(t *testing.T) { onEach(t, testVersionsOf) }

func testVersionsOf(t *testing.T, store *trackingstore.Store) {
	const name = `it's a "model"` // no filter can name it
	_, err := store.CreateModel(t.Context(), name, "", nil)
	require.NoError(t, err)
	for range 11 {
		_, err = store.CreateVersion(t.Context(), registry.NewVersion{Name: name, Source: "s3://bucket/model"})
		require.NoError(t, err)
	}
	require.NoError(t, store.DeleteVersion(t.Context(), name, "10"))
	var numbers []string
	q := experiment.PageRequest{MaxResults: 4}
	for {
		page, err := store.VersionsOf(t.Context(), name, q)
		require.NoError(t, err)
		for _, v := range page.Items {
			require.Equal(t, name, v.Name)
			numbers = append(numbers, v.Version)
		}
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			break
		}
	}
	require.Equal(t, []string{"11", "9", "8", "7", "6", "5", "4", "3", "2", "1"}, numbers)
	_, err = store.VersionsOf(t.Context(), "nobody", experiment.PageRequest{})
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
}

func TestVersionsOfRuns(t *testing.T) { onEach(t, testVersionsOfRuns) }

func testVersionsOfRuns(t *testing.T, store *trackingstore.Store) {
	run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	_, err = store.CreateModel(t.Context(), "model", "", nil)
	require.NoError(t, err)
	for _, id := range []string{run.ID, "", run.ID} {
		_, err = store.CreateVersion(t.Context(), registry.NewVersion{Name: "model", Source: "s3://bucket/model", RunID: id})
		require.NoError(t, err)
	}
	versions, err := store.VersionsOfRuns(t.Context(), []string{run.ID})
	require.NoError(t, err)
	require.Len(t, versions, 2)
	require.Equal(t, []string{"3", "1"}, []string{versions[0].Version, versions[1].Version})
	none, err := store.VersionsOfRuns(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, none)
}
