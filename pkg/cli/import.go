package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/listingimport"
	"tasador/pkg/observability"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore/datasetstore"
)

// Import loads a file into realtor_raw, beside a pipeline that may be running.
type Import struct {
	CSV     string          `name:"csv" xor:"file" placeholder:"FILE" help:"CSV file of listings, which may be compressed with gzip, or s3://bucket/key of one; its header names the columns, an empty field is NULL."`
	Parquet string          `name:"parquet" xor:"file" placeholder:"FILE" help:"Parquet file of listings, or s3://bucket/key of one; its columns are found by name."`
	Again   bool            `name:"again" help:"Import a file once more that was imported already, or from its first row if it has changed since its import was cut off."`
	DataDir string          `name:"data-dir" default:"./data" type:"path" placeholder:"DIR" help:"Folder of the default database."`
	RawData config.RawData  `embed:"" prefix:"rawdata."`
	S3      config.S3       `embed:"" prefix:"artifacts."`
	File    kong.ConfigFlag `name:"config" placeholder:"FILE" help:"Configuration file (YAML)."`
}

// Run imports the file and reports what is in it. Progress goes to the error output.
func (i *Import) Run(ctx context.Context, out IO) (err error) {
	opts := listingimport.Options{Path: i.CSV, Format: listingimport.CSV, Endpoint: i.S3.Endpoint, Again: i.Again}
	if i.Parquet != "" {
		opts.Path, opts.Format = i.Parquet, listingimport.Parquet
	}
	if opts.Path == "" {
		return apperror.New(apperror.Invalid, "say which file to import: --csv=FILE or --parquet=FILE, where FILE may be s3://bucket/key")
	}
	cfg := config.Config{DataDir: i.DataDir, RawData: i.RawData}
	cfg.SetDefaults(nil)
	log, err := observability.NewLogger(out.Err, "text", "warn")
	if err != nil {
		return err
	}
	store, err := datasetstore.OpenImports(ctx, cfg.RawData.URL, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	meter := newMeter(out.Err)
	opts.Progress = meter.tell
	result, err := listingimport.Run(ctx, store, opts)
	meter.end()
	if err != nil {
		return err
	}
	return reportImport(out.Out, opts.Path, result, meter.elapsed())
}

// reportImport prints what a person wants to know of an import that has ended.
func reportImport(w io.Writer, path string, r listingimport.Result, took time.Duration) error {
	if r.Already {
		_, err := fmt.Fprintf(w, "%s is imported already: %d rows on %s UTC as %s. Nothing was changed; --again imports it once more.\n",
			path, r.Batch.Rows, r.UpdatedAt.Format(time.DateTime), r.Batch.DAGRunID)
		return err
	}
	_, _ = fmt.Fprintf(w, "imported %d rows of %s as %s", r.Batch.Rows, path, r.Batch.DAGRunID) // Flush tells
	if r.Before > 0 {
		_, _ = fmt.Fprintf(w, ", the first %d by an earlier call", r.Before)
	}
	stored := r.Batch.Rows - r.Before
	_, _ = fmt.Fprintf(w, "\n%.2f seconds, %.0f rows/s\n", took.Seconds(), float64(stored)/took.Seconds())
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "column\tnulls\twrong type\t")
	for _, column := range property.Columns() {
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t\n", column, r.Nulls[column], r.Batch.Invalid[column])
	}
	return table.Flush()
}
