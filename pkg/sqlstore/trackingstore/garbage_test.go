package trackingstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore/trackingstore"
)

// soon is a time by which everything that a test deleted is old.
func soon() int64 { return time.Now().Add(time.Hour).UnixMilli() }

// TestClaim: what is being removed cannot be restored, and what was restored or is used is not removed.
func TestClaim(t *testing.T) { onEach(t, claims) }

func claims(t *testing.T, store *trackingstore.Store) {
	ctx := t.Context()
	run := func() *experiment.Run {
		r, err := store.CreateRun(ctx, experiment.NewRun{ExperimentID: "0"})
		require.NoError(t, err)
		return r
	}
	claim := func(kind trackingstore.Kind, id string) bool {
		ok, err := store.Claim(ctx, trackingstore.Garbage{Kind: kind, ID: id}, soon())
		require.NoError(t, err)
		return ok
	}
	active, deleted, used := run(), run(), run()
	_, err := store.CreateModel(ctx, "m", "", nil)
	require.NoError(t, err)
	_, err = store.CreateVersion(ctx, registry.NewVersion{Name: "m", Source: used.ArtifactURI + "/model", RunID: used.ID})
	require.NoError(t, err)
	require.NoError(t, store.DeleteRun(ctx, deleted.ID))
	require.NoError(t, store.DeleteRun(ctx, used.ID))
	old, err := store.Garbage(ctx, time.Now().Add(-time.Hour).UnixMilli())
	require.NoError(t, err)
	require.Empty(t, old)
	require.False(t, claim(trackingstore.Run, active.ID))
	require.False(t, claim(trackingstore.Run, used.ID))
	require.NoError(t, store.Remove(ctx, trackingstore.Garbage{Kind: trackingstore.Run, ID: active.ID}), "what is not claimed stays")
	_, err = store.Run(ctx, active.ID)
	require.NoError(t, err)

	require.NoError(t, store.RestoreRun(ctx, deleted.ID))
	require.False(t, claim(trackingstore.Run, deleted.ID), "it was restored")
	require.NoError(t, store.DeleteRun(ctx, deleted.ID))
	require.True(t, claim(trackingstore.Run, deleted.ID))
	require.True(t, claim(trackingstore.Run, deleted.ID), "again")
	err = store.RestoreRun(ctx, deleted.ID)
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
	require.ErrorContains(t, err, "is being removed for good by tasador gc")
	require.NoError(t, store.Remove(ctx, trackingstore.Garbage{Kind: trackingstore.Run, ID: deleted.ID}))
	require.Equal(t, apperror.NotFound, apperror.CodeOf(store.RestoreRun(ctx, deleted.ID)))
}

// TestARunRestoredInADeletedExperimentKeepsIt, and the logged models in it that were not deleted.
func TestARunRestoredInADeletedExperimentKeepsIt(t *testing.T) { onEach(t, keepsExperiment) }

func keepsExperiment(t *testing.T, store *trackingstore.Store) {
	ctx := t.Context()
	id, err := store.CreateExperiment(ctx, experiment.NewExperiment{Name: "e"})
	require.NoError(t, err)
	run, err := store.CreateRun(ctx, experiment.NewRun{ExperimentID: id})
	require.NoError(t, err)
	model, err := store.CreateLoggedModel(ctx, experiment.NewLoggedModel{ExperimentID: id, Name: "m", SourceRunID: run.ID})
	require.NoError(t, err)
	require.NoError(t, store.DeleteExperiment(ctx, id))
	require.NoError(t, store.RestoreRun(ctx, run.ID))
	all, err := store.Garbage(ctx, soon())
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, model.ID, all[0].ID)
	require.Equal(t, "experiment "+id+", which holds run "+run.ID, all[0].UsedBy)
	require.Equal(t, trackingstore.Experiment, all[1].Kind)
	require.Equal(t, "run "+run.ID, all[1].UsedBy)
	for _, g := range all {
		claimed, err := store.Claim(ctx, g, soon())
		require.NoError(t, err)
		require.False(t, claimed)
	}
	require.NoError(t, store.RestoreExperiment(ctx, id))

	// The experiment 0 is always there.
	require.NoError(t, store.DeleteExperiment(ctx, "0"))
	all, err = store.Garbage(ctx, soon())
	require.NoError(t, err)
	require.Empty(t, all)
}

// TestRemove takes all rows of what can have some.
func TestRemove(t *testing.T) {
	onEach(t, func(t *testing.T, store *trackingstore.Store) {
		ctx := t.Context()
		id, err := store.CreateExperiment(ctx, experiment.NewExperiment{Name: "e", Tags: []experiment.Tag{{Key: "k", Value: "v"}}})
		require.NoError(t, err)
		run, err := store.CreateRun(ctx, experiment.NewRun{ExperimentID: id})
		require.NoError(t, err)
		model, err := store.CreateLoggedModel(ctx, experiment.NewLoggedModel{
			ExperimentID: id, Name: "m", SourceRunID: run.ID, Params: []experiment.Param{{Key: "p", Value: "v"}}, Tags: []experiment.Tag{{Key: "k", Value: "v"}},
		})
		require.NoError(t, err)
		require.NoError(t, store.LogBatch(ctx, run.ID, experiment.Batch{
			Metrics: []experiment.Metric{{Key: "m", Value: 1, ModelID: model.ID}}, Params: []experiment.Param{{Key: "p", Value: "v"}},
		}))
		require.NoError(t, store.LogInputs(ctx, run.ID, experiment.Inputs{
			Models:   []experiment.ModelInput{{ModelID: model.ID}},
			Datasets: []experiment.DatasetInput{{Dataset: experiment.Dataset{Name: "d", Digest: "1", SourceType: "s", Source: "s"}, Tags: []experiment.Tag{{Key: "k", Value: "v"}}}},
		}))
		_, err = store.CreateModel(ctx, "r", "", nil)
		require.NoError(t, err)
		for range 2 {
			_, err = store.CreateVersion(ctx, registry.NewVersion{Name: "r", Source: "models:/" + model.ID})
			require.NoError(t, err)
		}
		require.NoError(t, store.DeleteVersion(ctx, "r", "1"))
		require.NoError(t, store.DeleteVersion(ctx, "r", "2"))
		require.NoError(t, store.DeleteExperiment(ctx, id))
		all, err := store.Garbage(ctx, soon())
		require.NoError(t, err)
		var kinds []trackingstore.Kind
		for _, g := range all {
			kinds = append(kinds, g.Kind)
			require.Empty(t, g.UsedBy)
			require.WithinDuration(t, time.Now(), time.UnixMilli(g.DeletedTime), time.Minute)
		}
		require.Equal(t, []trackingstore.Kind{trackingstore.Run, trackingstore.LoggedModel, trackingstore.Experiment, trackingstore.Version}, kinds)
		for _, i := range []int{2, 0, 1} { // the experiment first
			claimed, err := store.Claim(ctx, all[i], soon())
			require.NoError(t, err)
			require.True(t, claimed, all[i])
		}
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(store.RestoreExperiment(ctx, id)))
		for range 2 { // the second time does nothing
			for _, g := range all {
				require.NoError(t, store.Remove(ctx, g), g)
			}
		}
		left, err := store.Garbage(ctx, soon())
		require.NoError(t, err)
		require.Empty(t, left)
		_, err = store.Experiment(ctx, id)
		require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
		v, err := store.CreateVersion(ctx, registry.NewVersion{Name: "r", Source: "s3://elsewhere/x"})
		require.NoError(t, err)
		require.Equal(t, "3", v.Version)
	})
}
