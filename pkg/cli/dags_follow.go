package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/pipelineclient"
)

const (
	followEvery = 200 * time.Millisecond
	// followOutage is how long a server may be away while a run is followed, for example because it is restarted.
	followOutage = 30 * time.Second
)

// follower tells of the tasks of a run until it has ended.
type follower struct {
	client       *pipelineclient.Client
	dagID, runID string
	err          io.Writer
	told         map[string]string // what was last said of a task
}

// follow returns nil once the run has succeeded, and an error that names the task and its last words if it failed.
func (f *follower) follow(ctx context.Context) error {
	f.told = map[string]string{}
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	var away time.Time
	for {
		ended, err := f.look(ctx)
		switch {
		case apperror.CodeOf(err) == apperror.Unavailable && ctx.Err() == nil:
			if away.IsZero() {
				away = time.Now()
			}
			if time.Since(away) > followOutage {
				return err
			}
		case err != nil || ended:
			return err
		default:
			away = time.Time{}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (f *follower) look(ctx context.Context) (ended bool, err error) {
	// The run is asked for before its tasks, so that nothing is left to tell once it has ended.
	run, err := f.client.Run(ctx, f.dagID, f.runID)
	if err != nil {
		return false, err
	}
	tasks, err := f.client.Tasks(ctx, f.dagID, f.runID)
	if err != nil {
		return false, err
	}
	for _, t := range tasks {
		f.tell(t.ID, taskWords(t))
	}
	f.tell("run", string(run.State))
	if !run.Finished() {
		return false, nil
	}
	if run.State == dag.RunFailed {
		return true, f.failure(ctx, tasks)
	}
	return true, nil
}

func (f *follower) tell(who, what string) {
	if what != f.told[who] && what != "" {
		f.told[who] = what
		_, _ = fmt.Fprintf(f.err, "%s  %-24s %s\n", time.Now().Format(time.TimeOnly), who, what) // progress only
	}
}

// taskWords is what is worth telling of a task, empty for nothing.
func taskWords(t pipelineclient.Task) string {
	name := t.StateName()
	switch {
	case name == "none" || name == "scheduled" || name == "queued":
		return ""
	case t.Try > 1:
		name = fmt.Sprintf("%s (try %d)", name, t.Try)
	}
	if t.Duration != nil && (*t.State == dag.StateSuccess || *t.State == dag.StateFailed) {
		name = fmt.Sprintf("%s after %.2f s", name, *t.Duration)
	}
	return name
}

// failure is the error of a run that failed: the task and the last line of its log.
func (f *follower) failure(ctx context.Context, tasks []pipelineclient.Task) error {
	t := failedTask(tasks)
	if t == nil {
		return apperror.New(apperror.FailedPrecondition, "the DAG run %s failed", f.runID)
	}
	lines, err := f.client.Log(ctx, f.dagID, f.runID, t.ID, t.Try)
	if err != nil || len(lines) == 0 {
		return apperror.New(apperror.FailedPrecondition, "the DAG run %s failed: the task %s failed", f.runID, t.ID)
	}
	last := strings.TrimPrefix(lines[len(lines)-1].Event, "The task failed: ")
	return apperror.New(apperror.FailedPrecondition, "the DAG run %s failed: the task %s failed: %s", f.runID, t.ID, last)
}
