package dagrunstore

import (
	"encoding/json"

	"tasador/pkg/dag"
)

type dagRow struct {
	DAGID   string `gorm:"column:dag_id;primaryKey"`
	Paused  bool
	NextRun int64
}

func (dagRow) TableName() string { return "dag" }

func (r dagRow) toDAG() DAG { return DAG{ID: r.DAGID, Paused: r.Paused, NextRun: moment(r.NextRun)} }

type runRow struct {
	RunKey                                                            int64  `gorm:"primaryKey;autoIncrement"`
	DAGID                                                             string `gorm:"column:dag_id"`
	RunID                                                             string
	RunType                                                           string
	State                                                             string
	LogicalDate, IntervalEnd, QueuedAt, StartedAt, EndedAt, DecidedAt int64
	TriggeredBy                                                       string
	TriggeringUser                                                    string
	Note                                                              string
	Conf                                                              string
	BackfillKey                                                       int64
	BackfillOrder                                                     int
}

func (runRow) TableName() string { return "dag_run" }

func (r runRow) toRun() Run {
	return Run{
		Run: dag.Run{
			ID: r.RunID, DAGID: r.DAGID, Type: dag.RunType(r.RunType), State: dag.RunState(r.State), LogicalDate: moment(r.LogicalDate),
			QueuedAt: moment(r.QueuedAt), StartedAt: moment(r.StartedAt), EndedAt: moment(r.EndedAt), Conf: json.RawMessage(r.Conf),
		},
		Key: r.RunKey, IntervalEnd: moment(r.IntervalEnd), DecidedAt: moment(r.DecidedAt), TriggeredBy: r.TriggeredBy, User: r.TriggeringUser, Note: r.Note, Backfill: r.BackfillKey,
	}
}

type instanceRow struct {
	InstanceKey                                        int64 `gorm:"primaryKey;autoIncrement"`
	RunKey                                             int64
	TaskID                                             string
	State                                              string
	Try, Failures, Lost                                int
	Fence, LeaseUntil                                  int64
	RetryAt, ScheduledAt, QueuedAt, StartedAt, EndedAt int64
	SkippedBy                                          string
}

func (instanceRow) TableName() string { return "task_instance" }

func (r instanceRow) toInstance(run runRow) Instance {
	return Instance{
		Key: r.InstanceKey, DAGID: run.DAGID, RunID: run.RunID, TaskID: r.TaskID, State: dag.TaskState(r.State), Try: r.Try, Failures: r.Failures, Lost: r.Lost,
		RetryAt: moment(r.RetryAt), ScheduledAt: moment(r.ScheduledAt), QueuedAt: moment(r.QueuedAt), StartedAt: moment(r.StartedAt), Ended: moment(r.EndedAt),
		SkippedBy: r.SkippedBy,
	}
}

type tryRow struct {
	InstanceKey                  int64 `gorm:"primaryKey"`
	Try                          int   `gorm:"primaryKey"`
	State                        string
	Fence                        int64
	QueuedAt, StartedAt, EndedAt int64
	Error                        string
}

func (tryRow) TableName() string { return "task_try" }

func (r tryRow) toTry() Try {
	return Try{Try: r.Try, State: dag.TaskState(r.State), QueuedAt: moment(r.QueuedAt), StartedAt: moment(r.StartedAt), Ended: moment(r.EndedAt), Error: r.Error}
}

type logRow struct {
	LineKey     int64 `gorm:"primaryKey;autoIncrement"`
	InstanceKey int64
	Try         int
	LoggedAt    int64
	Level       string
	Message     string
	Attributes  string
}

func (logRow) TableName() string { return "task_log" }

type xcomRow struct {
	InstanceKey int64  `gorm:"primaryKey"`
	XComKey     string `gorm:"column:xcom_key;primaryKey"`
	Value       string
	PushedAt    int64
}

func (xcomRow) TableName() string { return "xcom" }
