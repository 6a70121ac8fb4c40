package trackingstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
)

// held is a database whose first write waits until it is let go, so that what comes meanwhile is one group.
type held struct {
	g       *gatherer
	entered chan struct{}
	release chan struct{}
	writes  atomic.Int64 // after the first
	wg      sync.WaitGroup
	errs    sync.Map // by run
}

func newHeld(t *testing.T, write func(ctx context.Context, group []*loggedBatch) error) *held {
	t.Helper()
	h := &held{entered: make(chan struct{}), release: make(chan struct{})}
	var first sync.Once
	h.g = &gatherer{writers: 1, write: func(ctx context.Context, group []*loggedBatch) error {
		waits := false
		first.Do(func() { waits = true })
		if waits {
			close(h.entered)
			<-h.release
			return nil
		}
		h.writes.Add(1)
		return write(ctx, group)
	}}
	h.log(t.Context(), "first")
	<-h.entered
	return h
}

func (h *held) log(ctx context.Context, run string) {
	h.wg.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				h.errs.Store(run, fmt.Errorf("panic: %v", p))
			}
		}()
		err := h.g.log(ctx, run, experiment.Batch{})
		if err == nil {
			err = errStored
		}
		h.errs.Store(run, err)
	})
}

var errStored = errors.New("stored")

// logAll logs a batch for each run, in this order, and lets the group go.
func (h *held) logAll(t *testing.T, runs ...string) {
	t.Helper()
	for n, run := range runs {
		h.log(t.Context(), run)
		require.Eventually(t, func() bool {
			h.g.mu.Lock()
			defer h.g.mu.Unlock()
			return len(h.g.waiting) == n+1
		}, waitLimit, waitLook)
	}
	close(h.release)
	h.wg.Wait()
}

func (h *held) fate(run string) error {
	err, _ := h.errs.Load(run)
	e, _ := err.(error)
	return e
}

// How long a test waits for calls to queue, and how often it looks.
const (
	waitLimit = time.Minute
	waitLook  = time.Millisecond
)

var longAgo = time.Unix(0, 0)

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("run%d", i)
	}
	return list
}

// TestGroupWithAPoisonedBatch: one batch of 64 that no transaction takes costs its group a few more transactions, and nobody else an error.
func TestGroupWithAPoisonedBatch(t *testing.T) {
	refusal := apperror.New(apperror.Invalid, "poisoned")
	var mu sync.Mutex
	stored := map[string]int{}
	h := newHeld(t, func(_ context.Context, group []*loggedBatch) error {
		mu.Lock()
		defer mu.Unlock()
		for _, l := range group {
			if l.runID == "run41" {
				return refusal
			}
		}
		for _, l := range group {
			stored[l.runID]++
		}
		return nil
	})
	h.logAll(t, names(64)...)
	for _, run := range names(64) {
		if run == "run41" {
			require.ErrorIs(t, h.fate(run), refusal)
			require.Zero(t, stored[run])
			continue
		}
		require.ErrorIs(t, h.fate(run), errStored, run)
		require.Equal(t, 1, stored[run], run)
	}
	require.EqualValues(t, 13, h.writes.Load(), "the group, and on each of its 6 levels two halves")
}

// TestGroupWhoseWriterPanics: if the writing of a group panics, none of its calls answers that its batch is stored.
func TestGroupWhoseWriterPanics(t *testing.T) {
	h := newHeld(t, func(_ context.Context, group []*loggedBatch) error {
		if len(group) == 5 {
			panic("a fault of ours")
		}
		return nil
	})
	h.logAll(t, names(5)...)
	require.ErrorContains(t, h.fate("run0"), "a fault of ours", "the call that wrote")
	for _, run := range names(5)[1:] {
		require.ErrorIs(t, h.fate(run), errBrokeOff, run)
	}
	require.NoError(t, h.g.log(t.Context(), "after", experiment.Batch{}), "others go on")
}

