package pipeline

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
)

// The answers, field by field as Airflow's API v2 has them. What tasador has no use for is null or its neutral value.

type tagJSON struct {
	Name           string `json:"name"`
	DAGID          string `json:"dag_id"`
	DAGDisplayName string `json:"dag_display_name"`
}

type dagJSON struct {
	DAGID                    string     `json:"dag_id"`
	DisplayName              string     `json:"dag_display_name"`
	IsPaused                 bool       `json:"is_paused"`
	IsStale                  bool       `json:"is_stale"`
	LastParsedTime           *time.Time `json:"last_parsed_time"`
	LastParseDuration        *float64   `json:"last_parse_duration"`
	LastExpired              *time.Time `json:"last_expired"`
	BundleName               *string    `json:"bundle_name"`
	BundleVersion            *string    `json:"bundle_version"`
	RelativeFileloc          *string    `json:"relative_fileloc"`
	Fileloc                  string     `json:"fileloc"`
	FileToken                string     `json:"file_token"`
	Description              *string    `json:"description"`
	TimetableSummary         *string    `json:"timetable_summary"`
	TimetableDescription     *string    `json:"timetable_description"`
	TimetablePartitioned     bool       `json:"timetable_partitioned"`
	TimetablePeriodic        bool       `json:"timetable_periodic"`
	IsBackfillable           bool       `json:"is_backfillable"`
	Tags                     []tagJSON  `json:"tags"`
	MaxActiveTasks           int        `json:"max_active_tasks"`
	MaxActiveRuns            int        `json:"max_active_runs"`
	MaxConsecutiveFailedRuns int        `json:"max_consecutive_failed_dag_runs"`
	HasTaskConcurrencyLimits bool       `json:"has_task_concurrency_limits"`
	HasImportErrors          bool       `json:"has_import_errors"`
	NextLogicalDate          *time.Time `json:"next_dagrun_logical_date"`
	NextIntervalStart        *time.Time `json:"next_dagrun_data_interval_start"`
	NextIntervalEnd          *time.Time `json:"next_dagrun_data_interval_end"`
	NextRunAfter             *time.Time `json:"next_dagrun_run_after"`
	AllowedRunTypes          []string   `json:"allowed_run_types"`
	Owners                   []string   `json:"owners"`
}

func (r *role) dagJSON(stored dagrunstore.DAG) dagJSON {
	def := r.plan.Definition()
	out := dagJSON{
		DAGID: def.ID, DisplayName: def.ID, IsPaused: stored.Paused, Fileloc: def.ID, FileToken: def.ID, Description: text(def.Description), Tags: []tagJSON{},
		MaxActiveTasks: len(def.Tasks), MaxActiveRuns: r.maxActive, Owners: []string{def.Owner},
	}
	for _, t := range def.Tags {
		out.Tags = append(out.Tags, tagJSON{Name: t, DAGID: def.ID, DAGDisplayName: def.ID})
	}
	if r.schedule != nil {
		out.TimetablePeriodic, out.IsBackfillable = true, true
		out.TimetableSummary = text(r.schedule.Expression)
		out.TimetableDescription = text("UTC: " + r.schedule.Expression)
		if !stored.NextRun.IsZero() {
			next := r.schedule.Upcoming(stored.NextRun)
			out.NextLogicalDate, out.NextIntervalStart = instantOf(next.Start), instantOf(next.Start)
			out.NextIntervalEnd, out.NextRunAfter = instantOf(next.End), instantOf(next.End)
		}
	}
	return out
}

type runJSON struct {
	RunID          string          `json:"dag_run_id"`
	DAGID          string          `json:"dag_id"`
	LogicalDate    *time.Time      `json:"logical_date"`
	QueuedAt       *time.Time      `json:"queued_at"`
	StartDate      *time.Time      `json:"start_date"`
	EndDate        *time.Time      `json:"end_date"`
	Duration       *float64        `json:"duration"` // seconds
	IntervalStart  *time.Time      `json:"data_interval_start"`
	IntervalEnd    *time.Time      `json:"data_interval_end"`
	RunAfter       time.Time       `json:"run_after"`
	LastDecision   *time.Time      `json:"last_scheduling_decision"`
	RunType        dag.RunType     `json:"run_type"`
	State          dag.RunState    `json:"state"`
	TriggeredBy    *string         `json:"triggered_by"`
	TriggeringUser *string         `json:"triggering_user_name"`
	Conf           json.RawMessage `json:"conf"`
	Note           *string         `json:"note"`
	Versions       []struct{}      `json:"dag_versions"`
	BundleVersion  *string         `json:"bundle_version"`
	DisplayName    string          `json:"dag_display_name"`
	PartitionKey   *string         `json:"partition_key"`
}

