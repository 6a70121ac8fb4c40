package pricemodel

import (
	"context"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/dataset"
	"tasador/pkg/experiment"
	"tasador/pkg/killpoint"
	"tasador/pkg/realtor"
)

// decide asks the gate about this DAG run's rows and records its decision.
func (d Deps) decide(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
	conf, err := parseConf(tc.Run.Conf)
	if err != nil {
		return dag.Result{}, err
	}
	batch, err := d.data.Batch(ctx, tc.Run.ID)
	if apperror.CodeOf(err) == apperror.NotFound {
		return dag.Result{}, apperror.New(apperror.FailedPrecondition, "the rows of DAG run %s are gone; run its task %s again", tc.Run.ID, realtor.TaskExtract)
	}
	if err != nil {
		return dag.Result{}, err
	}
	decision := conf.gate(d.gate).Decide(batch.Profile)
	tc.Log.InfoContext(ctx, "decided", "decision", decision.Decision, "reason", decision.Reason)
	if err := d.record(ctx, tc, decision, batch.Rows); err != nil {
		return dag.Result{}, err
	}
	return dag.Follow(decision.Decision), recordRows(ctx, tc, map[string]int{tableRaw: batch.Rows}, nil)
}

// reset starts the source again and empties the tables of listings.
func (d Deps) reset(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
	if err := d.data.Hold(ctx, claimOf(tc)); err != nil {
		return dag.Result{}, err
	}
	if err := d.source.Restart(ctx, d.request); err != nil {
		return dag.Result{}, err
	}
	killpoint.At(killpoint.AfterSourceReset)
	tc.Log.InfoContext(ctx, "source started again")
	if err := d.data.Reset(ctx, claimOf(tc)); err != nil {
		return dag.Result{}, err
	}
	tc.Log.InfoContext(ctx, "tables of listings emptied")
	return dag.Done(), d.record(ctx, tc, dataset.Decision{Decision: realtor.DecisionReset, Reason: realtor.ReasonReset}, 0)
}

// record writes the decision run of the DAG run, the same one however often it is called.
func (d Deps) record(ctx context.Context, tc *dag.TaskContext, decision dataset.Decision, newRecords int) error {
	run, err := d.openRun(ctx, tc, realtor.DecisionRun)
	if err != nil {
		return err
	}
	if err := tc.XComs.Push(ctx, realtor.XComRunID, run.ID); err != nil {
		return err
	}
	batch := experiment.Batch{Tags: []experiment.Tag{{Key: realtor.TagDecision, Value: decision.Decision}, {Key: realtor.TagReason, Value: decision.Reason}}}
	batch.Metrics = missingMetrics(run, []experiment.Metric{{Key: realtor.MetricNewRecords, Value: float64(newRecords)}}, time.Now())
	if err := d.tracking.LogBatch(ctx, run.ID, batch); err != nil {
		return err
	}
	return d.finishRun(ctx, run.ID, experiment.Finished)
}
