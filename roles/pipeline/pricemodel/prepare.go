package pricemodel

import (
	"context"

	"tasador/pkg/dag"
	"tasador/pkg/dataset"
)

// split shuffles all rows into train, validation and test, and profiles each.
func (d Deps) split(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
	profilers := newSplitProfilers()
	rows, err := d.data.Split(ctx, claimOf(tc), d.progress(ctx, tc, "rows split"), profilers.add)
	profiles := profilers.wait()
	if err != nil {
		return dag.Result{}, err
	}
	if err := d.data.SetSplits(ctx, claimOf(tc), profiles); err != nil {
		return dag.Result{}, err
	}
	logRows(ctx, tc, "splits in place", rows)
	return dag.Done(), recordRows(ctx, tc, map[string]int{tableRaw: total(rows)}, splitTables(rows, ""))
}

// preprocess encodes the splits as of the DAG run's instant.
func (d Deps) preprocess(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
	asOf, err := asOfOf(tc.Run)
	if err != nil {
		return dag.Result{}, err
	}
	rows, err := d.data.Clean(ctx, claimOf(tc), asOf, d.progress(ctx, tc, "rows encoded"))
	if err != nil {
		return dag.Result{}, err
	}
	logRows(ctx, tc, "clean tables in place", rows)
	return dag.Done(), recordRows(ctx, tc, splitTables(rows, ""), splitTables(rows, cleanSuffix))
}

func logRows(ctx context.Context, tc *dag.TaskContext, message string, rows map[dataset.SplitName]int) {
	tc.Log.InfoContext(ctx, message, "train", rows[dataset.Train], "validation", rows[dataset.Validation], "test", rows[dataset.Test])
}