func toRunJSON(run dagrunstore.Run) runJSON {
	return runJSON{
		RunID: run.ID, DAGID: run.DAGID, DisplayName: run.DAGID, LogicalDate: instantOf(run.LogicalDate), QueuedAt: instantOf(run.QueuedAt),
		StartDate: instantOf(run.StartedAt), EndDate: instantOf(run.EndedAt), Duration: seconds(run.StartedAt, run.EndedAt),
		IntervalStart: instantOf(run.LogicalDate), IntervalEnd: instantOf(run.IntervalEnd), RunAfter: runAfter(run), LastDecision: instantOf(run.DecidedAt),
		RunType: run.Type, State: run.State, TriggeredBy: text(run.TriggeredBy), TriggeringUser: text(run.User), Conf: run.Conf, Note: text(run.Note), Versions: []struct{}{},
	}
}

// runAfter is when the run was due.
func runAfter(run dagrunstore.Run) time.Time {
	if run.Type.OfSchedule() {
		return run.IntervalEnd
	}
	return run.QueuedAt
}

type instanceJSON struct {
	ID             string         `json:"id"`
	TaskID         string         `json:"task_id"`
	DAGID          string         `json:"dag_id"`
	RunID          string         `json:"dag_run_id"`
	MapIndex       int            `json:"map_index"`
	LogicalDate    *time.Time     `json:"logical_date"`
	RunAfter       time.Time      `json:"run_after"`
	StartDate      *time.Time     `json:"start_date"`
	EndDate        *time.Time     `json:"end_date"`
	Duration       *float64       `json:"duration"` // seconds
	State          *dag.TaskState `json:"state"`
	TryNumber      int            `json:"try_number"`
	MaxTries       int            `json:"max_tries"`
	TaskName       string         `json:"task_display_name"`
	DAGName        string         `json:"dag_display_name"`
	Hostname       *string        `json:"hostname"`
	Unixname       *string        `json:"unixname"`
	Pool           string         `json:"pool"`
	PoolSlots      int            `json:"pool_slots"`
	Queue          *string        `json:"queue"`
	PriorityWeight *int           `json:"priority_weight"`
	Operator       *string        `json:"operator"`
	OperatorName   *string        `json:"operator_name"`
	QueuedWhen     *time.Time     `json:"queued_when"`
	ScheduledWhen  *time.Time     `json:"scheduled_when"`
	PID            *int           `json:"pid"`
	Executor       *string        `json:"executor"`
	ExecutorConfig string         `json:"executor_config"`
	Note           *string        `json:"note"`
	MapRendered    *string        `json:"rendered_map_index"`
	Rendered       struct{}       `json:"rendered_fields"`
	Trigger        *struct{}      `json:"trigger"`
	TriggererJob   *struct{}      `json:"triggerer_job"`
	Version        *struct{}      `json:"dag_version"`
}

func (r *role) instanceJSON(run dagrunstore.Run, i dagrunstore.Instance) instanceJSON {
	task, _ := r.plan.Task(i.TaskID)
	out := instanceJSON{
		ID: instanceID(i, i.Try), TaskID: i.TaskID, DAGID: i.DAGID, RunID: i.RunID, MapIndex: -1, LogicalDate: instantOf(run.LogicalDate), RunAfter: runAfter(run),
		StartDate: instantOf(i.StartedAt), EndDate: instantOf(i.Ended), Duration: seconds(i.StartedAt, i.Ended), State: stateOf(i.State),
		TryNumber: i.Try, MaxTries: maxTries(task, i), TaskName: i.TaskID, DAGName: i.DAGID, Pool: "default_pool", PoolSlots: 1, ExecutorConfig: "{}",
		QueuedWhen: instantOf(i.QueuedAt), ScheduledWhen: instantOf(i.ScheduledAt),
	}
	return out
}

// instanceID is the same for the same try for ever, and another for each try.
func instanceID(i dagrunstore.Instance, try int) string {
	name, _ := json.Marshal([]any{i.DAGID, i.RunID, i.TaskID, try}) // strings and a number always marshal
	return uuid.NewSHA1(uuid.NameSpaceURL, name).String()
}

// maxTries is the number of the last retry that the task would get: its retries after the tries that count for nothing, because they were
// lost or are older than a clear.
func maxTries(task dag.Task, i dagrunstore.Instance) int {
	before := i.Try - i.Failures
	if before > 0 && i.State != dag.StateFailed && i.State != dag.StateUpForRetry && i.State != dag.StateNone {
		before-- // the current try counts
	}
	return before + task.Retries
}

func stateOf(s dag.TaskState) *dag.TaskState {
	if s == dag.StateNone {
		return nil
	}
	return &s
}

func instantOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func seconds(from, to time.Time) *float64 {
	if from.IsZero() || to.IsZero() {
		return nil
	}
	s := max(to.Sub(from), 0).Seconds() // the clock may have been set back
	return &s
}
