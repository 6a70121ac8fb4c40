package dispatch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
)

// adopt queues again what was running when the process before this one ended. We hold the lock, so nobody else runs it any more.
func (e *Engine) adopt(ctx context.Context) error {
	for id := range e.plans {
		left, err := e.store.Running(ctx, id)
		if err != nil {
			return err
		}
		for _, c := range left {
			if e.isLive(c.Fence) {
				continue // it runs here
			}
			why := fmt.Sprintf("The process that ran this try ended before the task did; the task goes on as try %d, which uses up no retry.", c.Try+1)
			if err := e.requeue(ctx, c, why); err != nil {
				return err
			}
		}
	}
	return nil
}

// requeue queues a lost or given-up try again. Its job is inserted by the next look at the rows.
func (e *Engine) requeue(ctx context.Context, c dagrunstore.Claim, why string) error {
	ctx, cancel := e.storing(ctx)
	defer cancel()
	_, ok, err := e.store.Requeue(ctx, c, why, e.now())
	if ok {
		e.opts.Log.WarnContext(ctx, why, "task_id", c.TaskID, "try", c.Try)
	}
	return err
}

// control looks at the rows whenever something happened, a retry is due, or the reconcile interval has passed, until ctx ends.
func (e *Engine) control(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-timer.C:
		}
		e.lastTick.note()
		wait := e.opts.Reconcile
		if !e.holds() {
			timer.Reset(wait) // it is not ours to look after; guard says why
			continue
		}
		failed := e.followClock(ctx, last)
		if failed == nil {
			last = e.now()
		}
		for id, plan := range e.plans {
			due, err := e.lookInTime(ctx, id, plan)
			if err != nil && ctx.Err() == nil {
				e.opts.Log.ErrorContext(ctx, "cannot look after the runs; trying again", "dag_id", id, "error", err)
				failed = err
			}
			if !due.IsZero() {
				wait = min(wait, max(due.Sub(e.now()), time.Millisecond))
			}
		}
		e.problem.Store(&failed)
		e.prune(ctx)
		timer.Reset(wait)
	}
}

