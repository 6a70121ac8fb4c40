package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact/places"
	"tasador/pkg/config"
	"tasador/pkg/mlflowimport"
	"tasador/pkg/observability"
	"tasador/pkg/outgoing"
	"tasador/pkg/redact"
	"tasador/pkg/sqlstore/trackingstore"
	"tasador/pkg/trackingclient"
)

// ImportMLflow copies what an MLflow server has into tracking, beside a tracking server that may be running.
type ImportMLflow struct {
	From      string           `name:"from" required:"" placeholder:"URL" help:"Address of the MLflow server, such as http://127.0.0.1:5001. It is shown MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, else --auth.token."`
	KnownAs   string           `name:"known-as" placeholder:"URL" help:"Address under which the same server was imported before, if it has another one now."`
	Parallel  int              `name:"parallel" default:"4" help:"How many runs, and how many files, are copied at once, from 1 to 64."`
	DataDir   string           `name:"data-dir" default:"./data" type:"path" placeholder:"DIR" help:"Folder of the default database and artifacts."`
	DB        string           `name:"tracking.db" placeholder:"URL" env:"TASADOR_TRACKING_DB" help:"Database of experiments and models. Default: sqlite:DATA-DIR/tracking.db"`
	Artifacts config.Artifacts `embed:"" prefix:"artifacts."`
	connectionFlags
	File kong.ConfigFlag `name:"config" placeholder:"FILE" help:"Configuration file (YAML)."`
}

// maxParallel keeps the source from being overrun by mistake.
const maxParallel = 64

// Run imports, and reports what both sides have. Progress goes to the error output.
func (i *ImportMLflow) Run(ctx context.Context, out IO) (err error) {
	if i.Parallel < 1 || i.Parallel > maxParallel {
		return apperror.New(apperror.Invalid, "--parallel=%d is not from 1 to %d", i.Parallel, maxParallel)
	}
	source, err := sourceName(i.From)
	if err == nil && i.KnownAs != "" {
		source, err = sourceName(i.KnownAs)
	}
	if err != nil {
		return err
	}
	cfg := config.Config{DataDir: i.DataDir, Artifacts: i.Artifacts}
	cfg.Tracking.DB = i.DB
	cfg.SetDefaults(nil)
	log, err := observability.NewLogger(out.Err, "text", "warn")
	if err != nil {
		return err
	}
	how, err := i.outgoing()
	if err != nil {
		return err
	}
	mlflow := outgoing.Login{
		Username: os.Getenv("MLFLOW_TRACKING_USERNAME"), Password: os.Getenv("MLFLOW_TRACKING_PASSWORD"), Token: os.Getenv("MLFLOW_TRACKING_TOKEN"),
	}
	if mlflow != (outgoing.Login{}) {
		how.Login = mlflow
	}
	opt := trackingclient.Options{S3Endpoint: cfg.Artifacts.Endpoint, Outgoing: how}
	if err := reach(ctx, i.From, opt); err != nil { // before anything is made here
		return err
	}
	opt.Log = log
	client := trackingclient.New(i.From, opt)
	defer client.Close()
	files, err := places.Make(ctx, cfg.Artifacts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	store, err := trackingstore.Open(ctx, cfg.Tracking.DB, files.Root(), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	meter := newImportMeter(out.Err)
	report, err := mlflowimport.Run(ctx, store, files, mlflowimport.Options{Client: client, Source: source, Parallel: i.Parallel, Progress: meter.tell})
	meter.end()
	if err != nil && apperror.CodeOf(err) == apperror.Unavailable {
		return fmt.Errorf("the import broke off; what is here stays, and the next import goes on from there: %w", err)
	}
	if err != nil {
		return err
	}
	return reportMLflow(out.Out, redact.URL(i.From), report, meter.elapsed())
}

// reach reports whether a server answers. Whoever mistyped an address waits for no further tries and reads of none. Codes: as trackingclient.Client.Reach.
func reach(ctx context.Context, address string, opt trackingclient.Options) error {
	opt.Tries = 1
	client := trackingclient.New(address, opt)
	defer client.Close()
	return client.Reach(ctx)
}

// sourceName is an address without credentials, in one form. Codes: Invalid.
func sourceName(address string) (string, error) {
	u, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", apperror.New(apperror.Invalid, "the address %q of the MLflow server is not understood; write it as http://host:port", redact.URL(address))
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	u.Host = strings.ToLower(u.Host)
	return u.String(), nil
}

// reportMLflow prints what both sides have, and fails if that is not the same.
func reportMLflow(w io.Writer, from string, r *mlflowimport.Report, took time.Duration) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(table, "\tthere\there\t\n") // Flush tells
	for _, what := range mlflowimport.All() {
		c, mark := r.Counts[what], ""
		if c.There != c.Here {
			mark = "  differs" // the last cell of a line gets no padding
		}
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%s\n", what, c.There, c.Here, mark)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, p := range r.Placed {
		verb := "is"
		if p.Merged {
			verb = "was merged into"
		}
		_, _ = fmt.Fprintf(w, "experiment %s (%s) there %s experiment %s here\n", p.SourceID, p.Name, verb, p.ID) // the last line tells
	}
	for _, note := range r.Notes {
		_, _ = fmt.Fprintln(w, "note:", note)
	}
	for _, sentence := range r.Missing {
		_, _ = fmt.Fprintln(w, "missing:", sentence)
	}
	if r.More > 0 {
		_, _ = fmt.Fprintf(w, "missing: and %d more\n", r.More)
	}
	if !r.Same() {
		return apperror.New(apperror.Unavailable, "not all that %s has is here; what is missing stands above. Then run it again", from)
	}
	_, err := fmt.Fprintf(w, "all that %s has is here, after %.1f seconds\n", from, took.Seconds())
	return err
}
