package dispatch_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/dispatch"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
)

func TestStopHandsBackAndTheNextProcessGoesOn(t *testing.T) {
	onEach(t, testStopHandsBackAndTheNextProcessGoesOn)
}

func testStopHandsBackAndTheNextProcessGoesOn(t *testing.T, at place) {
	s := store(t, at)
	begun := make(chan struct{})
	first := start(t, options(t, at, s, plan(t, task("long", func(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
		close(begun)
		return untilCancelled(ctx, tc)
	}), task("after", ok, "long"))))
	first.trigger(t, "r")
	<-begun
	require.NoError(t, first.stop())
	i := first.instance(t, "r", "long")
	require.Equal(t, dag.StateQueued, i.State)
	require.Equal(t, 0, i.Failures)

	second := start(t, options(t, at, s, plan(t, task("long", ok), task("after", ok, "long"))))
	second.awaitRun(t, "r", dag.RunSuccess)
	require.Equal(t, 2, second.instance(t, "r", "long").Try)
	require.Contains(t, second.logOf(t, "r", "long", 1), "The server stopped before the task ended")
}

func TestRetryThatIsDueSurvivesARestart(t *testing.T) { onEach(t, testRetryThatIsDueSurvivesARestart) }

func testRetryThatIsDueSurvivesARestart(t *testing.T, at place) {
	s := store(t, at)
	failing := task("t", func(context.Context, *dag.TaskContext) (dag.Result, error) {
		return dag.Result{}, errors.New("not yet")
	})
	failing.Retries, failing.RetryDelay = 1, time.Hour
	now := time.Now()
	opts := options(t, at, s, plan(t, failing))
	first := start(t, opts)
	first.trigger(t, "r")
	require.Eventually(t, func() bool { return first.instance(t, "r", "t").State == dag.StateUpForRetry }, time.Minute, 5*time.Millisecond)
	require.NoError(t, first.stop())

	opts = options(t, at, s, plan(t, task("t", ok)))
	opts.Now = func() time.Time { return now.Add(2 * time.Hour) }
	second := start(t, opts)
	second.awaitRun(t, "r", dag.RunSuccess)
	require.Equal(t, 2, second.instance(t, "r", "t").Try)
}

// TestQueuedWithoutAJobIsRun is a process that ended between committing that a try is queued and inserting its job.
func TestQueuedWithoutAJobIsRun(t *testing.T) { onEach(t, testQueuedWithoutAJobIsRun) }

func testQueuedWithoutAJobIsRun(t *testing.T, at place) {
	s, p := store(t, at), plan(t, task("t", ok))
	require.NoError(t, s.EnsureDAG(t.Context(), "d"))
	_, err := s.Trigger(t.Context(), p, dagrunstore.NewRun{ID: "r", Type: dag.Manual}, time.Now())
	require.NoError(t, err)
	_, started, err := s.StartRun(t.Context(), p, 1, time.Now())
	require.NoError(t, err)
	require.True(t, started)
	b := start(t, options(t, at, s, p))
	b.awaitRun(t, "r", dag.RunSuccess)
	require.Equal(t, 1, b.instance(t, "r", "t").Try)
}

// TestALostClaimEndsTheSayOfATry takes a task away while it goes on, as another process would: a second try takes over, and what the first
// one does afterwards counts for nothing.
func TestALostClaimEndsTheSayOfATry(t *testing.T) { onEach(t, testALostClaimEndsTheSayOfATry) }

