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
	"tasador/pkg/sqlstore/datasetstore"
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
	gate := conf.gate(d.gate)
	decision := gate.Decide(batch.Profile)
	tc.Log.InfoContext(ctx, "decided", "decision", decision.Decision, "reason", decision.Reason)
	metrics := append([]experiment.Metric{{Key: realtor.MetricNewRecords, Value: float64(batch.Rows)}}, batchMetrics(batch.Profile, gate)...)
	run, err := d.record(ctx, tc, decision, metrics, batch.Profile)
	if err != nil {
		return dag.Result{}, err
	}
	verdict := datasetstore.Verdict{Decision: decision.Decision, Reason: decision.Reason, Gate: gate, RunID: run.ID}
	if err := d.data.SetVerdict(ctx, claimOf(tc), verdict); err != nil {
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
	decision := dataset.Decision{Decision: realtor.DecisionReset, Reason: realtor.ReasonReset}
	_, err := d.record(ctx, tc, decision, []experiment.Metric{{Key: realtor.MetricNewRecords}}, nil)
	return dag.Done(), err
}

// record writes the decision run of the DAG run, the same one however often it is called. profile may be nil.
func (d Deps) record(ctx context.Context, tc *dag.TaskContext, decision dataset.Decision, metrics []experiment.Metric, profile *dataset.Profile) (*experiment.Run, error) {
	run, err := d.openRun(ctx, tc, realtor.DecisionRun)
	if err != nil {
		return nil, err
	}
	if profile != nil {
		if err := d.logProfile(ctx, tc, run, realtor.FileBatchProfile, profile); err != nil {
			return nil, err
		}
	}
	if err := tc.XComs.Push(ctx, realtor.XComRunID, run.ID); err != nil {
		return nil, err
	}
	batch := experiment.Batch{Tags: []experiment.Tag{{Key: realtor.TagDecision, Value: decision.Decision}, {Key: realtor.TagReason, Value: decision.Reason}}}
	batch.Metrics = missingMetrics(run, metrics, time.Now())
	if err := d.tracking.LogBatch(ctx, run.ID, batch); err != nil {
		return nil, err
	}
	return run, d.finishRun(ctx, run.ID, experiment.Finished)
}
