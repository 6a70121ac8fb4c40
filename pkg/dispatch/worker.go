package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/killpoint"
	"tasador/pkg/sqlstore/dagrunstore"
)

var (
	errStopping  = errors.New("this process is stopping and claims no more tasks")
	errLeaseLost = errors.New("the lease of this try was lost")
	errTimeout   = errors.New("the time-out of the task has passed")
)

// perform does what a job says: it claims the try, runs the task and stores how it ended. An error leaves the row to be looked after by control.
func (e *Engine) perform(job dagrunstore.Job) (err error) {
	if e.stopping.Load() {
		return errStopping
	}
	tenure := e.tenure.Load()
	if tenure.lost.Load() {
		return errLockLost
	}
	ctx := context.WithoutCancel(e.tasks)
	claim, ok, err := e.claim(ctx, job)
	if err != nil || !ok {
		return err
	}
	killpoint.At(killpoint.AfterClaim)
	e.setLive(claim.Fence, true)
	defer e.setLive(claim.Fence, false)
	defer func() {
		if err != nil {
			e.leave(claim)
		}
	}()
	plan := e.plans[claim.Run.DAGID]
	if plan == nil {
		return fmt.Errorf("there is no DAG %s", claim.Run.DAGID)
	}
	begin := time.Now() // what a task took is measured, whatever happens to the clock
	log := slog.New(newTryLog(e, claim))
	task, known := plan.Task(claim.TaskID)
	if !known {
		gone := fmt.Errorf("this version of the DAG %s has no task %s", claim.Run.DAGID, claim.TaskID)
		return e.finish(ctx, plan, claim, dagrunstore.Outcome{Err: gone}, begin, log)
	}
	log.InfoContext(ctx, fmt.Sprintf("Try %d of the task %s begins.", claim.Try, claim.TaskID))
	result, lost, err := e.runLeased(tenure.tasks, claim, task, log)
	if err == nil && result.Branch {
		err = plan.CheckFollow(claim.TaskID, result.Follow)
	}
	switch {
	case lost:
		e.opts.Log.WarnContext(ctx, "a task returned after its lease was lost; what it says is ignored",
			"dag_run_id", claim.Run.ID, "task_id", claim.TaskID, "try", claim.Try)
		return nil
	case err != nil && e.tasks.Err() != nil:
		why := fmt.Sprintf("The server stopped before the task ended; the task goes on as try %d, which uses up no retry.", claim.Try+1)
		return e.requeue(ctx, claim, why)
	case err != nil && tenure.tasks.Err() != nil:
		why := fmt.Sprintf("The server lost the lock of the pipeline database before the task ended; the task goes on as try %d, which uses up no retry.", claim.Try+1)
		return e.requeue(ctx, claim, why)
	}
	return e.finish(ctx, plan, claim, dagrunstore.Outcome{Result: result, Err: err}, begin, log)
}

// storing bounds how long something may take to be stored, so that a server which is silent holds nobody for ever. It is stored also while a stop
// cancels the task that it is about.
func (e *Engine) storing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), max(3*e.opts.Lease, leastStoring))
}

// leastStoring is for leases that are very short.
const leastStoring = 10 * time.Second

func (e *Engine) claim(ctx context.Context, job dagrunstore.Job) (dagrunstore.Claim, bool, error) {
	ctx, cancel := e.storing(ctx)
	defer cancel()
	return e.store.Claim(ctx, job, e.now().Add(e.opts.Lease), e.now())
}

func (e *Engine) finish(ctx context.Context, plan *dag.Plan, c dagrunstore.Claim, out dagrunstore.Outcome, begin time.Time, log *slog.Logger) error {
	if out.Err != nil {
		log.ErrorContext(ctx, "The task failed: "+out.Err.Error())
	} else {
		log.InfoContext(ctx, "The task succeeded.")
	}
	killpoint.At(killpoint.BeforeFinish)
	ctx, cancel := e.storing(ctx)
	defer cancel()
	p, state, ok, err := e.store.Finish(ctx, plan, c, out, e.now())
	if err != nil {
		return err
	}
	if !ok {
		e.opts.Log.WarnContext(ctx, "a task ended after its lease was lost; what it says is ignored", "dag_run_id", c.Run.ID, "task_id", c.TaskID, "try", c.Try)
		return nil
	}
	killpoint.At(killpoint.AfterFinish)
	e.opts.Observer.TaskEnded(c.Run.DAGID, c.TaskID, state, time.Since(begin))
	if retry := e.planned(p); p.Ended || !retry.IsZero() {
		e.Wake()
	}
	for _, job := range p.Jobs {
		if err := e.jobs.insert(ctx, job, e.epoch.Load(), 0); err != nil {
			// The rows say that the try is queued; control inserts it again.
			e.opts.Log.WarnContext(ctx, "cannot insert a job; trying again", "error", err)
			e.Wake()
		}
	}
	return nil
}

