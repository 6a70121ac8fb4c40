package dag

import (
	"slices"
	"time"

	"tasador/pkg/apperror"
)

// SkipKey is the XCom under which a branch keeps what it followed, as {"followed": [ids]}. A task instance that a branch did not
// follow is skipped for as long as that record stands, also after it was cleared.
const SkipKey = "skipmixin_key"

// Instance is what planning knows of a task instance.
type Instance struct {
	State    TaskState
	RetryAt  time.Time // when an instance that is up for retry is due
	Branched bool      // a branch that succeeded, which followed the tasks named in Followed
	Followed []string
}

// Move is a change of state that is to be made.
type Move struct {
	TaskID    string
	From, To  TaskState
	SkippedBy string // the branch that did not follow this task
}

// Decision is what happens next in a DAG run.
type Decision struct {
	Moves   []Move    // in dependency order, at most one for each task
	Run     RunState  // state of the run after the moves: running, success or failed
	RetryAt time.Time // when the earliest retry is due that is not due yet; zero if there is none
}

// Next decides, from the states of all task instances of a running DAG run, what is skipped, cannot run, and is queued now. While the
// DAG is paused, what could be queued is only scheduled. Tasks that have no instance in have count as none.
func (p *Plan) Next(have map[string]Instance, paused bool, now time.Time) Decision {
	state := make(map[string]TaskState, len(p.def.Tasks))
	for _, t := range p.def.Tasks {
		state[t.ID] = have[t.ID].State
	}
	ready := StateQueued
	if paused {
		ready = StateScheduled
	}
	var d Decision
	for _, i := range p.order {
		t := p.def.Tasks[i]
		move := Move{TaskID: t.ID, From: state[t.ID], To: state[t.ID]}
		switch move.From {
		case StateNone:
			move.To, move.SkippedBy = p.judge(t, have, state, ready)
		case StateScheduled:
			move.To = ready
		case StateUpForRetry:
			if at := have[t.ID].RetryAt; !at.After(now) {
				move.To = ready
			} else if d.RetryAt.IsZero() || at.Before(d.RetryAt) {
				d.RetryAt = at
			}
		default: // under way or finished: not ours to move
		}
		if move.To != move.From {
			d.Moves = append(d.Moves, move)
			state[t.ID] = move.To
		}
	}
	d.Run = p.runState(state)
	return d
}

// judge says what becomes of a task that has not begun.
func (p *Plan) judge(t Task, have map[string]Instance, state map[string]TaskState, ready TaskState) (TaskState, string) {
	for _, up := range t.Upstream {
		if b := have[up]; b.Branched && b.State == StateSuccess && !p.closure(b.Followed)[t.ID] {
			return StateSkipped, up
		}
	}
	var success, skipped, failed int
	for _, up := range t.Upstream {
		switch state[up] {
		case StateSuccess:
			success++
		case StateSkipped:
			skipped++
		case StateFailed, StateUpstreamFailed:
			failed++
		default: // not finished
		}
	}
	return t.rule().apply(len(t.Upstream), success, skipped, failed, ready), ""
}

// apply is the trigger rule on the counts of finished direct upstreams: ready, none (wait), skipped or upstream_failed. Failures and, with
// all_success, skips do not wait for the other upstreams.
func (r TriggerRule) apply(upstreams, success, skipped, failed int, ready TaskState) TaskState {
	switch {
	case upstreams == 0:
		return ready
	case failed > 0:
		return StateUpstreamFailed
	case r == AllSuccess && skipped > 0, skipped == upstreams:
		return StateSkipped
	case success+skipped == upstreams:
		return ready
	}
	return StateNone
}

// runState is running until every task has finished; then the leaves decide, so that a failure fails the run only through one.
func (p *Plan) runState(state map[string]TaskState) RunState {
	result := RunSuccess
	for _, t := range p.def.Tasks {
		s := state[t.ID]
		if !s.Finished() {
			return RunRunning
		}
		if len(p.downstream[t.ID]) == 0 && (s == StateFailed || s == StateUpstreamFailed) {
			result = RunFailed
		}
	}
	return result
}

// CheckFollow checks what a branch wants to follow. Codes: Invalid if it names a task that is not directly downstream of it.
func (p *Plan) CheckFollow(branchID string, follow []string) error {
	for _, id := range follow {
		if !slices.Contains(p.downstream[branchID], id) {
			return apperror.New(apperror.Invalid, "task %s wants to follow %q, which is not directly downstream of it", branchID, id)
		}
	}
	return nil
}

// AfterFailure returns the state of an instance of t that has now failed for the failures-th time, and when its retry is due.
func (t Task) AfterFailure(failures int, now time.Time) (TaskState, time.Time) {
	if failures <= t.Retries {
		return StateUpForRetry, now.Add(t.RetryDelay)
	}
	return StateFailed, time.Time{}
}
