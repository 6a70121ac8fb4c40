package pricemodel_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
)

// runner runs the tasks of DAG runs one after the other, as the engine plans them, and keeps their states for the test to see.
type runner struct {
	plan  *dag.Plan
	fence int64
	runs  map[string]*dagRun

	before func(taskID string) // called before each task, if it is set
}

type dagRun struct {
	run    dag.Run
	states map[string]dag.Instance
	errs   map[string]error
	xcoms  xcoms
}

func newRunner(t *testing.T, def dag.Definition) *runner {
	t.Helper()
	plan, err := dag.NewPlan(def)
	require.NoError(t, err)
	return &runner{plan: plan, runs: map[string]*dagRun{}}
}

// trigger runs a DAG run to its end, without retries. Given again it clears what had failed, and what waits for that.
func (r *runner) trigger(t *testing.T, id, conf string) *dagRun {
	t.Helper()
	run, again := r.runs[id]
	if !again {
		start := time.Date(2026, 1, 1, 10, 0, 0, 123_456_000, time.UTC).Add(time.Duration(len(r.runs)) * time.Hour)
		run = &dagRun{
			run:    dag.Run{ID: id, DAGID: "realtor_price_model", Type: dag.Manual, LogicalDate: start.Truncate(time.Hour), StartedAt: start, Conf: json.RawMessage(conf)},
			states: map[string]dag.Instance{}, xcoms: xcoms{values: map[string]json.RawMessage{}},
		}
		r.runs[id] = run
	}
	run.errs = map[string]error{}
	for id, instance := range run.states {
		if instance.State == dag.StateFailed || instance.State == dag.StateUpstreamFailed {
			delete(run.states, id)
		}
	}
	for {
		next := r.plan.Next(run.states, false, time.Now())
		if len(next.Moves) == 0 {
			require.NotEqual(t, dag.RunRunning, next.Run, "the run does not end: %v", run.states)
			run.run.State = next.Run
			return run
		}
		for _, move := range next.Moves {
			run.states[move.TaskID] = dag.Instance{State: move.To}
			if move.To == dag.StateQueued {
				if r.before != nil {
					r.before(move.TaskID)
				}
				run.states[move.TaskID] = r.execute(t, run, move.TaskID)
			}
		}
	}
}

func (r *runner) execute(t *testing.T, run *dagRun, id string) dag.Instance {
	task, ok := r.plan.Task(id)
	require.True(t, ok)
	r.fence++
	result, err := task.Run(t.Context(), &dag.TaskContext{
		Run: run.run, TaskID: id, Try: 1, Fence: r.fence, XComs: run.xcoms.of(id), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		run.errs[id] = err
		return dag.Instance{State: dag.StateFailed}
	}
	if result.Branch {
		require.NoError(t, r.plan.CheckFollow(id, result.Follow))
	}
	return dag.Instance{State: dag.StateSuccess, Branched: result.Branch, Followed: result.Follow}
}

// path lists the tasks that ran to success, in the order of the definition.
func (r *runner) path(run *dagRun) []string {
	var out []string
	for _, id := range r.plan.TaskIDs() {
		if run.states[id].State == dag.StateSuccess {
			out = append(out, id)
		}
	}
	return out
}

// xcoms keeps the XComs of one DAG run as JSON, by task and key.
type xcoms struct {
	mu     sync.Mutex
	values map[string]json.RawMessage
}

func (x *xcoms) of(taskID string) taskXComs { return taskXComs{x, taskID} }

func (x *xcoms) value(taskID, key string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return string(x.values[taskID+"."+key])
}

type taskXComs struct {
	all    *xcoms
	taskID string
}

func (x taskXComs) Push(_ context.Context, key string, value any) error {
	raw, err := json.Marshal(value)
	x.all.mu.Lock()
	defer x.all.mu.Unlock()
	x.all.values[x.taskID+"."+key] = raw
	return err
}

func (x taskXComs) Pull(_ context.Context, taskID, key string, dst any) error {
	x.all.mu.Lock()
	defer x.all.mu.Unlock()
	raw, ok := x.all.values[taskID+"."+key]
	if !ok {
		return apperror.New(apperror.NotFound, "task %s has pushed no %s", taskID, key)
	}
	return json.Unmarshal(raw, dst)
}
