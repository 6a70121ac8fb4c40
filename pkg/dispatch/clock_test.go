package dispatch_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/dispatch"
	"tasador/pkg/sqlstore/dagrunstore"
)

const day = 24 * time.Hour

// clock is one that a test sets, by what it is ahead of the real one.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) set(ahead time.Duration) { c.ahead.Store(int64(ahead)) }

// TestAClockThatJumpsLosesNothing sets the clock by days, months and years in the middle of tasks, both ways.
func TestAClockThatJumpsLosesNothing(t *testing.T) { onEach(t, testAClockThatJumpsLosesNothing) }

func testAClockThatJumpsLosesNothing(t *testing.T, at place) {
	var c clock
	var ran [6]atomic.Int64
	var tasks []dag.Task
	for n, jump := range []time.Duration{-day, 365 * day, -90 * day, time.Minute, -time.Second, 0} {
		id := string(rune('a' + n))
		next := task(id, func(context.Context, *dag.TaskContext) (dag.Result, error) {
			c.set(jump)
			ran[n].Add(1)
			return dag.Done(), nil
		})
		if n > 0 {
			next.Upstream = []string{string(rune('a' + n - 1))}
		}
		tasks = append(tasks, next)
	}
	opts := options(t, at, store(t, at), plan(t, tasks...))
	opts.Now = c.now
	b := start(t, opts)
	for round, id := range []string{"r1", "r2"} {
		b.trigger(t, id)
		b.awaitRun(t, id, dag.RunSuccess)
		for n := range ran {
			require.EqualValues(t, round+1, ran[n].Load(), "task %d", n)
		}
	}
}

// TestARetryWaitsItsDelayWhateverTheClockSays: after a failure the clock is set back by a day.
func TestARetryWaitsItsDelayWhateverTheClockSays(t *testing.T) {
	onEach(t, testARetryWaitsItsDelayWhateverTheClockSays)
}

func testARetryWaitsItsDelayWhateverTheClockSays(t *testing.T, at place) {
	var c clock
	c.set(day)
	failing := task("t", func(_ context.Context, tc *dag.TaskContext) (dag.Result, error) {
		if tc.Try == 1 {
			return dag.Result{}, errors.New("not yet")
		}
		return dag.Done(), nil
	})
	failing.Retries, failing.RetryDelay = 1, 50*time.Millisecond
	opts := options(t, at, store(t, at), plan(t, failing))
	opts.Now = c.now
	b := start(t, opts)
	require.NoError(t, b.SetPaused(t.Context(), "d", false))
	b.trigger(t, "r")
	require.Eventually(t, func() bool { return b.instance(t, "r", "t").Failures == 1 }, time.Minute, time.Millisecond)
	c.set(0)
	b.Wake()
	b.awaitRun(t, "r", dag.RunSuccess)
}

// TestAQueuedTryIsClaimedAfterTheClockWasSetBack: its job waits for the only worker, and the clock is set back meanwhile.
func TestAQueuedTryIsClaimedAfterTheClockWasSetBack(t *testing.T) {
	onEach(t, testAQueuedTryIsClaimedAfterTheClockWasSetBack)
}

func testAQueuedTryIsClaimedAfterTheClockWasSetBack(t *testing.T, at place) {
	var c clock
	c.set(day)
	begun, release := make(chan struct{}), make(chan struct{})
	opts := options(t, at, store(t, at), plan(t, task("a", func(context.Context, *dag.TaskContext) (dag.Result, error) {
		close(begun)
		<-release
		return dag.Done(), nil
	}), task("b", ok), task("c", ok)))
	opts.Now, opts.Workers, opts.Reconcile = c.now, 1, 50*time.Millisecond
	b := start(t, opts)
	b.trigger(t, "r")
	<-begun
	c.set(0)
	close(release)
	b.awaitRun(t, "r", dag.RunSuccess)
	for _, id := range []string{"a", "b", "c"} {
		require.Equal(t, 1, b.instance(t, "r", id).Try, id)
	}
}

// TestTheNextProcessRunsWhatWasQueuedInItsFuture: a process whose clock was a day ahead hands a task back, and the next has the right time.
func TestTheNextProcessRunsWhatWasQueuedInItsFuture(t *testing.T) {
	onEach(t, testTheNextProcessRunsWhatWasQueuedInItsFuture)
}

func testTheNextProcessRunsWhatWasQueuedInItsFuture(t *testing.T, at place) {
	s := store(t, at)
	var c clock
	c.set(day)
	begun := make(chan struct{})
	opts := options(t, at, s, plan(t, task("t", func(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
		close(begun)
		return untilCancelled(ctx, tc)
	})))
	opts.Now = c.now
	first := start(t, opts)
	first.trigger(t, "r")
	<-begun
	require.NoError(t, first.stop())
	c.set(0)
	opts = options(t, at, s, plan(t, task("t", ok)))
	opts.Now = c.now
	start(t, opts).awaitRun(t, "r", dag.RunSuccess)
}

