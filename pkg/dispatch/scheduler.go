package dispatch

import (
	"context"
	"log/slog"
	"time"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
)

// maxIdle bounds how long the scheduler sleeps, so that a clock that was set does not delay a run for long.
const maxIdle = 10 * time.Second

// Scheduler triggers the scheduled runs of one DAG. It is a lifecycle.Service.
type Scheduler struct {
	store    *dagrunstore.Store
	plan     *dag.Plan
	schedule *dag.Schedule
	queued   func()
	log      *slog.Logger
	now      func() time.Time
	wake     chan struct{}
	lastTick tick
}

// NewScheduler returns the scheduler of a DAG that EnsureDAG has seen; queued is called when it has stored runs. A nil schedule triggers
// nothing. A nil now means time.Now.
func NewScheduler(store *dagrunstore.Store, plan *dag.Plan, schedule *dag.Schedule, queued func(), log *slog.Logger, now func() time.Time) *Scheduler {
	if now == nil {
		now = time.Now
	}
	return &Scheduler{store: store, plan: plan, schedule: schedule, queued: queued, log: log, now: now, wake: make(chan struct{}, 1)}
}

// Run triggers runs as they become due, until ctx ends.
func (s *Scheduler) Run(ctx context.Context, ready func()) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	ready()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-timer.C:
		}
		s.lastTick.note()
		timer.Reset(s.tick(ctx))
	}
}

// tick triggers what is due and returns how long nothing will be.
func (s *Scheduler) tick(ctx context.Context) time.Duration {
	if s.schedule == nil {
		return maxIdle
	}
	id := s.plan.Definition().ID
	made, err := s.store.PlanSchedule(ctx, s.plan, s.schedule, s.now())
	if err != nil {
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "cannot plan scheduled runs; trying again", "dag_id", id, "error", err)
		}
		return maxIdle
	}
	for _, run := range made {
		s.log.InfoContext(ctx, "scheduled DAG run queued", "dag_id", id, "dag_run_id", run)
	}
	if len(made) > 0 {
		s.queued()
	}
	stored, err := s.store.DAG(ctx, id)
	if err != nil || stored.NextRun.IsZero() || stored.Paused {
		return maxIdle
	}
	return min(maxIdle, max(s.schedule.Upcoming(stored.NextRun).End.Sub(s.now()), time.Millisecond))
}

// Wake makes the scheduler look now, for example because the DAG is no longer paused.
func (s *Scheduler) Wake() {
	select {
	case s.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// LastTick returns when the scheduler last looked, as Engine.LastTick does.
func (s *Scheduler) LastTick() time.Time { return s.lastTick.last() }
