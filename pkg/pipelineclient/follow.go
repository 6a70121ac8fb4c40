package pipelineclient

import (
	"context"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
)

const (
	followEvery = 100 * time.Millisecond
	// followOutage is how long a server may be away while a run is followed, for example because it is restarted.
	followOutage = 30 * time.Second
)

// Follow waits until a DAG run has ended and gives seen the run with its tasks after every look at them, also the last. It returns
// nil once the run has succeeded. Codes: FailedPrecondition if the run failed, with the task and its last words; NotFound; Unavailable
// if the server stays away.
func (c *Client) Follow(ctx context.Context, dagID, runID string, seen func(*Run, []Task)) error {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	var away time.Time
	for {
		run, tasks, err := c.look(ctx, dagID, runID)
		switch {
		case apperror.CodeOf(err) == apperror.Unavailable && ctx.Err() == nil:
			if away.IsZero() {
				away = time.Now()
			}
			if time.Since(away) > followOutage {
				return err
			}
		case err != nil:
			return err
		default:
			away = time.Time{}
			seen(run, tasks)
			if run.State == dag.RunFailed {
				return c.failure(ctx, dagID, runID, tasks)
			}
			if run.Finished() {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// look asks for the run before its tasks, so that nothing is left to see once it has ended.
func (c *Client) look(ctx context.Context, dagID, runID string) (*Run, []Task, error) {
	run, err := c.Run(ctx, dagID, runID)
	if err != nil {
		return nil, nil, err
	}
	tasks, err := c.Tasks(ctx, dagID, runID)
	return run, tasks, err
}

// failure is the error of a run that failed: the task and the last line of its log.
func (c *Client) failure(ctx context.Context, dagID, runID string, tasks []Task) error {
	for _, t := range tasks {
		if t.State == nil || *t.State != dag.StateFailed {
			continue
		}
		lines, err := c.Log(ctx, dagID, runID, t.ID, t.Try)
		if err != nil || len(lines) == 0 {
			return apperror.New(apperror.FailedPrecondition, "the DAG run %s failed: the task %s failed", runID, t.ID)
		}
		last := strings.TrimPrefix(lines[len(lines)-1].Event, "The task failed: ")
		return apperror.New(apperror.FailedPrecondition, "the DAG run %s failed: the task %s failed: %s", runID, t.ID, last)
	}
	return apperror.New(apperror.FailedPrecondition, "the DAG run %s failed", runID)
}
