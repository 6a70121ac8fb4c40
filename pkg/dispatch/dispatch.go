// Package dispatch runs the tasks of DAG runs so that a kill at any moment loses nothing and doubles nothing.
//
// The rows of dagrunstore are the truth. River only carries jobs, each of which says "try n of this task instance is queued", in tables of its own: an
// SQLite file, or a schema on the server. A state is committed first, then its job is inserted; whoever gets the job claims the try with a guarded UPDATE, which gives it a fence and a
// lease that it renews while the task runs. A job that is lost is inserted again from the rows, and one that comes twice finds its try claimed.
//
// One process at a time runs the tasks of a pipeline database (a lock sees to it, see tenure), so at its start whatever is still running was left by a dead one
// and is taken over at once; while it lives, a lease that runs out is what shows that a task was lost. A try that was lost, or handed back at a stop, is
// queued again as a new try that uses up none of the task's retries: retries are for tasks that fail, not for servers that stop.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
)

// Observer is told what ended, for metrics.
type Observer interface {
	TaskEnded(dagID, taskID string, state dag.TaskState, took time.Duration)
	RunEnded(dagID string, state dag.RunState, took time.Duration)
}

// Options say what to run and how. Store, Lock, Plans, Database and Log are required; zero values of the others have defaults.
type Options struct {
	Store    *dagrunstore.Store
	Lock     *dagrunstore.Lock // keeps other processes out; the caller releases it after Run
	Plans    []*dag.Plan
	Database string // URL of the store's database. River's tables are in an SQLite file beside it, or in a schema of their own on its server
	Log      *slog.Logger
	Observer Observer

	JobsSchema string // of River's tables on a server; default tasador_jobs

	MaxActive int              // DAG runs of one DAG at the same time; default 1
	KeepRuns  int              // finished runs of one DAG that are kept, the oldest are deleted; default 0, which keeps all
	Workers   int              // tasks at the same time; default 16
	Lease     time.Duration    // how long a claim holds without being renewed; default 30 s. It is renewed every fifth of it
	Reconcile time.Duration    // how often rows and jobs are compared when nothing happens; default 2 s
	Grace     time.Duration    // how long tasks may go on after a stop was asked for, before they are cancelled; default 5 s
	Linger    time.Duration    // how long tasks may take to return once cancelled; default 15 s
	Now       func() time.Time // River's clock, too; nil is the clock of the machine
}

func (o *Options) setDefaults() {
	duration := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	duration(&o.Lease, 30*time.Second)
	duration(&o.Reconcile, 2*time.Second)
	duration(&o.Grace, 5*time.Second)
	duration(&o.Linger, 15*time.Second)
	if o.JobsSchema == "" {
		o.JobsSchema = "tasador_jobs"
	}
	if o.MaxActive == 0 {
		o.MaxActive = 1
	}
	if o.Workers == 0 {
		o.Workers = 16
	}
	if o.Observer == nil {
		o.Observer = nobody{}
	}
}

type nobody struct{}

func (nobody) TaskEnded(string, string, dag.TaskState, time.Duration) {}
func (nobody) RunEnded(string, dag.RunState, time.Duration)           {}

// Engine runs tasks. It is a lifecycle.Service that can run once.
type Engine struct {
	opts  Options
	plans map[string]*dag.Plan
	store *dagrunstore.Store
	jobs  *jobs
	epoch atomic.Int64 // tells the jobs that count from those of dead processes

	waiting map[string]map[dagrunstore.Job]time.Time // DAG → queued try → when control first saw it

	mu   sync.Mutex
	live map[int64]bool   // fences of the claims whose tasks run here
	left map[int64]string // fences of the claims whose end could not be stored → DAG

	wake     chan struct{}
	lastTick tick
	problem  atomic.Pointer[error]
	surplus  atomic.Bool // there may be more finished runs than are kept
	stopping atomic.Bool
	tasks    context.Context // of all tasks; ends when a stop cancels them
	cancel   context.CancelFunc
	tenure   atomic.Pointer[tenure]
}

// Open opens River's tables, which Run closes.
func Open(ctx context.Context, opts Options) (*Engine, error) {
	opts.setDefaults()
	e := &Engine{opts: opts, store: opts.Store, plans: map[string]*dag.Plan{}, live: map[int64]bool{}, left: map[int64]string{}, waiting: map[string]map[dagrunstore.Job]time.Time{}, wake: make(chan struct{}, 1)}
	for _, p := range opts.Plans {
		id := p.Definition().ID
		if e.plans[id] != nil {
			return nil, apperror.New(apperror.Invalid, "there are two DAGs named %s", id)
		}
		e.plans[id] = p
	}
	if opts.Lock == nil {
		return nil, errors.New("tasks are run only under the lock of their database")
	}
	if err := e.prepare(ctx); err != nil {
		return nil, err
	}
	e.surplus.Store(true)
	// Tasks outlive the end of Run's context: a stop gives them time.
	e.tasks, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	e.begin()
	return e, nil
}

