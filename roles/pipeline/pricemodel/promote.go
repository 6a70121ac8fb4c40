package pricemodel

import (
	"context"
	"math"
	"strconv"

	"tasador/pkg/dag"
	"tasador/pkg/experiment"
	"tasador/pkg/killpoint"
	"tasador/pkg/realtor"
	"tasador/pkg/registry"
)

// promote puts the version into production if its error is less than that of every other DAG run, and records the comparison.
func (d Deps) promote(ctx context.Context, tc *dag.TaskContext, run *experiment.Run, version *registry.Version, found outcome) error {
	previous, err := d.bestOther(ctx, tc.Run.ID, run.ExperimentID)
	if err != nil {
		return err
	}
	promoted := isFinite(found.testRMSE) && (previous == nil || found.testRMSE < *previous)
	if err := d.data.Hold(ctx, claimOf(tc)); err != nil {
		return err
	}
	if promoted {
		if _, err := d.tracking.TransitionStage(ctx, realtor.Model, version.Version, registry.Production, true); err != nil {
			return err
		}
		killpoint.At(killpoint.AfterPromoted)
	}
	previousText := "None"
	if previous != nil {
		previousText = experiment.FormatFloat(*previous)
	}
	err = d.tracking.LogBatch(ctx, run.ID, experiment.Batch{Tags: []experiment.Tag{
		{Key: realtor.TagPreviousRMSE, Value: previousText},
		{Key: realtor.TagCurrentRMSE, Value: experiment.FormatFloat(found.testRMSE)},
		{Key: realtor.TagBestAlpha, Value: experiment.FormatFloat(found.bestAlpha)},
		{Key: realtor.TagPromoted, Value: strconv.FormatBool(promoted)},
	}})
	if err != nil {
		return err
	}
	tc.Log.InfoContext(ctx, "compared with the best before", "version", version.Version, "test_rmse", found.testRMSE,
		"previous_best_rmse", previousText, "promoted", promoted)
	return d.finishRun(ctx, run.ID, experiment.Finished)
}

// bestOther returns the least finite test_rmse of the active runs of other DAG runs, or nil.
func (d Deps) bestOther(ctx context.Context, dagRunID, experimentID string) (*float64, error) {
	value, err := literal(dagRunID)
	if err != nil {
		return nil, err
	}
	var best *float64
	// Runs without the metric come last, so the walk ends at the first of them.
	err = d.eachRun(ctx, experimentID, "tags."+realtor.TagDAGRunID+" != "+value, []string{"metrics." + realtor.MetricTestRMSE + " ASC"}, func(run experiment.Run) bool {
		rmse, logged := run.Metric(realtor.MetricTestRMSE)
		if logged && isFinite(rmse) && rmse < math.MaxFloat64 { // MLflow keeps an infinite one as the largest number
			best = &rmse
		}
		return logged && best == nil
	})
	return best, err
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
