package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/pipelineclient"
)

// Dags are the commands that speak to a pipeline server.
type Dags struct {
	Trigger  dagsTrigger  `cmd:"" help:"Start a DAG run."`
	Runs     dagsRuns     `cmd:"" help:"List the newest runs of a DAG."`
	State    dagsState    `cmd:"" help:"Show the tasks of a DAG run."`
	Backfill dagsBackfill `cmd:"" help:"Run the intervals of a stretch of time that are missing."`
	Pause    dagsPause    `cmd:"" help:"Pause a DAG: tasks that run go on, nothing else starts."`
	Unpause  dagsUnpause  `cmd:"" help:"Let a paused DAG go on."`
}

// pipelineFlag says which server a command speaks to.
type pipelineFlag struct {
	PipelineURI string `name:"pipeline-uri" default:"http://127.0.0.1:8080" env:"TASADOR_PIPELINE_URI" placeholder:"URL" help:"Address of the pipeline server."`
	connectionFlags
}

// client returns a client of the server. Codes: Invalid.
func (f *pipelineFlag) client() (*pipelineclient.Client, error) {
	how, err := f.outgoing()
	if err != nil {
		return nil, err
	}
	return pipelineclient.New(f.PipelineURI, how), nil
}

type dagsTrigger struct {
	DAGID       string `arg:"" name:"dag-id" help:"DAG, such as ${dag}."`
	Conf        string `name:"conf" placeholder:"JSON" help:"Settings of this run as a JSON object, or @FILE."`
	RunID       string `name:"run-id" placeholder:"ID" help:"Id of the run; it must be new. Default: manual__ and the time."`
	LogicalDate string `name:"logical-date" placeholder:"TIME" help:"Logical date of the run, as 2026-01-01T00:00:00Z; it must be new. Default: now."`
	Wait        bool   `name:"wait" help:"Follow the tasks until the run has ended; fail if it fails."`
	pipelineFlag
}

// Run starts a DAG run and prints its id.
func (t *dagsTrigger) Run(ctx context.Context, io IO) error {
	conf, err := readConf(t.Conf)
	if err != nil {
		return err
	}
	client, err := t.client()
	if err != nil {
		return err
	}
	run, err := client.Trigger(ctx, t.DAGID, pipelineclient.Trigger{RunID: t.RunID, LogicalDate: t.LogicalDate, Conf: conf})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(io.Out, run.ID); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if !t.Wait {
		return nil
	}
	f := follower{err: io.Err, told: map[string]string{}}
	return client.Follow(ctx, t.DAGID, run.ID, f.seen)
}

// readConf returns the JSON object that a --conf names. Codes: Invalid.
func readConf(text string) (json.RawMessage, error) {
	from := "--conf"
	if name, isFile := strings.CutPrefix(text, "@"); isFile {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, apperror.Wrap(apperror.Invalid, err, "cannot read the file that --conf names")
		}
		text, from = string(b), name
	}
	if text == "" {
		return nil, nil
	}
	raw := json.RawMessage(bytes.TrimSpace([]byte(text)))
	if !json.Valid(raw) || raw[0] != '{' {
		return nil, apperror.New(apperror.Invalid, `%s is not a JSON object; write it as {"as_of": "2026-01-01"} or @FILE`, from)
	}
	return raw, nil
}

type dagsRuns struct {
	DAGID string `arg:"" name:"dag-id" help:"DAG, such as ${dag}."`
	Limit int    `name:"limit" default:"20" help:"How many runs to show."`
	pipelineFlag
}

// Run prints a table of runs, the newest first.
func (r *dagsRuns) Run(ctx context.Context, io IO) error {
	client, err := r.client()
	if err != nil {
		return err
	}
	runs, err := client.Runs(ctx, r.DAGID, r.Limit)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "RUN\tTYPE\tSTATE\tSTARTED\tTOOK") // Flush reports what fails
	for _, run := range runs {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", run.ID, run.Type, run.State, clock(run.StartedAt), took(run.StartedAt, run.EndedAt))
	}
	return w.Flush()
}

type dagsState struct {
	DAGID string `arg:"" name:"dag-id" help:"DAG, such as ${dag}."`
	RunID string `arg:"" name:"run-id" help:"Id of the run, as the command runs lists it."`
	pipelineFlag
}

// Run prints the state of the run and a table of its tasks.
func (s *dagsState) Run(ctx context.Context, io IO) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	run, err := client.Run(ctx, s.DAGID, s.RunID)
	if err != nil {
		return err
	}
	tasks, err := client.Tasks(ctx, s.DAGID, s.RunID)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "%s is %s\n\nTASK\tSTATE\tTRY\tSTARTED\tTOOK\n", run.ID, run.State) // Flush reports what fails
	for _, t := range tasks {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", t.ID, t.StateName(), t.Try, clock(t.StartedAt), took(t.StartedAt, t.EndedAt))
	}
	return w.Flush()
}

func clock(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func took(from, to *time.Time) string {
	if from == nil || to == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f s", to.Sub(*from).Seconds())
}

type dagsPause struct {
	DAGID string `arg:"" name:"dag-id" help:"DAG, such as ${dag}."`
	pipelineFlag
}

// Run pauses the DAG.
func (p *dagsPause) Run(ctx context.Context, io IO) error {
	return p.setPaused(ctx, p.DAGID, true, io)
}

type dagsUnpause struct {
	DAGID string `arg:"" name:"dag-id" help:"DAG, such as ${dag}."`
	pipelineFlag
}

// Run lets the DAG go on.
func (p *dagsUnpause) Run(ctx context.Context, io IO) error {
	return p.setPaused(ctx, p.DAGID, false, io)
}

func (f *pipelineFlag) setPaused(ctx context.Context, dagID string, paused bool, io IO) error {
	client, err := f.client()
	if err != nil {
		return err
	}
	if err := client.SetPaused(ctx, dagID, paused); err != nil {
		return err
	}
	word := map[bool]string{true: "paused", false: "not paused"}[paused]
	_, err = fmt.Fprintf(io.Out, "%s is %s\n", dagID, word)
	return err
}
