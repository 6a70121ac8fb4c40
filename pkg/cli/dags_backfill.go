package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"tasador/pkg/dag"
	"tasador/pkg/pipelineclient"
)

// dagsBackfill holds the commands about backfills; their flags are named as Airflow's.
type dagsBackfill struct {
	Create backfillCreate `cmd:"" default:"withargs" help:"Run the intervals of a stretch of time that are missing."`
	List   backfillList   `cmd:"" help:"List the newest backfills of a DAG."`
	Cancel backfillCancel `cmd:"" help:"Let no more runs of a backfill start; those that are queued become failed."`
}

type backfillCreate struct {
	DAGID     string `arg:"" name:"dag-id" help:"DAG, such as ${dag}."`
	FromDate  string `name:"from-date" required:"" placeholder:"DATE" help:"First logical date, as 2026-01-01 by the clocks of the schedule, or 2026-01-01T00:00:00Z."`
	ToDate    string `name:"to-date" required:"" placeholder:"DATE" help:"Last logical date, included; written as the first."`
	Reprocess string `name:"reprocess-behavior" enum:"none,failed,completed" default:"none" help:"Which runs that exist run again: none, failed, or completed (those that failed or succeeded)."`
	Backwards bool   `name:"run-backwards" help:"Begin with the last date."`
	Conf      string `name:"conf" placeholder:"JSON" help:"Settings of the runs that are made, as a JSON object or @FILE."`
	DryRun    bool   `name:"dry-run" help:"Only print the logical dates that would run."`
	pipelineFlag
}

// Run queues a backfill and prints its number; with --dry-run it prints the logical dates that would run, in their order.
func (b *backfillCreate) Run(ctx context.Context, io IO) error {
	conf, err := readConf(b.Conf)
	if err != nil {
		return err
	}
	client, err := b.client()
	if err != nil {
		return err
	}
	n := pipelineclient.NewBackfill{
		DAGID: b.DAGID, FromDate: b.FromDate, ToDate: b.ToDate, Reprocess: dag.Reprocess(b.Reprocess), Backwards: b.Backwards, Conf: conf,
	}
	if b.DryRun {
		dates, err := client.PreviewBackfill(ctx, n)
		if err != nil {
			return err
		}
		for _, date := range dates {
			if _, err := fmt.Fprintln(io.Out, date.UTC().Format(time.RFC3339)); err != nil {
				return fmt.Errorf("output: %w", err)
			}
		}
		_, _ = fmt.Fprintf(io.Err, "%d runs would be queued; nothing has changed\n", len(dates)) // for people only
		return nil
	}
	made, err := client.Backfill(ctx, n)
	if err != nil {
		return err
	}
	word := "active; its runs start one after the other"
	if made.CompletedAt != nil {
		word = "complete: there was nothing to run"
	}
	_, err = fmt.Fprintf(io.Out, "backfill %d is %s\n", made.ID, word)
	return err
}

type backfillList struct {
	DAGID string `arg:"" name:"dag-id" help:"DAG, such as ${dag}."`
	Limit int    `name:"limit" default:"20" help:"How many backfills to show."`
	pipelineFlag
}

// Run prints a table of backfills, the newest first.
func (l *backfillList) Run(ctx context.Context, io IO) error {
	client, err := l.client()
	if err != nil {
		return err
	}
	list, err := client.Backfills(ctx, l.DAGID, l.Limit)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "BACKFILL\tFROM\tTO\tREPROCESS\tCREATED\tCOMPLETED") // Flush reports what fails
	for _, b := range list {
		_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", b.ID, clock(&b.FromDate), clock(&b.ToDate), b.Reprocess, clock(&b.CreatedAt), clock(b.CompletedAt))
	}
	return w.Flush()
}

type backfillCancel struct {
	ID int64 `arg:"" name:"backfill" help:"Number of the backfill, as the command list shows it."`
	pipelineFlag
}

// Run cancels the backfill.
func (c *backfillCancel) Run(ctx context.Context, io IO) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	b, err := client.CancelBackfill(ctx, c.ID)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.Out, "backfill %d is cancelled; a run that is running goes on\n", b.ID)
	return err
}