// runLeased runs the task while a second goroutine renews the lease. lost says that the lease is gone, and with it the right to say anything.
func (e *Engine) runLeased(tasks context.Context, c dagrunstore.Claim, task dag.Task, log *slog.Logger) (result dag.Result, lost bool, err error) {
	ctx, cancel := context.WithCancelCause(tasks)
	beating := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(beating)
		if !e.renew(c, ended) {
			e.setLive(c.Fence, false)
			cancel(errLeaseLost)
		}
	}()
	tc := &dag.TaskContext{Run: c.Run.Run, TaskID: c.TaskID, Try: c.Try, Fence: c.Fence, XComs: xcoms{e, c}, Log: log}
	result, err = runTask(ctx, task, tc)
	close(ended)
	<-beating
	lost = errors.Is(context.Cause(ctx), errLeaseLost)
	cancel(nil)
	return result, lost, err
}

func (e *Engine) setLive(fence int64, live bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if live {
		e.live[fence] = true
	} else {
		delete(e.live, fence)
	}
}

// leave notes a claim whose end could not be stored, so that control takes it back as soon as something can be stored again.
func (e *Engine) leave(c dagrunstore.Claim) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left[c.Fence] = c.Run.DAGID
	e.Wake()
}

// leftOf returns the fences of the claims of a DAG that were left.
func (e *Engine) leftOf(dagID string) (fences []int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for fence, id := range e.left {
		if id == dagID {
			fences = append(fences, fence)
		}
	}
	return fences
}

func (e *Engine) forget(fence int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.left, fence)
}

func (e *Engine) isLive(fence int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.live[fence]
}

// renew extends the lease until ended is closed. It returns false as soon as the lease is lost, or has passed without an answer of the database.
func (e *Engine) renew(c dagrunstore.Claim, ended <-chan struct{}) bool {
	ctx := context.WithoutCancel(e.tasks)
	every := time.NewTicker(e.opts.Lease / 5)
	defer every.Stop()
	renewed := time.Now() // by the monotonic clock: a clock that was set says nothing about the lease
	for {
		select {
		case <-ended:
			return true
		case <-every.C:
		}
		began := time.Now()
		try, cancel := context.WithTimeout(ctx, e.opts.Lease/2)
		ok, err := e.store.Renew(try, c, e.now().Add(e.opts.Lease))
		cancel()
		switch {
		case err == nil && ok:
			renewed = began
		case err == nil, time.Since(renewed) > e.opts.Lease:
			return false
		default:
			e.opts.Log.WarnContext(ctx, "cannot renew the lease of a task; trying again", "task_id", c.TaskID, "error", err)
		}
	}
}

// runTask calls the task with its time-out. A panic is an error of the task.
func runTask(ctx context.Context, task dag.Task, tc *dag.TaskContext) (result dag.Result, err error) {
	if task.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, task.Timeout, errTimeout)
		defer cancel()
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the task panicked: %v", p)
			tc.Log.ErrorContext(ctx, "The task panicked.", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
		if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
			err = fmt.Errorf("the task did not end within its time-out of %s: %w", task.Timeout, err)
		}
	}()
	return task.Run(ctx, tc)
}

// xcoms are the XComs as one try sees them.
type xcoms struct {
	engine *Engine
	claim  dagrunstore.Claim
}

// Push stores a value. Codes: Invalid if it is no JSON, FailedPrecondition if the lease is lost.
func (x xcoms) Push(ctx context.Context, key string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return apperror.Wrap(apperror.Invalid, err, "the XCom %s of the task %s cannot be written as JSON", key, x.claim.TaskID)
	}
	return x.engine.store.PushXCom(ctx, x.claim, key, data, x.engine.now())
}

// Pull reads a value of a task of the same run. Codes: NotFound, Invalid if it does not fit dst.
func (x xcoms) Pull(ctx context.Context, taskID, key string, dst any) error {
	v, err := x.engine.store.XComOf(ctx, x.claim.Run.Key, taskID, key)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(v.Value, dst); err != nil {
		return apperror.Wrap(apperror.Invalid, err, "the XCom %s of the task %s has another form than expected", key, taskID)
	}
	return nil
}