func (e *Engine) prepare(ctx context.Context) error {
	for id := range e.plans {
		if err := e.store.EnsureDAG(ctx, id); err != nil {
			return err
		}
	}
	if err := e.drawEpoch(ctx); err != nil {
		return err
	}
	var err error
	e.jobs, err = e.openJobs(ctx)
	return err
}

func (e *Engine) drawEpoch(ctx context.Context) error {
	epoch, err := e.store.NextEpoch(ctx, time.Now())
	if err == nil {
		e.epoch.Store(epoch)
	}
	return err
}

// Run takes over what a dead process left, then runs tasks until ctx ends. Tasks that are running then get the grace to finish; those that do not are cancelled
// and handed back, queued.
func (e *Engine) Run(ctx context.Context, ready func()) error {
	defer e.cancel()
	err := e.work(ctx, ready)
	return errors.Join(err, e.jobs.close())
}

func (e *Engine) work(ctx context.Context, ready func()) error {
	if err := e.adopt(ctx); err != nil {
		return fmt.Errorf("taking over the tasks of the process before: %w", err)
	}
	if err := e.jobs.start(); err != nil {
		return err
	}
	ready()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	guarded := make(chan error, 1)
	go func() {
		guarded <- e.guard(ctx)
		stop() // also if the lock went to somebody else
	}()
	e.control(ctx)
	return errors.Join(<-guarded, e.drain())
}

// drain stops claiming at once and waits for the tasks under way.
func (e *Engine) drain() error {
	e.stopping.Store(true)
	stopped := make(chan error, 1)
	limit, cancel := context.WithTimeout(context.WithoutCancel(e.tasks), e.opts.Grace+e.opts.Linger)
	defer cancel()
	go func() { stopped <- e.jobs.stop(limit) }()
	grace := time.NewTimer(e.opts.Grace)
	defer grace.Stop()
	select {
	case err := <-stopped:
		return err
	case <-grace.C:
		e.cancel()
	}
	if err := <-stopped; err != nil {
		return fmt.Errorf("some tasks did not return within %s of being cancelled; they will be run again at the next start: %w", e.opts.Linger, err)
	}
	return nil
}

// Trigger stores a run in state queued and sees to it that it starts when its turn comes. Codes: those of dagrunstore.Store.Trigger.
func (e *Engine) Trigger(ctx context.Context, dagID string, n dagrunstore.NewRun) (dagrunstore.Run, error) {
	plan, ok := e.plans[dagID]
	if !ok {
		return dagrunstore.Run{}, apperror.New(apperror.NotFound, "the DAG %s does not exist", dagID)
	}
	run, err := e.store.Trigger(ctx, plan, n, e.now())
	if err == nil {
		e.Wake()
	}
	return run, err
}

// SetPaused pauses a DAG or lets it go on. A paused DAG starts no run and queues no task; tasks that are running go on. Codes: NotFound.
func (e *Engine) SetPaused(ctx context.Context, dagID string, paused bool) error {
	if err := e.store.SetPaused(ctx, dagID, paused); err != nil {
		return err
	}
	e.Wake()
	return nil
}

// Clear lets tasks of a run run again. Codes: those of dagrunstore.Store.Clear.
func (e *Engine) Clear(ctx context.Context, dagID, runID string, tasks []string, states []dag.TaskState, dry bool) ([]dagrunstore.Instance, error) {
	cleared, err := e.store.Clear(ctx, dagID, runID, tasks, states, dry, e.now())
	if err == nil && !dry {
		e.Wake()
	}
	return cleared, err
}

// Backfill queues the runs of a backfill; they run one after the other in its order. Codes: those of dagrunstore.Store.CreateBackfill.
func (e *Engine) Backfill(ctx context.Context, dagID string, n dagrunstore.NewBackfill) (dagrunstore.Backfill, []dagrunstore.BackfillRun, error) {
	plan, ok := e.plans[dagID]
	if !ok {
		return dagrunstore.Backfill{}, nil, apperror.New(apperror.NotFound, "the DAG %s does not exist", dagID)
	}
	b, runs, err := e.store.CreateBackfill(ctx, plan, n, e.now())
	if err == nil {
		e.Wake()
	}
	return b, runs, err
}

// CancelBackfill lets no more runs of a backfill start. Codes: those of dagrunstore.Store.CancelBackfill.
func (e *Engine) CancelBackfill(ctx context.Context, id int64) (dagrunstore.Backfill, error) {
	return e.store.CancelBackfill(ctx, id, e.now())
}

// Wake makes the engine look at the rows now.
func (e *Engine) Wake() {
	select {
	case e.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// LastTick returns when the engine last looked at the rows, zero before the first time. time.Since of it is right whatever happens to the clock.
func (e *Engine) LastTick() time.Time { return e.lastTick.last() }

// tick remembers when something was last done, with the monotonic reading of the clock.
type tick struct{ at atomic.Pointer[time.Time] }

func (t *tick) note() {
	now := time.Now()
	t.at.Store(&now)
}

func (t *tick) last() time.Time {
	if at := t.at.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

func (e *Engine) now() time.Time {
	now := time.Now
	if e.opts.Now != nil {
		now = e.opts.Now
	}
	return now().UTC().Truncate(time.Microsecond)
}