func testALostClaimEndsTheSayOfATry(t *testing.T, at place) {
	s := store(t, at)
	begun, release, late := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	b := start(t, options(t, at, s, plan(t, task("t", func(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
		if tc.Try == 1 {
			close(begun)
			<-release
			late <- tc.XComs.Push(ctx, "by", tc.Try)
			return dag.Result{}, errors.New("the first try failed after all")
		}
		return dag.Done(), tc.XComs.Push(ctx, "by", tc.Try)
	}))))
	b.trigger(t, "r")
	<-begun
	claims, err := s.Running(t.Context(), "d")
	require.NoError(t, err)
	_, taken, err := s.Requeue(t.Context(), claims[0], "taken away", time.Now())
	require.NoError(t, err)
	require.True(t, taken)
	b.Wake()
	run := b.awaitRun(t, "r", dag.RunSuccess)
	close(release)
	require.ErrorContains(t, <-late, "has lost its lease")
	require.NoError(t, b.stop())

	i := b.instance(t, "r", "t")
	require.Equal(t, dag.StateSuccess, i.State)
	require.Zero(t, i.Failures)
	x, err := s.XComOf(t.Context(), run.Key, "t", "by")
	require.NoError(t, err)
	require.JSONEq(t, "2", string(x.Value))
}

// TestATaskThatLosesItsLeaseIsCancelled: the heartbeat learns that the claim is gone.
func TestATaskThatLosesItsLeaseIsCancelled(t *testing.T) {
	onEach(t, testATaskThatLosesItsLeaseIsCancelled)
}

func testATaskThatLosesItsLeaseIsCancelled(t *testing.T, at place) {
	s := store(t, at)
	begun, cancelled := make(chan struct{}), make(chan struct{})
	opts := options(t, at, s, plan(t, task("t", func(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
		if tc.Try == 1 {
			close(begun)
			<-ctx.Done()
			close(cancelled)
		}
		return dag.Done(), ctx.Err()
	})))
	opts.Lease = 100 * time.Millisecond
	b := start(t, opts)
	b.trigger(t, "r")
	<-begun
	claims, err := s.Running(t.Context(), "d")
	require.NoError(t, err)
	_, _, err = s.Requeue(t.Context(), claims[0], "taken away", time.Now())
	require.NoError(t, err)
	<-cancelled
	b.awaitRun(t, "r", dag.RunSuccess)
}

// TestASleepOfTheMachineLosesNothing lets the clock jump past the lease of a task that goes on here: it keeps its claim.
func TestASleepOfTheMachineLosesNothing(t *testing.T) { onEach(t, testASleepOfTheMachineLosesNothing) }

func testASleepOfTheMachineLosesNothing(t *testing.T, at place) {
	begun, release := make(chan struct{}), make(chan struct{})
	opts := options(t, at, store(t, at), plan(t, task("t", func(context.Context, *dag.TaskContext) (dag.Result, error) {
		close(begun)
		<-release
		return dag.Done(), nil
	})))
	var ahead atomic.Int64
	opts.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	b := start(t, opts)
	b.trigger(t, "r")
	<-begun
	ahead.Store(int64(8 * time.Hour))
	for range 2 { // when it looks for the second time, the first look has ended
		before := b.LastTick()
		b.Wake()
		require.Eventually(t, func() bool { return b.LastTick().After(before) }, time.Minute, 5*time.Millisecond)
	}
	close(release)
	b.awaitRun(t, "r", dag.RunSuccess)
	require.Equal(t, 1, b.instance(t, "r", "t").Try)
}

// TestAClaimThatNobodyRenewsIsTakenBack: a worker claims a task and is never heard of again.
func TestAClaimThatNobodyRenewsIsTakenBack(t *testing.T) {
	onEach(t, testAClaimThatNobodyRenewsIsTakenBack)
}

func testAClaimThatNobodyRenewsIsTakenBack(t *testing.T, at place) {
	s := store(t, at)
	begun, release := make(chan struct{}), make(chan struct{})
	opts := options(t, at, s, plan(t, task("busy", func(context.Context, *dag.TaskContext) (dag.Result, error) {
		close(begun)
		<-release
		return dag.Done(), nil
	}), task("t", ok)))
	opts.Workers, opts.Reconcile = 1, 20*time.Millisecond
	b := start(t, opts)
	b.trigger(t, "r")
	<-begun
	i := b.instance(t, "r", "t")
	_, claimed, err := s.Claim(t.Context(), dagrunstore.Job{Instance: i.Key, Try: 1}, time.Now().Add(50*time.Millisecond), time.Now())
	require.NoError(t, err)
	require.True(t, claimed, "the only worker is busy")
	require.Eventually(t, func() bool { return b.instance(t, "r", "t").Try == 2 }, time.Minute, 5*time.Millisecond)
	close(release)
	b.awaitRun(t, "r", dag.RunSuccess)
	require.Contains(t, b.logOf(t, "r", "t", 1), "The lease of this try ran out")
}

