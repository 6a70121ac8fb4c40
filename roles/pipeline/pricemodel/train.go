package pricemodel

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/dataset"
	"tasador/pkg/experiment"
	"tasador/pkg/model"
	"tasador/pkg/realtor"
	"tasador/pkg/registry"
	"tasador/pkg/training"
)

// train trains a model on the clean tables, registers it and promotes it if it is better than all before. It goes on where an
// earlier try stopped; when that one was done it does nothing.
func (d Deps) train(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
	if err := d.data.Hold(ctx, claimOf(tc)); err != nil {
		return dag.Result{}, err
	}
	if err := d.recordTrainingRows(ctx, tc); err != nil {
		return dag.Result{}, err
	}
	run, err := d.openRun(ctx, tc, realtor.TrainRun(tc.Run.ID))
	if err != nil {
		return dag.Result{}, err
	}
	if err := tc.XComs.Push(ctx, realtor.XComRunID, run.ID); err != nil {
		return dag.Result{}, err
	}
	if promoted, done := run.Tag(realtor.TagPromoted); done && run.Status == experiment.Finished {
		tc.Log.InfoContext(ctx, "this DAG run has trained already", "run", run.ID, "promoted", promoted)
		version, registered, err := d.findVersion(ctx, tc, run.ID)
		if err == nil && registered {
			err = tc.XComs.Push(ctx, realtor.XComModelVersion, version.Version)
		}
		return dag.Done(), err
	}
	if run.Status != experiment.Running {
		running := experiment.Running
		if _, err := d.tracking.UpdateRun(ctx, run.ID, experiment.RunUpdate{Status: &running}); err != nil {
			return dag.Result{}, err
		}
	}
	if err := d.trainInto(ctx, tc, run); err != nil {
		d.markFailed(ctx, tc, run.ID)
		return dag.Result{}, err
	}
	return dag.Done(), nil
}

// failLimit bounds how long a task that failed tries to say so.
const failLimit = 10 * time.Second

// markFailed records that the run failed, unless another try is at work on it. The task's own error matters more than what goes
// wrong here.
func (d Deps) markFailed(ctx context.Context, tc *dag.TaskContext, runID string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failLimit)
	defer cancel()
	err := d.data.Hold(ctx, claimOf(tc))
	if err == nil {
		err = d.finishRun(ctx, runID, experiment.Failed)
	}
	if err != nil {
		tc.Log.WarnContext(ctx, "the run could not be marked as failed", "run", runID, "error", err)
	}
}

// outcome is what promotion needs to know of a training.
type outcome struct{ testRMSE, bestAlpha float64 }

func (d Deps) trainInto(ctx context.Context, tc *dag.TaskContext, run *experiment.Run) error {
	version, registered, err := d.findVersion(ctx, tc, run.ID)
	if err != nil {
		return err
	}
	var result outcome
	if registered {
		tc.Log.InfoContext(ctx, "an earlier try has registered the model", "version", version.Version)
		result, err = d.recorded(ctx, run.ID)
	} else {
		version, result, err = d.fit(ctx, tc, run)
	}
	if err != nil {
		return err
	}
	if err := tc.XComs.Push(ctx, realtor.XComModelVersion, version.Version); err != nil {
		return err
	}
	return d.promote(ctx, tc, run, version, result)
}

// fit trains, records the result and registers the model.
func (d Deps) fit(ctx context.Context, tc *dag.TaskContext, run *experiment.Run) (*registry.Version, outcome, error) {
	asOf, err := asOfOf(tc.Run)
	if err != nil {
		return nil, outcome{}, err
	}
	parts, err := d.parts(ctx, tc.Run.ID)
	if err != nil {
		return nil, outcome{}, err
	}
	result, err := training.Run(ctx, parts, training.Options{Concurrent: true, OnProgress: d.progress(ctx, tc, "rows read for training")})
	if err != nil {
		return nil, outcome{}, err
	}
	tc.Log.InfoContext(ctx, "trained", "features", len(result.Features), "best_alpha", result.BestAlpha,
		"best_val_rmse", result.BestValRMSE, "test_rmse", result.TestRMSE)
	m, err := model.New(result, tc.Run.ID, asOf)
	if err != nil {
		return nil, outcome{}, err
	}
	if err := d.data.Hold(ctx, claimOf(tc)); err != nil {
		return nil, outcome{}, err
	}
	splits, err := d.logSplits(ctx, tc, run)
	if err != nil {
		return nil, outcome{}, err
	}
	if err := d.tracking.LogBatch(ctx, run.ID, resultBatch(run, result, splits)); err != nil {
		return nil, outcome{}, err
	}
	version, err := d.register(ctx, tc, run, m)
	return version, outcome{testRMSE: result.TestRMSE, bestAlpha: result.BestAlpha}, err
}

func (d Deps) parts(ctx context.Context, dagRunID string) (training.Parts, error) {
	var parts training.Parts
	for split, to := range map[dataset.SplitName]*training.Part{
		dataset.Train: &parts.Train, dataset.Validation: &parts.Validation, dataset.Test: &parts.Test,
	} {
		part, err := d.data.Part(ctx, dagRunID, split)
		if err != nil {
			return training.Parts{}, err
		}
		*to = part
	}
	return parts, nil
}

// resultBatch is what a training run records; splits are metrics that go with it.
func resultBatch(run *experiment.Run, r training.Result, splits []experiment.Metric) experiment.Batch {
	metrics := slices.Clone(splits)
	for _, v := range r.ValRMSE {
		metrics = append(metrics, experiment.Metric{Key: realtor.MetricValRMSE + experiment.FormatFloat(v.Alpha), Value: v.RMSE})
	}
	metrics = append(metrics, experiment.Metric{Key: realtor.MetricBestVal, Value: r.BestValRMSE}, experiment.Metric{Key: realtor.MetricTestRMSE, Value: r.TestRMSE})
	for i := range metrics {
		metrics[i].Timestamp = run.StartTime // so that a retry adds no points
	}
	return experiment.Batch{
		Metrics: metrics,
		Params:  []experiment.Param{{Key: realtor.ParamBestAlpha, Value: experiment.FormatFloat(r.BestAlpha)}},
	}
}

// recorded reads back what an earlier try recorded before it registered the model.
func (d Deps) recorded(ctx context.Context, runID string) (outcome, error) {
	run, err := d.tracking.Run(ctx, runID)
	if err != nil {
		return outcome{}, err
	}
	o := outcome{bestAlpha: math.NaN()}
	for _, p := range run.Params {
		if p.Key == realtor.ParamBestAlpha {
			v, err := strconv.ParseFloat(p.Value, 64)
			if err != nil {
				break
			}
			o.bestAlpha = v
		}
	}
	rmse, logged := run.Metric(realtor.MetricTestRMSE)
	if !logged || math.IsNaN(o.bestAlpha) {
		return outcome{}, apperror.New(apperror.FailedPrecondition,
			"run %s has a registered model but no %s or %s; delete the version and the run in tracking, then run the task again", run.ID, realtor.MetricTestRMSE, realtor.ParamBestAlpha)
	}
	o.testRMSE = rmse
	return o, nil
}
