package pricemodel

import (
	"context"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/dataset"
)

// Tables as the record of rows names them; the splits and clean tables are named by splitTables.
const (
	tablePayload = "payload" // the answer of the data API
	tableRaw     = "realtor_raw"
	cleanSuffix  = "_clean"
)

// recordRows keeps what the task read and wrote.
func recordRows(ctx context.Context, tc *dag.TaskContext, in, out map[string]int) error {
	return tc.XComs.Push(ctx, dag.RowsKey, dag.Rows{In: in, Out: out})
}

// splitTables names the tables of the three splits.
func splitTables(rows map[dataset.SplitName]int, suffix string) map[string]int {
	named := make(map[string]int, len(rows))
	for split, n := range rows {
		named[string(split)+suffix] = n
	}
	return named
}

func total(rows map[dataset.SplitName]int) (n int) {
	for _, r := range rows {
		n += r
	}
	return n
}

// recordTrainingRows keeps how many clean rows of this DAG run there are to train on. A rerun that finds the model trained may find that another DAG run has replaced
// the tables: then nothing is recorded, and that is no failure of it; a training says so itself.
func (d Deps) recordTrainingRows(ctx context.Context, tc *dag.TaskContext) error {
	in := map[string]int{}
	for _, split := range dataset.Splits() {
		part, err := d.data.Part(ctx, tc.Run.ID, split)
		if err != nil && apperror.CodeOf(err) == apperror.FailedPrecondition {
			return nil
		}
		if err != nil {
			return err
		}
		in[string(split)+cleanSuffix] = part.Len()
	}
	return recordRows(ctx, tc, in, nil)
}
