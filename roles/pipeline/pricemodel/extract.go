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
	return d.store(ctx, tc)
}

// bytesPerRow is about how long a row of the data API is.
const bytesPerRow = 250

// store reads the kept payload and stores its rows, in one pass: the rows of one that cannot be read to its end are not stored after all.
func (d Deps) store(ctx context.Context, tc *dag.TaskContext) (*datasetstore.Batch, error) {
	fetchedAt, size, err := d.payloads.info(tc.Run.ID)
	if err != nil {
		return nil, err
	}
	earlier, err := d.data.SeenRows(ctx)
	if err != nil {
		return nil, err
	}
	unreadable := false
	var fault error // of the payload
	about := datasetstore.Batch{DAGRunID: tc.Run.ID, FetchedAt: fetchedAt, Rows: int(size / bytesPerRow)}
	batch, err := d.data.StoreBatch(ctx, claimOf(tc), about, func(b *datasetstore.Batch, insert func(property.Listing) error) error {
		unreadable, fault = d.readInto(ctx, tc, dataset.NewProfiler(earlier), b, insert)
		return fault
	})
	if unreadable {
		to, moveErr := d.payloads.setAside(tc.Run.ID)
		if moveErr != nil {
			return nil, moveErr
		}
		return nil, apperror.Wrap(apperror.Invalid, fault, "the answer of the data API cannot be read and is kept as %s; check that --source.uri is the data API", to)
	}
	return batch, err
}

// readInto reads the kept payload, profiles its rows and hands them on. unreadable is set if it is the payload that is at fault.
func (d Deps) readInto(ctx context.Context, tc *dag.TaskContext, profiler *dataset.Profiler, b *datasetstore.Batch,
	insert func(property.Listing) error) (unreadable bool, err error) {
	rows := profiler.InBackground()
	defer rows.Wait()
	done, stored := d.progress(ctx, tc, "rows stored"), 0
	p, unreadable, err := d.payloads.read(ctx, tc.Run.ID, func(row listingapi.Row) error {
		b.Number = row.Batch
		rows.Add(&row.Listing, row.WrongTyped...)
		stored++
		done(stored, 0)
		return insert(row.Listing)
	})
	if err != nil {
		return unreadable, err
	}
	rows.Wait()
	profiler.AddColumns(p.Columns...)
	b.Number, b.Finished, b.PayloadSHA256, b.Columns, b.Invalid, b.Profile = p.Number, p.Finished, p.sha256, p.Columns, p.Invalid, profiler.Profile()
	tc.Log.InfoContext(ctx, "payload read", "rows", p.Rows, "columns", p.Columns, "wrong_type", p.Invalid, "sha256", p.sha256)
	return false, nil
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
