package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/features"
	"tasador/pkg/listingcsv"
	"tasador/pkg/training"
)

// Train trains on a CSV file as the DAG does on realtor_raw, without gate or server.
type Train struct {
	CSV  string `name:"csv" required:"" placeholder:"FILE" help:"CSV file of raw listings in insertion order; its header names the columns, an empty field is NULL."`
	AsOf string `name:"as-of" required:"" placeholder:"DATE" help:"Date or date-time (UTC unless it has an offset) that days_since_last_sale counts to."`
	JSON string `name:"json" placeholder:"FILE" help:"Write the full result as JSON to this file; - is the standard output."`
}

// Run reads the file, trains and reports: a summary on the standard output, or JSON there if asked for; progress on the error output.
func (t *Train) Run(ctx context.Context, out IO) error {
	asOf, ok := features.ParseSoldAt(t.AsOf)
	if !ok {
		return apperror.New(apperror.Invalid,
			"--as-of is %q: it must be a date such as 2026-01-01 or a date-time such as 2026-01-01T12:30:00Z, of a year from 1678 to 2261", t.AsOf)
	}
	if err := checkWritable("--json", t.JSON, t.CSV); err != nil {
		return err
	}
	var clock stopwatch
	clock.start()
	table, err := t.read(ctx, asOf, out.Err)
	if err != nil {
		return err
	}
	report := trainReport{Rows: table.Len(), AsOf: t.AsOf}
	report.Seconds.Read = clock.lap()
	if err := training.Check(table.Len()); err != nil {
		return inFile(t.CSV, err)
	}
	positions := dataset.Positions(table.Len(), dataset.Seed)
	report.Seconds.Split = clock.lap()
	parts, err := table.Split(positions)
	if err != nil {
		return err
	}
	report.Seconds.Preprocess = clock.lap()
	bar := newBar(out.Err, int64(table.Len()), "training", progressbar.OptionShowIts(), progressbar.OptionSetItsString("rows"))
	result, err := training.Run(ctx, parts.Parts(), training.Options{
		Concurrent: true,
		OnProgress: func(done, _ int) { _ = bar.Set(done) }, // a bar that cannot be drawn is no reason to stop
	})
	endBar(bar, out.Err)
	if err != nil {
		return err
	}
	report.Seconds.Train = clock.lap()
	report.describe(parts, result)
	return t.write(&report, out)
}

// read loads what training needs of the file.
func (t *Train) read(ctx context.Context, asOf time.Time, progress io.Writer) (table *training.Table, err error) {
	if t.CSV == "" {
		return nil, apperror.New(apperror.Invalid, "--csv is empty; give the path of a CSV file of listings")
	}
	file, err := os.Open(t.CSV) // #nosec G304 -- the user names the file
	if errors.Is(err, fs.ErrNotExist) {
		return nil, apperror.New(apperror.NotFound, "there is no file %s; give the path of a CSV file of listings with --csv", t.CSV)
	}
	if err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "the file %s cannot be opened", t.CSV)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "the file %s cannot be read", t.CSV)
	}
	if info.IsDir() {
		return nil, apperror.New(apperror.Invalid, "%s is a folder; give the path of a CSV file of listings with --csv", t.CSV)
	}
	size := info.Size()
	if !info.Mode().IsRegular() { // a pipe does not tell
		size = unknownSize
	}
	bar := newBar(progress, size, "reading", progressbar.OptionShowBytes(true))
	defer endBar(bar, progress)
	table, err = readTable(ctx, countingReader{file, bar}, asOf)
	if err != nil {
		return nil, inFile(t.CSV, err)
	}
	return table, nil
}

// inFile names the file in an error of reading it.
func inFile(path string, err error) error {
	if apperror.CodeOf(err) == apperror.Internal {
		return err
	}
	return apperror.New(apperror.CodeOf(err), "%s: %s", path, err.Error())
}

func readTable(ctx context.Context, r io.Reader, asOf time.Time) (*training.Table, error) {
	reader, err := listingcsv.NewReader(r, listingcsv.Options{})
	if err != nil {
		return nil, err
	}
	if err := features.CheckColumns(reader.Columns()); err != nil {
		return nil, err
	}
	table := training.NewTable(reader.Columns(), asOf)
	newBatch := func() tableBatch { return tableBatch{table.NewChunk()} }
	err = listingcsv.Each(ctx, reader, newBatch, func(b tableBatch) error {
		table.Append(b.Chunk)
		return nil
	})
	return table, err
}

// tableBatch takes records into a chunk of the table.
type tableBatch struct{ *training.Chunk }

// Add implements listingcsv.Batch.
func (b tableBatch) Add(r *listingcsv.Record) {
	b.AddRow(features.Numbers{
		features.Bed:       r.Number(listingcsv.Bed),
		features.Bath:      r.Number(listingcsv.Bath),
		features.AcreLot:   r.Number(listingcsv.AcreLot),
		features.HouseSize: r.Number(listingcsv.HouseSize),
		features.Price:     r.Number(listingcsv.Price),
	}, r.Bytes(listingcsv.Status), r.Bytes(listingcsv.PrevSoldDate))
}

// newBar returns a progress bar.
func newBar(w io.Writer, total int64, what string, options ...progressbar.Option) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total, append(options,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(barWidth),
		progressbar.OptionThrottle(barEvery),
		progressbar.OptionSetPredictTime(false),
	)...)
}

const (
	barWidth = 30
	barEvery = 100 * time.Millisecond
)

// unknownSize makes a bar count without an end.
const unknownSize = -1

// countingReader tells a bar what was read.
type countingReader struct {
	source io.Reader
	bar    *progressbar.ProgressBar
}

// Read implements io.Reader.
func (c countingReader) Read(p []byte) (int, error) {
	n, err := c.source.Read(p)
	_ = c.bar.Add(n) // it refuses more than it expected, as when the file grows
	return n, err
}

// endBar ends the line that the bar stands on.
func endBar(bar *progressbar.ProgressBar, w io.Writer) {
	_ = bar.Exit() // a bar that cannot be drawn is no reason to stop; nor is this
	_, _ = io.WriteString(w, "\n")
}

// stopwatch measures the stages of a command.
type stopwatch struct{ last time.Time }

func (s *stopwatch) start() { s.last = time.Now() }

// lap returns the seconds since the last call, to four decimals.
func (s *stopwatch) lap() float64 {
	now := time.Now()
	d := now.Sub(s.last)
	s.last = now
	return d.Round(100 * time.Microsecond).Seconds()
}
