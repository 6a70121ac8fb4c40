package dispatch_test

import (
	"context"
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
	"tasador/pkg/testkit"
)

// endLock ends the sessions that hold locks of pipelines, which a server that is restarted does too.
func endLock(t *testing.T, server *testkit.DatabaseServer) {
	t.Helper()
	server.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tasador pipeline lock'")
}

func TestATaskGoesOnWhenTheLockComesBackSoon(t *testing.T) {
	at := place(testkit.Postgres(t).NewDatabase(t))
	s := store(t, at)
	begun, release := make(chan struct{}), make(chan struct{})
	opts := options(t, at, s, plan(t, task("long", func(ctx context.Context, _ *dag.TaskContext) (dag.Result, error) {
		close(begun)
		select {
		case <-release:
			return dag.Done(), nil
		case <-ctx.Done():
			return dag.Result{}, context.Cause(ctx)
		}
	}), task("after", ok, "long")))
	opts.Grace = time.Minute
	b := start(t, opts)
	b.trigger(t, "r")
	<-begun
	lost := opts.Lock.Lost()
	endLock(t, testkit.Postgres(t))
	<-lost
	require.Eventually(t, func() bool { return isHeld(opts.Lock) && b.Ready(t.Context()) == nil }, time.Minute, 5*time.Millisecond)
	close(release)
	b.awaitRun(t, "r", dag.RunSuccess)
	require.Equal(t, 1, b.instance(t, "r", "long").Try)
}

func isHeld(lock *dagrunstore.Lock) bool {
	select {
	case <-lock.Lost():
		return false
	default:
		return true
	}
}

// TestAProcessThatLosesItsLockToAnotherStops: the other has it, and runs what was under way here.
func TestAProcessThatLosesItsLockToAnotherStops(t *testing.T) {
	at := place(testkit.Postgres(t).NewDatabase(t))
	s := store(t, at)
	begun := make(chan struct{})
	opts := options(t, at, s, plan(t, task("long", func(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
		close(begun)
		return untilCancelled(ctx, tc)
	})))
	opts.Grace, opts.Linger = time.Minute, time.Minute
	e, err := dispatch.Open(t.Context(), opts)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- e.Run(context.Background(), func() {}) }()
	_, err = e.Trigger(t.Context(), "d", dagrunstore.NewRun{ID: "r", Type: dag.Manual})
	require.NoError(t, err)
	<-begun

	// The other waits for the lock at the server, so that it has it as soon as the connection of the first is lost.
	pool, err := sqlstore.OpenPostgresPool(t.Context(), string(at), 2)
	require.NoError(t, err)
	defer pool.Close()
	other, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	got := make(chan error, 1)
	go func() {
		_, err := other.Exec(context.Background(), "SELECT pg_advisory_lock(hashtextextended('tasador pipeline lock of public', 0))")
		got <- err
	}()
	require.Eventually(t, func() bool {
		var waiting bool
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)").Scan(&waiting))
		return waiting
	}, time.Minute, 5*time.Millisecond)
	endLock(t, testkit.Postgres(t))
	require.NoError(t, <-got)
	err = <-done
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "another pipeline process already runs the tasks of this database")
	require.NoError(t, opts.Lock.Release())
	require.NoError(t, other.Conn().Close(t.Context()))
	other.Release()

	b := start(t, options(t, at, s, plan(t, task("long", ok))))
	b.awaitRun(t, "r", dag.RunSuccess)
	i := b.instance(t, "r", "long")
	require.Equal(t, 2, i.Try)
	require.Zero(t, i.Failures)
}

// TestANetworkThatFallsSilent holds all back for a while; then it works again, but for the connections of before.
func TestANetworkThatFallsSilent(t *testing.T) {
	server := testkit.Postgres(t)
	url, line := server.NewDatabase(t), testkit.NewLine(t, server.Address())
	at := place(strings.Replace(url, server.Address(), line.Address(), 1))
	begun, ended := make(chan struct{}, 2), make(chan struct{})
	opts := options(t, at, store(t, at), plan(t, task("long", func(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
		begun <- struct{}{}
		if tc.Try == 1 {
			defer close(ended)
			return untilCancelled(ctx, tc)
		}
		return dag.Done(), nil
	})))
	b := start(t, opts)
	b.trigger(t, "r")
	<-begun
	line.Silence()
	<-ended // cancelled before the server would give the lock to anybody else
	line.Restore()
	line.Break()
	direct := &bench{store: store(t, place(url))}
	direct.awaitRun(t, "r", dag.RunSuccess)
	require.Equal(t, 2, direct.instance(t, "r", "long").Try)
	require.Zero(t, direct.instance(t, "r", "long").Failures)
}

// TestAServerThatIsRestarted stops the server while a task runs, and starts it again: what is not ready says so, the task is cancelled as soon as
// the grace is over, and all goes on by itself.
func TestAServerThatIsRestarted(t *testing.T) {
	server := testkit.StartPostgres(t)
	url := server.NewDatabase(t)
	s := store(t, place(url))
	begun := make(chan struct{}, 2)
	var cancelled atomic.Bool
	opts := options(t, place(url), s, plan(t, task("long", func(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
		begun <- struct{}{}
		if tc.Try == 1 {
			<-ctx.Done()
			cancelled.Store(true)
			return dag.Result{}, ctx.Err()
		}
		return dag.Done(), nil
	}), task("after", ok, "long")))
	b := start(t, opts)
	b.trigger(t, "r")
	<-begun
	server.Stop(t)
	require.Eventually(t, func() bool { return apperror.CodeOf(b.Ready(t.Context())) == apperror.Unavailable && cancelled.Load() }, time.Minute, 5*time.Millisecond)
	_, err := b.Trigger(t.Context(), "d", dagrunstore.NewRun{ID: "other", Type: dag.Manual})
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err), "%v", err)
	require.Contains(t, apperror.MessageOf(err), "does not answer; check that it runs")
	require.Contains(t, apperror.MessageOf(s.Ping(t.Context())), "does not answer; check that it runs")
	require.Contains(t, apperror.MessageOf(b.Ready(t.Context())), "does not answer; check that it runs")
	server.Restart(t)
	b.awaitRun(t, "r", dag.RunSuccess)
	require.Eventually(t, func() bool { return b.Ready(t.Context()) == nil }, time.Minute, 5*time.Millisecond)
	require.Zero(t, b.instance(t, "r", "long").Failures, "it uses up no retry")
	require.Equal(t, 2, b.instance(t, "r", "long").Try)
}