// TestATaskThatIsGoneFails is a run that was begun by another version of the DAG.
func TestATaskThatIsGoneFails(t *testing.T) { onEach(t, testATaskThatIsGoneFails) }

func testATaskThatIsGoneFails(t *testing.T, at place) {
	s, old := store(t, at), plan(t, task("gone", ok), task("kept", ok))
	require.NoError(t, s.EnsureDAG(t.Context(), "d"))
	_, err := s.Trigger(t.Context(), old, dagrunstore.NewRun{ID: "r", Type: dag.Manual}, time.Now())
	require.NoError(t, err)
	_, _, err = s.StartRun(t.Context(), old, 1, time.Now())
	require.NoError(t, err)
	b := start(t, options(t, at, s, plan(t, task("kept", ok), task("new", ok, "kept"))))
	b.awaitRun(t, "r", dag.RunSuccess)
	require.Equal(t, dag.StateSuccess, b.instance(t, "r", "new").State)
	require.Eventually(t, func() bool { return b.instance(t, "r", "gone").State == dag.StateFailed }, time.Minute, 5*time.Millisecond)
	require.Contains(t, b.logOf(t, "r", "gone", 1), "has no task gone")
}

// TestLostJobsAreMadeAgain: the rows alone say what is to be done; damaged tables of jobs are refused with a sentence that says to delete them.
func TestLostJobsAreMadeAgain(t *testing.T) { onEach(t, testLostJobsAreMadeAgain) }

func testLostJobsAreMadeAgain(t *testing.T, at place) {
	s, p := store(t, at), plan(t, task("t", ok))
	require.NoError(t, s.EnsureDAG(t.Context(), "d"))
	_, err := s.Trigger(t.Context(), p, dagrunstore.NewRun{ID: "r", Type: dag.Manual}, time.Now())
	require.NoError(t, err)
	opts := options(t, at, s, p)
	says, remove := damageJobs(t, at, opts)
	_, err = dispatch.Open(t.Context(), opts)
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.Contains(t, apperror.MessageOf(err), says)
	remove()
	start(t, opts).awaitRun(t, "r", dag.RunSuccess)
}

// damageJobs leaves tables of jobs that cannot be used. remove takes them away, as the message says to do.
func damageJobs(t *testing.T, at place, opts dispatch.Options) (says string, remove func()) {
	t.Helper()
	if !sqlstore.IsServer(string(at)) {
		file := strings.TrimSuffix(strings.TrimPrefix(string(at), "sqlite:"), ".db") + "-jobs.db"
		require.NoError(t, os.WriteFile(file, bytes.Repeat([]byte("no database"), 1000), 0o600))
		return "if it is damaged, delete it", func() { require.NoError(t, os.Remove(file)) }
	}
	e, err := dispatch.Open(t.Context(), opts)
	require.NoError(t, err)
	stopped, cancel := context.WithCancel(t.Context())
	require.NoError(t, e.Run(stopped, cancel))
	pool, err := sqlstore.OpenPostgresPool(t.Context(), string(at), 1)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), "INSERT INTO tasador_jobs.river_migration (line, version) VALUES ('main', 999)") // a newer River's
	require.NoError(t, err)
	return "drop the schema", func() {
		_, err := pool.Exec(t.Context(), "DROP SCHEMA tasador_jobs CASCADE")
		require.NoError(t, err)
	}
}
