package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"tasador/pkg/apperror"
)

var errLockLost = errors.New("this process has lost the lock of the pipeline database and claims no task until it has it again")

// tenure is a time in which this process holds the lock of the database without a break. On a server the lock is lost with the connection that
// holds it. From then on this process claims and plans nothing. It tries to get the lock back: if it does soon, tasks under way have not noticed; later they
// are cancelled, before a server that only we cannot reach gives the lock to somebody else. If somebody else has it, this process stops. What a
// task does in between to other databases is held back by its fence.
type tenure struct {
	lost   atomic.Bool
	why    atomic.Pointer[error] // set before lost
	tasks  context.Context       // ends when tasks of this tenure must not go on
	cancel context.CancelFunc
}

// holds reports whether this process has the lock, as far as it knows.
func (e *Engine) holds() bool {
	t := e.tenure.Load()
	return t == nil || !t.lost.Load()
}

// begin starts a tenure.
func (e *Engine) begin() {
	t := &tenure{}
	t.tasks, t.cancel = context.WithCancel(e.tasks)
	e.tenure.Store(t)
}

// guard watches the lock until ctx ends. Codes: FailedPrecondition if somebody else has got it.
func (e *Engine) guard(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.opts.Lock.Lost():
		}
		e.lose(errors.New("its connection broke"))
		e.opts.Log.WarnContext(ctx, "the connection that holds the lock of the pipeline database was lost; no task begins until it is back")
		if err := e.retake(ctx); err != nil {
			e.tenure.Load().cancel()
			return fmt.Errorf("the lock of the pipeline database was lost: %w", err)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// lose ends what this process may do, and says why.
func (e *Engine) lose(cause error) {
	t := e.tenure.Load()
	why := apperror.Wrap(apperror.Unavailable, cause, "the connection that holds the lock of the pipeline database was lost; no task begins until it is back")
	if apperror.CodeOf(cause) == apperror.Unavailable {
		why = cause
	}
	t.why.Store(&why)
	t.lost.Store(true)
}

// retakeEvery is how often a lock that was lost is asked for.
const retakeEvery = 500 * time.Millisecond

// retake gets the lock back, or returns that somebody else has it. It returns nil too when ctx ends.
func (e *Engine) retake(ctx context.Context) error {
	t := e.tenure.Load()
	patience := time.AfterFunc(e.opts.Grace, t.cancel)
	defer patience.Stop()
	again := time.NewTicker(retakeEvery)
	defer again.Stop()
	for {
		err := e.opts.Lock.Retake(ctx)
		switch {
		case err == nil:
			e.resume(ctx, t, patience.Stop())
			return nil
		case apperror.CodeOf(err) == apperror.FailedPrecondition:
			return err
		case ctx.Err() == nil:
			e.lose(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}

// resume goes on under a lock that is ours again, with the tasks under way if it is early. Somebody else may have held the lock meanwhile and left
// something behind, and jobs may have been lost with their connections.
func (e *Engine) resume(ctx context.Context, t *tenure, early bool) {
	limit, cancel := e.storing(ctx)
	defer cancel()
	err := e.adopt(limit)
	if err == nil {
		err = e.drawEpoch(limit)
	}
	if err != nil { // leases that run out, and jobs that are overdue, show what is left
		e.opts.Log.WarnContext(ctx, "cannot take over yet what was left", "error", err)
	}
	if early {
		t.lost.Store(false)
	} else {
		e.begin()
	}
	e.opts.Log.InfoContext(ctx, "the lock of the pipeline database is held again")
	e.Wake()
}
