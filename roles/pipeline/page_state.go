package pipeline

import (
	"cmp"
	"time"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
)

// stateView is a state as pages show it: an icon and a colour by its name, the name, which is a term, and what it means.
type stateView struct {
	Name  string
	Means string // a key of the translations
}

func viewOf(state string) stateView {
	name := cmp.Or(state, "none")
	return stateView{Name: name, Means: map[string]string{
		"none": "not started yet", "scheduled": "about to be queued", "queued": "waiting for its turn", "running": "running now", "success": "ended well",
		"failed": "ended with an error", "up_for_retry": "failed, will be tried again", "skipped": "on a path that was not taken",
		"upstream_failed": "not run, because a task before it failed",
	}[name]}
}

// taskView is a task instance as pages show it.
type taskView struct {
	ID    string
	Href  string
	State stateView
	Try   int
	Start when
	Clock clock
}

func (p *pages) taskView(i dagrunstore.Instance, now time.Time) taskView {
	v := taskView{ID: i.TaskID, Href: taskPath(i.DAGID, i.RunID, i.TaskID), State: viewOf(string(i.State)), Try: i.Try}
	switch i.State {
	case dag.StateRunning, dag.StateSuccess, dag.StateFailed, dag.StateUpForRetry:
		v.Start, v.Clock = when{i.StartedAt}, clockOf(i.StartedAt, i.Ended, now)
	default: // the times are of an earlier try
	}
	return v
}

// runView is a run as pages show it.
type runView struct {
	ID, DAGID   string
	Href        string
	State       stateView
	Type        dag.RunType
	TriggeredBy string
	User        string
	Note        string
	Logical     when
	Queued      when
	Start, End  when
	Clock       clock
}

func newRunView(run dagrunstore.Run, now time.Time) runView {
	return runView{
		ID: run.ID, DAGID: run.DAGID, Href: runPath(run.DAGID, run.ID), State: viewOf(string(run.State)), Type: run.Type, TriggeredBy: run.TriggeredBy, User: run.User, Note: run.Note,
		Logical: when{run.LogicalDate}, Queued: when{run.QueuedAt}, Start: when{run.StartedAt}, End: when{run.EndedAt},
		Clock: clockOf(run.StartedAt, run.EndedAt, now),
	}
}
