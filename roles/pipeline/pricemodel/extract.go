package pricemodel

import (
	"context"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/dataset"
	"tasador/pkg/killpoint"
	"tasador/pkg/listingapi"
	"tasador/pkg/property"
	"tasador/pkg/realtor"
	"tasador/pkg/sqlstore/datasetstore"
)

// The XComs of extract_data.
const (
	xcomNewRecords = "new_records"
	xcomFinished   = "finished"
)

// extract collects the next batch of the data API: the payload is kept, then its rows are stored, once for each DAG run.
func (d Deps) extract(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
	if err := d.data.Hold(ctx, claimOf(tc)); err != nil {
		return dag.Result{}, err
	}
	batch, err := d.data.Batch(ctx, tc.Run.ID)
	if apperror.CodeOf(err) == apperror.NotFound {
		batch, err = d.collect(ctx, tc)
	}
	if err != nil {
		return dag.Result{}, err
	}
	killpoint.At(killpoint.AfterBatch)
	tc.Log.InfoContext(ctx, "batch stored", "rows", batch.Rows, "batch", batch.Number, "finished", batch.Finished)
	if err := tc.XComs.Push(ctx, xcomNewRecords, batch.Rows); err != nil {
		return dag.Result{}, err
	}
	if err := tc.XComs.Push(ctx, xcomFinished, batch.Finished); err != nil {
		return dag.Result{}, err
	}
	if err := recordRows(ctx, tc, map[string]int{tablePayload: batch.Rows}, map[string]int{tableRaw: batch.Rows}); err != nil {
		return dag.Result{}, err
	}
	return dag.Done(), d.payloads.prune()
}

// collect fetches the batch, unless an earlier try kept it, and stores its rows.
func (d Deps) collect(ctx context.Context, tc *dag.TaskContext) (*datasetstore.Batch, error) {
	kept, err := d.payloads.has(tc.Run.ID)
	if err != nil {
		return nil, err
	}
	if kept {
		tc.Log.InfoContext(ctx, "using the payload that an earlier try kept")
	} else {
		req := d.request
		req.IdempotencyKey = tc.Run.ID
		if err := d.payloads.fetch(ctx, d.source, req); err != nil {
			return nil, err
		}
	}
	killpoint.At(killpoint.AfterPayload)
	batch, err := d.examine(ctx, tc)
	if err != nil {
		return nil, err
	}
	done := d.progress(ctx, tc, "rows stored")
	stored := 0
	return d.data.StoreBatch(ctx, claimOf(tc), *batch, func(insert func(property.Listing) error) error {
		_, _, err := d.payloads.read(ctx, tc.Run.ID, func(row listingapi.Row) error {
			stored++
			done(stored, batch.Rows)
			return insert(row.Listing)
		})
		return err
	})
}

// examine reads the kept payload once, so that nothing is stored of one that cannot be read to its end, and
// profiles it on the way.
func (d Deps) examine(ctx context.Context, tc *dag.TaskContext) (*datasetstore.Batch, error) {
	earlier, err := d.data.SeenRows(ctx)
	if err != nil {
		return nil, err
	}
	profiler := dataset.NewProfiler(earlier)
	rows := profiler.InBackground()
	defer rows.Wait()
	p, unreadable, err := d.payloads.read(ctx, tc.Run.ID, func(row listingapi.Row) error {
		rows.Add(&row.Listing, row.WrongTyped...)
		return nil
	})
	if unreadable {
		to, moveErr := d.payloads.setAside(tc.Run.ID)
		if moveErr != nil {
			return nil, moveErr
		}
		return nil, apperror.Wrap(apperror.Invalid, err, "the answer of the data API cannot be read and is kept as %s; check that --source.uri is the data API", to)
	}
	if err != nil {
		return nil, err
	}
	rows.Wait()
	profiler.AddColumns(p.Columns...)
	tc.Log.InfoContext(ctx, "payload read", "rows", p.Rows, "columns", p.Columns, "wrong_type", p.Invalid, "sha256", p.sha256)
	return &datasetstore.Batch{
		DAGRunID: tc.Run.ID, Number: p.Number, Finished: p.Finished, Rows: p.Rows, PayloadSHA256: p.sha256,
		Columns: p.Columns, Invalid: p.Invalid, Profile: profiler.Profile(), FetchedAt: p.fetchedAt,
	}, nil
}

// branch goes on with reset_data when the source has no more, else with decide_to_train.
func (d Deps) branch(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
	var finished bool
	if err := tc.XComs.Pull(ctx, realtor.TaskExtract, xcomFinished, &finished); err != nil {
		return dag.Result{}, err
	}
	if finished {
		return dag.Follow(realtor.TaskReset), nil
	}
	return dag.Follow(realtor.TaskDecide), nil
}
