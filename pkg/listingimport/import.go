// Package listingimport loads the listings of a file into RawData, in chunks, so that an import that was cut off goes on where it was.
package listingimport

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore/datasetstore"
)

// chunkRows is how many rows one transaction stores: little enough for others not to wait for long, and to be kept in memory.
const chunkRows = 20_000

// Options say what to import.
type Options struct {
	Path     string // of a file, or address of an object: s3://bucket/key
	Format   Format
	Endpoint string // of the S3 server; empty means AWS
	Again    bool   // import a file that was imported, or that has changed since its import was cut off
	// Progress is told after every chunk how many rows are stored, and how much of the file is read: bytes of CSV, rows of Parquet.
	Progress func(rows int, done, total int64)
}

// Result is what an import ended with.
type Result struct {
	datasetstore.Import
	Already bool // it was finished before, and nothing was done
	Before  int  // rows that an earlier call stored
}

// Run imports a file. The rows stand in realtor_raw in the order of the file, under an id of the form import__<UTC time> in the place
// of a DAG run's. Codes: NotFound, Invalid (the file cannot be read; it names the line or row), FailedPrecondition (the file has
// changed, or another process is at work on it), Unavailable.
func Run(ctx context.Context, store *datasetstore.Imports, opts Options) (_ Result, err error) {
	b, err := open(ctx, opts.Path, opts.Endpoint)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	r, err := rowsOf(b, opts.Format)
	if err != nil {
		return Result{}, inFile(opts.Path, err)
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if len(r.columns) == 0 {
		return Result{}, apperror.New(apperror.Invalid, "%s has none of the columns of a listing, which are %s", opts.Path, strings.Join(property.Columns(), ", "))
	}
	start, already, err := begin(ctx, store, b, r.columns, opts.Again)
	if err != nil || already {
		return Result{Import: start, Already: already}, err
	}
	l := &loader{store: store, blob: b, rows: r, at: start, progress: opts.Progress}
	if start.Batch.Rows == 0 {
		l.profiler = dataset.NewProfiler(nil)
		l.profiler.AddColumns(r.columns...)
	}
	if err := l.load(ctx); err != nil {
		return Result{}, inFile(opts.Path, err)
	}
	return Result{Import: l.at, Before: start.Batch.Rows}, nil
}

// inFile names the file in an error of reading it.
func inFile(path string, err error) error {
	if code := apperror.CodeOf(err); code == apperror.Invalid || code == apperror.Unavailable {
		return apperror.Wrap(code, err, "%s", path)
	}
	return err
}

// begin finds out where the import of the file stands, or begins one.
func begin(ctx context.Context, store *datasetstore.Imports, b *blob, columns []string, again bool) (_ datasetstore.Import, already bool, _ error) {
	earlier, err := store.Find(ctx, b.source)
	if apperror.CodeOf(err) == apperror.NotFound {
		earlier, err = nil, nil
	}
	if err != nil {
		return datasetstore.Import{}, false, err
	}
	if earlier != nil {
		same := earlier.Fingerprint == b.fingerprint
		switch {
		case same && !earlier.Finished:
			return *earlier, false, nil
		case again:
		case same:
			return *earlier, true, nil
		default:
			return datasetstore.Import{}, false, changed(earlier, b)
		}
	}
	now := time.Now().UTC()
	start := datasetstore.Import{
		Source: b.source, Fingerprint: b.fingerprint, UpdatedAt: now, Nulls: map[string]int{},
		Batch: datasetstore.Batch{
			DAGRunID: "import__" + now.Format("2006-01-02T15:04:05.000000+00:00"), Columns: columns, Invalid: map[string]int{}, Profile: &dataset.Profile{}, FetchedAt: now,
		},
	}
	return start, false, store.Begin(ctx, start, earlier)
}

func changed(earlier *datasetstore.Import, b *blob) error {
	at := earlier.UpdatedAt.Format(time.DateTime)
	if earlier.Finished {
		return apperror.New(apperror.FailedPrecondition,
			"%s was imported on %s UTC (%d rows) and has changed since; with --again all of it is imported too, beside the earlier rows", b.source, at, earlier.Batch.Rows)
	}
	return apperror.New(apperror.FailedPrecondition,
		"%s has changed since its import was cut off on %s UTC after %d rows, so it cannot go on; put the earlier file back, or say --again to delete these rows and import the file as it is now",
		b.source, at, earlier.Batch.Rows)
}

// loader stores the rows of a file from where an import stands.
type loader struct {
	store    *datasetstore.Imports
	blob     *blob
	rows     *rows
	at       datasetstore.Import // as it stands in the database
	progress func(rows int, done, total int64)
	chunk    []property.Listing
	profiler *dataset.Profiler // of all rows; nil if an earlier process stored some
}

func (l *loader) load(ctx context.Context) error {
	err := l.rows.each(ctx, l.at.Batch.Rows, func(listing property.Listing, wrong []string) error {
		l.count(listing, wrong)
		if l.chunk = append(l.chunk, listing); len(l.chunk) < chunkRows {
			return nil
		}
		return l.flush(ctx, false)
	})
	if err != nil {
		return err
	}
	now, err := l.blob.look()
	if err != nil {
		return err
	}
	if now != l.blob.fingerprint {
		return apperror.New(apperror.FailedPrecondition,
			"%s changed while it was imported; say --again to delete the rows that were stored and import the file as it is now", l.blob.source)
	}
	return l.flush(ctx, true)
}

// count takes a row into what is told of the import. Its maps are those of l.at, which the database has only with the chunk.
func (l *loader) count(listing property.Listing, wrong []string) {
	if l.profiler != nil {
		l.profiler.Add(&listing, wrong...)
	}
	for _, column := range wrong {
		l.at.Batch.Invalid[column]++
	}
	for _, f := range fields {
		null := f.Number != nil && property.IsNull(*f.Number(&listing)) || f.Text != nil && !f.Text(&listing).Valid
		if null && !slices.Contains(wrong, f.Name) {
			l.at.Nulls[f.Name]++
		}
	}
}

var fields = property.Fields()

// flush stores the chunk.
func (l *loader) flush(ctx context.Context, last bool) error {
	next := l.at
	next.Batch.Rows += len(l.chunk)
	next.Finished, next.UpdatedAt = last, time.Now().UTC()
	if last && l.profiler != nil {
		next.Batch.Profile = l.profiler.Profile()
	}
	if err := l.store.Add(ctx, l.at, next, l.chunk); err != nil {
		return err
	}
	l.at, l.chunk = next, l.chunk[:0]
	if l.progress != nil {
		l.progress(l.at.Batch.Rows, l.rows.done(), l.rows.total)
	}
	return nil
}
