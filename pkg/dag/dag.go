// Package dag holds what a DAG is (tasks, dependencies, trigger rules), the states of its runs and task instances, and the pure
// functions that decide what happens next. It runs nothing and stores nothing.
//
// States of a task instance:
//
//	none ─▶ scheduled ─▶ queued ─▶ running ─┬▶ success
//	  │                    ▲                ├▶ skipped
//	  │                    └─ up_for_retry ◀┼▶ failed
//	  └▶ skipped, upstream_failed (by the trigger rule)
package dag

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"
)

// Definition is a DAG: tasks in the order in which pages list them.
type Definition struct {
	ID          string
	Description string
	Owner       string
	Tags        []string
	Tasks       []Task
}

// TriggerRule says when a task may run, from the states of its direct upstream tasks. Names and meaning are Airflow's.
type TriggerRule string

// The trigger rules that are built.
const (
	AllSuccess              TriggerRule = "all_success"
	NoneFailedMinOneSuccess TriggerRule = "none_failed_min_one_success"
)

// Task is one node of a DAG.
type Task struct {
	ID          string
	Upstream    []string
	TriggerRule TriggerRule // empty means AllSuccess
	Retries     int
	RetryDelay  time.Duration
	Timeout     time.Duration // 0 means none
	Run         func(ctx context.Context, tc *TaskContext) (Result, error)
}

// Result is what a task that succeeded says. Follow, if Branch is set, names the direct downstream tasks to follow; the others are skipped.
type Result struct {
	Branch bool
	Follow []string
}

// Done is the result of a task that does not branch.
func Done() Result { return Result{} }

// Follow is the result of a branch: the direct downstream tasks that are followed.
func Follow(ids ...string) Result { return Result{Branch: true, Follow: ids} }

// RunState is the state of a DAG run.
type RunState string

// The DAG run states.
const (
	RunQueued  RunState = "queued"
	RunRunning RunState = "running"
	RunSuccess RunState = "success"
	RunFailed  RunState = "failed"
)

// TaskState is the state of a task instance; the empty one is Airflow's "none".
type TaskState string

// The task instance states.
const (
	StateNone           TaskState = ""
	StateScheduled      TaskState = "scheduled"
	StateQueued         TaskState = "queued"
	StateRunning        TaskState = "running"
	StateSuccess        TaskState = "success"
	StateFailed         TaskState = "failed"
	StateUpForRetry     TaskState = "up_for_retry"
	StateSkipped        TaskState = "skipped"
	StateUpstreamFailed TaskState = "upstream_failed"
)

// Finished reports whether the state is final.
func (s TaskState) Finished() bool {
	return s == StateSuccess || s == StateFailed || s == StateSkipped || s == StateUpstreamFailed
}

// RunType says what started a DAG run.
type RunType string

// The run types.
const (
	Scheduled RunType = "scheduled"
	Manual    RunType = "manual"
	Backfill  RunType = "backfill"
)

// OfSchedule reports whether runs of the type stand for an interval of the schedule, and so are named by their logical date.
func (t RunType) OfSchedule() bool { return t == Scheduled || t == Backfill }

// Run is one run of a DAG. Zero times are not yet known. Conf is the JSON object given when it was triggered.
type Run struct {
	ID          string
	DAGID       string
	Type        RunType
	State       RunState
	LogicalDate time.Time
	QueuedAt    time.Time
	StartedAt   time.Time
	EndedAt     time.Time
	Conf        json.RawMessage
}

// XComs is how tasks of a DAG run pass small values on. Values are JSON.
type XComs interface {
	// Push stores a value under the pushing task's id and the key, replacing an earlier one.
	Push(ctx context.Context, key string, value any) error
	// Pull reads the value of a task's key into dst. Codes: NotFound.
	Pull(ctx context.Context, taskID, key string, dst any) error
}

// TaskContext is what a running task knows and may use.
type TaskContext struct {
	Run    Run
	TaskID string
	Try    int // counts from 1
	// Fence grows with every claim of any task instance. What a task changes in other databases must be refused there
	// once a larger fence has been seen for the same task instance: the holder of the smaller one has lost its lease.
	Fence int64
	XComs XComs
	Log   *slog.Logger // goes to the server's log and to the log of this try
}

// RowsKey is the XCom under which a task records its Rows.
const RowsKey = "rows"

// Rows says how many rows a task read from which tables and wrote into which, for people to see.
type Rows struct {
	In  map[string]int `json:"in,omitempty"`
	Out map[string]int `json:"out,omitempty"`
}