func (e *Engine) lookInTime(ctx context.Context, id string, plan *dag.Plan) (time.Time, error) {
	limit, cancel := e.storing(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	return e.look(limit, id, plan)
}

// Ready reports why the last look at the rows led to nothing, or why the job file cannot be written. Codes: Unavailable.
func (e *Engine) Ready(ctx context.Context) error {
	if t := e.tenure.Load(); t.lost.Load() {
		return *t.why.Load()
	}
	last := e.problem.Load()
	switch {
	case last == nil || *last == nil:
		return e.jobs.ready(ctx)
	case apperror.CodeOf(*last) == apperror.Unavailable:
		return *last
	}
	return apperror.Wrap(apperror.Unavailable, *last, "the DAG runs cannot be looked after; the log of this server says why")
}

// look takes back what was lost, plans the runs under way, starts queued ones, and gives every queued try its job. It returns when the next retry is due.
func (e *Engine) look(ctx context.Context, id string, plan *dag.Plan) (due time.Time, err error) {
	if err := e.takeBack(ctx, id); err != nil {
		return due, err
	}
	if err := e.checkLeases(ctx, id); err != nil {
		return due, err
	}
	active, err := e.store.ActiveRuns(ctx, id)
	if err != nil {
		return due, err
	}
	for _, key := range active {
		p, err := e.store.Advance(ctx, plan, key, e.now())
		if err != nil {
			return due, err
		}
		due = earlier(due, e.planned(p))
	}
	for {
		p, started, err := e.store.StartRun(ctx, plan, e.opts.MaxActive, e.now())
		if err != nil {
			return due, err
		}
		if !started {
			break
		}
		e.opts.Log.InfoContext(ctx, "DAG run started", "dag_id", id, "dag_run_id", p.Run.ID)
		due = earlier(due, e.planned(p))
	}
	queued, err := e.store.Queued(ctx, id)
	if err != nil {
		return due, err
	}
	rounds := e.rounds(id, queued)
	for _, job := range queued {
		if err := e.jobs.insert(ctx, job, e.epoch.Load(), rounds[job]); err != nil {
			return due, fmt.Errorf("inserting a job: %w", err)
		}
	}
	return due, nil
}

// rounds says how often each queued try of a DAG has waited for as long as a lease: its job may have been lost with a connection, taken and not begun, and
// another one does no harm.
func (e *Engine) rounds(id string, queued []dagrunstore.Job) map[dagrunstore.Job]int64 {
	now, since, rounds := time.Now(), map[dagrunstore.Job]time.Time{}, map[dagrunstore.Job]int64{}
	for _, job := range queued {
		since[job] = now
		if seen, before := e.waiting[id][job]; before {
			since[job] = seen
		}
		rounds[job] = int64(now.Sub(since[job]) / e.opts.Lease)
	}
	e.waiting[id] = since
	return rounds
}

// checkLeases queues again the tries that nobody runs any more. A lease counts from now if the clock was set, or the machine slept: the task may run, and
// if it does not, its lease must not hold until the clock is where it was.
func (e *Engine) checkLeases(ctx context.Context, id string) error {
	running, err := e.store.Running(ctx, id)
	if err != nil {
		return err
	}
	now := e.now()
	latest := now.Add(e.opts.Lease)
	for _, c := range running {
		switch {
		case !c.Lease.Before(now) && !c.Lease.After(latest): // good
		case e.isLive(c.Fence), c.Lease.After(latest):
			_, err = e.store.Renew(ctx, c, latest)
		default:
			err = e.requeue(ctx, c, fmt.Sprintf("The lease of this try ran out; the task goes on as try %d, which uses up no retry.", c.Try+1))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// followClock makes the jobs of before a jump back of the clock count for nothing, since River would hold them until that time comes again: those that are
// still to be claimed are inserted anew. last is when it looked before.
func (e *Engine) followClock(ctx context.Context, last time.Time) error {
	if !e.now().Before(last) {
		return nil
	}
	e.opts.Log.WarnContext(ctx, "the clock was set back", "by_at_least", last.Sub(e.now()))
	return e.drawEpoch(ctx)
}

// prune deletes finished runs that are more than are kept, some at a time.
func (e *Engine) prune(ctx context.Context) {
	if e.opts.KeepRuns <= 0 || !e.surplus.Swap(false) {
		return
	}
	for id := range e.plans {
		deleted, more, err := e.store.Prune(ctx, id, e.opts.KeepRuns)
		switch {
		case err != nil && ctx.Err() == nil:
			e.opts.Log.WarnContext(ctx, "cannot delete the oldest DAG runs; trying again when the next run ends", "dag_id", id, "error", err)
		case deleted > 0:
			e.opts.Log.InfoContext(ctx, "deleted the oldest DAG runs", "dag_id", id, "runs", deleted)
		}
		if more {
			e.surplus.Store(true)
			e.Wake()
		}
	}
}

// takeBack queues again the tries of which this process could not store how they ended, for example because the disk was full.
func (e *Engine) takeBack(ctx context.Context, id string) error {
	left := e.leftOf(id)
	if len(left) == 0 {
		return nil
	}
	running, err := e.store.Running(ctx, id)
	if err != nil {
		return err
	}
	for _, c := range running {
		if !slices.Contains(left, c.Fence) {
			continue
		}
		why := fmt.Sprintf("How this try ended could not be stored; the task goes on as try %d, which uses up no retry.", c.Try+1)
		if err := e.requeue(ctx, c, why); err != nil {
			return err
		}
	}
	for _, fence := range left {
		e.forget(fence)
	}
	return nil
}

// planned reports the end of a run, and returns when its next retry is due.
func (e *Engine) planned(p dagrunstore.Progress) time.Time {
	if p.Ended {
		e.surplus.Store(true)
		took := max(p.Run.EndedAt.Sub(p.Run.StartedAt), 0) // the clock may have been set back
		e.opts.Observer.RunEnded(p.Run.DAGID, p.Run.State, took)
		e.opts.Log.Info("DAG run ended", "dag_id", p.Run.DAGID, "dag_run_id", p.Run.ID, "state", p.Run.State, "took", took)
	}
	return p.Wakeup
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