// TestALeaseOfTheFutureDoesNotHoldUntilThen: a worker that is never heard of again claimed a task when the clock was a day ahead.
func TestALeaseOfTheFutureDoesNotHoldUntilThen(t *testing.T) {
	onEach(t, testALeaseOfTheFutureDoesNotHoldUntilThen)
}

func testALeaseOfTheFutureDoesNotHoldUntilThen(t *testing.T, at place) {
	s := store(t, at)
	begun, release := make(chan struct{}), make(chan struct{})
	opts := options(t, at, s, plan(t, task("busy", func(context.Context, *dag.TaskContext) (dag.Result, error) {
		close(begun)
		<-release
		return dag.Done(), nil
	}), task("t", ok)))
	opts.Workers, opts.Reconcile, opts.Lease = 1, 20*time.Millisecond, 200*time.Millisecond
	b := start(t, opts)
	b.trigger(t, "r")
	<-begun
	_, claimed, err := s.Claim(t.Context(), dagrunstore.Job{Instance: b.instance(t, "r", "t").Key, Try: 1}, time.Now().Add(day), time.Now().Add(day))
	require.NoError(t, err)
	require.True(t, claimed, "the only worker is busy")
	require.Eventually(t, func() bool { return b.instance(t, "r", "t").Try == 2 }, time.Minute, 5*time.Millisecond)
	close(release)
	b.awaitRun(t, "r", dag.RunSuccess)
}

// TestTheSchedulerFollowsAClockThatIsSet: neither a jump ahead by years nor the way back repeats a run or holds the next one up.
func TestTheSchedulerFollowsAClockThatIsSet(t *testing.T) {
	onEach(t, testTheSchedulerFollowsAClockThatIsSet)
}

func testTheSchedulerFollowsAClockThatIsSet(t *testing.T, at place) {
	s, p := store(t, at), plan(t, task("t", ok))
	require.NoError(t, s.EnsureDAG(t.Context(), "d"))
	schedule, err := dag.ParseSchedule("@daily", "2025-05-01", "UTC", false)
	require.NoError(t, err)
	var now atomic.Pointer[time.Time]
	set := func(text string) {
		at, err := time.Parse("2006-01-02 15:04:05", text)
		require.NoError(t, err)
		now.Store(&at)
	}
	set("2026-01-05 08:00:00")
	sched := dispatch.NewScheduler(s, p, schedule, func() {}, slog.New(slog.DiscardHandler), func() time.Time { return *now.Load() })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sched.Run(ctx, func() {}) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	next := func(want string) {
		t.Helper()
		sched.Wake()
		require.Eventually(t, func() bool {
			d, err := s.DAG(t.Context(), "d")
			require.NoError(t, err)
			return d.NextRun.Format(time.DateOnly) == want
		}, time.Minute, time.Millisecond)
	}
	next("2026-01-05")
	var want []string
	for _, step := range []struct{ clock, next, made string }{
		{"2026-01-06 00:00:01", "2026-01-06", "2026-01-05"},
		{"2026-01-05 23:59:59", "2026-01-05", ""}, // back by seconds, over midnight
		{"2026-01-06 00:00:02", "2026-01-06", ""}, // the run is there
		{"2030-07-01 12:00:00", "2030-07-01", "2030-06-30"},
		{"2026-01-06 12:00:00", "2026-01-06", ""},
		{"2026-01-07 00:00:00", "2026-01-07", "2026-01-06"}, // not in 2030
		{"2026-01-03 12:00:00", "2026-01-03", ""},           // before all that ran
		{"2026-01-04 12:00:00", "2026-01-04", "2026-01-03"}, // which is one that never ran
		{"2026-01-05 12:00:00", "2026-01-05", "2026-01-04"},
		{"2026-01-06 12:00:00", "2026-01-06", ""},
		{"2026-01-08 12:00:00", "2026-01-08", "2026-01-07"},
	} {
		set(step.clock)
		next(step.next)
		if step.made != "" {
			want = append(want, "scheduled__"+step.made+"T00:00:00+00:00")
		}
		runs, _, err := s.Runs(t.Context(), dagrunstore.RunQuery{DAGID: "d"})
		require.NoError(t, err)
		var ids []string
		for _, r := range runs {
			ids = append(ids, r.ID)
		}
		require.ElementsMatch(t, want, ids, step.clock)
	}
}