// TestGroupOnADatabaseThatIsAway: after two runs that fail by themselves, those that wait behind them hear it at once.
func TestGroupOnADatabaseThatIsAway(t *testing.T) {
	for _, c := range []struct {
		oneFate bool
		writes  int64
	}{{false, 3}, {true, 1}} {
		h := newHeld(t, func(context.Context, []*loggedBatch) error { return apperror.New(apperror.Unavailable, "away") })
		h.g.oneFate = c.oneFate
		h.logAll(t, names(50)...)
		for _, run := range names(50) {
			require.Equal(t, apperror.Unavailable, apperror.CodeOf(h.fate(run)), run)
		}
		require.Equal(t, c.writes, h.writes.Load())
	}
}

// TestGroupWithALockedRun: a run that cannot be written is tried once by itself, and the batches of others are stored.
func TestGroupWithALockedRun(t *testing.T) {
	locked := 0
	h := newHeld(t, func(_ context.Context, group []*loggedBatch) error {
		for _, l := range group {
			if l.runID == "locked" {
				locked++
				return apperror.New(apperror.Unavailable, "somebody holds a lock")
			}
		}
		return nil
	})
	h.logAll(t, "locked", "run1", "run2", "locked", "run3", "locked")
	for _, run := range []string{"run1", "run2", "run3"} {
		require.ErrorIs(t, h.fate(run), errStored, run)
	}
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(h.fate("locked")))
	require.Equal(t, 2, locked, "with its group, and by itself")
}

// TestGroupThatLosesItsConnection: what a group lost with its connection is written over another one.
func TestGroupThatLosesItsConnection(t *testing.T) {
	lost := false
	h := newHeld(t, func(context.Context, []*loggedBatch) error {
		if !lost {
			lost = true
			return apperror.New(apperror.Unavailable, "the connection is gone")
		}
		return nil
	})
	h.logAll(t, names(10)...)
	for _, run := range names(10) {
		require.ErrorIs(t, h.fate(run), errStored, run)
	}
}

// TestGroupThatClientsLeave: a call that leaves while it waits is not written; one that leaves while it is written hears what became of it; a leader
// that leaves writes what the others wait for; a deadline counts as leaving.
func TestGroupThatClientsLeave(t *testing.T) {
	leader, leaveWriting := context.WithCancel(t.Context())
	defer leaveWriting()
	written := map[string]bool{}
	h := newHeld(t, func(ctx context.Context, group []*loggedBatch) error {
		leaveWriting()
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, l := range group {
			written[l.runID] = true
		}
		return nil
	})
	waits, leaveWaiting := context.WithDeadline(t.Context(), longAgo)
	defer leaveWaiting()
	err := h.g.log(waits, "leaves", experiment.Batch{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	h.log(leader, "leader")
	require.Eventually(t, func() bool { h.g.mu.Lock(); defer h.g.mu.Unlock(); return len(h.g.waiting) == 1 }, waitLimit, waitLook)
	h.log(leader, "follower")
	require.Eventually(t, func() bool { h.g.mu.Lock(); defer h.g.mu.Unlock(); return len(h.g.waiting) == 2 }, waitLimit, waitLook)
	close(h.release)
	h.wg.Wait()
	require.ErrorIs(t, h.fate("leader"), errStored)
	require.ErrorIs(t, h.fate("follower"), errStored)
	require.Equal(t, map[string]bool{"leader": true, "follower": true}, written)
}

// TestGroupsOfManyClients: under many clients no batch is lost, doubled or overtaken by a whole group, and no group is larger than it may be.
func TestGroupsOfManyClients(t *testing.T) {
	const clients, each = 200, 20
	var stored, largest atomic.Int64
	g := &gatherer{writers: 2, write: func(_ context.Context, group []*loggedBatch) error {
		rows := int64(0)
		for _, l := range group {
			rows += int64(l.rows())
		}
		for seen := largest.Load(); rows > seen; seen = largest.Load() {
			largest.CompareAndSwap(seen, rows)
		}
		stored.Add(int64(len(group)))
		return nil
	}}
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range each {
				assert.NoError(t, g.log(t.Context(), "run", experiment.Batch{Metrics: make([]experiment.Metric, 1000)}))
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, clients*each, stored.Load())
	require.LessOrEqual(t, largest.Load(), int64(most))
	require.Empty(t, g.waiting)
	require.Zero(t, g.busy)
}
