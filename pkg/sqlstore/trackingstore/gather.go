package trackingstore

import (
	"context"
	"errors"
	"slices"
	"sync"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
)

// loggedBatch is a batch that waits to be written.
type loggedBatch struct {
	ctx   context.Context //nolint:containedctx // of the call that waits; it ends with the call
	runID string
	batch experiment.Batch
	err   error
	// settled tells that err is what became of it.
	settled bool
	turn    chan []*loggedBatch // what its call is to write; nil if others have written it
}

func (l *loggedBatch) rows() int {
	return len(l.batch.Metrics) + len(l.batch.Params) + len(l.batch.Tags)
}

// gatherer writes batches that come at the same time together, in one transaction: a commit takes the disk longer than all the rest. Nobody waits for
// others to come: a call that finds nobody writing writes at once, and those that come meanwhile are written together by one of them, next.
type gatherer struct {
	write   func(ctx context.Context, group []*loggedBatch) error // sets err of those that are refused, and writes the others, all or none
	writers int                                                   // that may write at the same time
	oneFate bool                                                  // a database that is away for one batch is away for all: it is a file

	mu      sync.Mutex
	busy    int
	waiting []*loggedBatch
}

// most bounds how many rows a group has.
const most = 4000

// log writes a batch and returns when it is committed.
func (g *gatherer) log(ctx context.Context, runID string, b experiment.Batch) error {
	l := &loggedBatch{ctx: ctx, runID: runID, batch: b, turn: make(chan []*loggedBatch, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, l)
	if g.busy < g.writers {
		g.busy++
		g.wake()
	}
	g.mu.Unlock()
	select {
	case group := <-l.turn:
		g.lead(group)
		return l.err
	case <-ctx.Done():
	}
	g.mu.Lock()
	at := slices.Index(g.waiting, l)
	if at >= 0 {
		g.waiting = slices.Delete(g.waiting, at, at+1)
	}
	g.mu.Unlock()
	if at >= 0 {
		return ctx.Err()
	}
	g.lead(<-l.turn) // it is being written, or others wait for this call to write theirs
	return l.err
}

// wake lets the call that waits longest write what waits. The lock is held, and a writer is counted as busy.
func (g *gatherer) wake() {
	n, rows := 0, 0
	for n < len(g.waiting) && (n == 0 || rows+g.waiting[n].rows() <= most) {
		rows += g.waiting[n].rows()
		n++
	}
	if n == 0 {
		g.busy--
		return
	}
	group := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	group[0].turn <- group
}

// lead writes a group, tells the others in it, and hands over to the next that waits.
func (g *gatherer) lead(group []*loggedBatch) {
	if group == nil {
		return
	}
	defer func() { // also if a panic comes through here
		g.mu.Lock()
		g.wake()
		g.mu.Unlock()
		for _, l := range group {
			if !l.settled {
				l.err = errBrokeOff
			}
		}
		for _, l := range group[1:] {
			close(l.turn)
		}
	}()
	g.settle(group)
}

// errBrokeOff is the fate of batches whose leader panicked: nobody knows whether they were written, and to send them again does no harm.
var errBrokeOff = errors.New("the writing of a group of batches broke off")

// settle writes a group. If something in it keeps all of it from being written, its halves are tried, until each batch has its own fate: what one of them
// is refused for costs the others a few transactions, not one each.
func (g *gatherer) settle(group []*loggedBatch) {
	if len(group) == 1 {
		g.settleOne(group[0])
		return
	}
	// The first call's client may go; what others wait for is written nevertheless.
	err := g.write(context.WithoutCancel(group[0].ctx), group)
	switch {
	case err == nil:
		for _, l := range group {
			l.settled = true
		}
	case apperror.CodeOf(err) == apperror.Unavailable:
		g.settleApart(group, err)
	default:
		half := len(group) / 2
		g.settle(group[:half])
		g.settle(group[half:])
	}
}

func (g *gatherer) settleOne(l *loggedBatch) {
	if err := g.write(l.ctx, []*loggedBatch{l}); err != nil {
		l.err = err
	}
	l.settled = true
}

// settleApart writes batches one by one after the database failed: a connection may have been lost, or somebody may hold a lock on one run. A batch of a
// run that has failed again is not tried, and after two runs none is: each try may take a minute, and all of them wait.
func (g *gatherer) settleApart(group []*loggedBatch, failure error) {
	away := map[string]error{}
	for _, l := range group {
		err := away[l.runID]
		if g.oneFate || len(away) == triedRuns {
			err = failure
		}
		if err != nil {
			l.err, l.settled = err, true
			continue
		}
		g.settleOne(l)
		if l.ctx.Err() == nil && apperror.CodeOf(l.err) == apperror.Unavailable {
			away[l.runID], failure = l.err, l.err
		}
	}
}

// triedRuns is for how many runs of a group a database may fail before it counts as away.
const triedRuns = 2
