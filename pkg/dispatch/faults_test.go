package dispatch_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore"
)

// TestATaskWhoseEndCannotBeStoredIsTakenBack lets the database refuse what a task has come to, as one on a full disk does. The task runs
// again as soon as the database takes it, long before the lease of the try runs out.
func TestATaskWhoseEndCannotBeStoredIsTakenBack(t *testing.T) {
	dir := t.TempDir()
	s := store(t, dir)
	opts := options(t, dir, s, nil)
	db, err := sqlstore.Open(t.Context(), "sqlite:"+dir+"/pipeline.db", opts.Log)
	require.NoError(t, err)
	defer func() { require.NoError(t, sqlstore.Close(db)) }()
	exec := func(statement string) {
		require.NoError(t, sqlstore.InTx(t.Context(), db, func(tx *gorm.DB) error { return tx.Exec(statement).Error }))
	}
	refused := make(chan struct{})
	opts.Plans = []*dag.Plan{plan(t, task("t", func(_ context.Context, tc *dag.TaskContext) (dag.Result, error) {
		if tc.Try == 1 {
			exec("CREATE TRIGGER refuse BEFORE UPDATE ON task_instance BEGIN SELECT RAISE(ABORT, 'refused'); END")
			close(refused)
		}
		return dag.Done(), nil
	}))}
	opts.Lease = time.Hour
	b := start(t, opts)
	b.trigger(t, "r")
	<-refused
	for range 3 { // it looks after the row, and cannot do anything about it
		before := b.LastTick()
		b.Wake()
		require.Eventually(t, func() bool { return b.LastTick().After(before) }, time.Minute, 5*time.Millisecond)
	}
	require.Equal(t, dag.StateRunning, b.instance(t, "r", "t").State)
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(b.Ready(t.Context())))
	exec("DROP TRIGGER refuse")
	b.awaitRun(t, "r", dag.RunSuccess)
	require.Eventually(t, func() bool { return b.Ready(t.Context()) == nil }, time.Minute, 5*time.Millisecond)
	i := b.instance(t, "r", "t")
	require.Equal(t, 2, i.Try)
	require.Zero(t, i.Failures, "it uses up no retry")
}

// TestAClockThatJumpsLosesNothing sets the clock by days, months and years in the middle of tasks, both ways.
func TestAClockThatJumpsLosesNothing(t *testing.T) {
	dir := t.TempDir()
	var ahead atomic.Int64
	var ran [6]atomic.Int64
	var tasks []dag.Task
	for n, jump := range []time.Duration{-24 * time.Hour, 365 * 24 * time.Hour, -90 * 24 * time.Hour, time.Minute, -time.Second, 0} {
		id := string(rune('a' + n))
		next := task(id, func(context.Context, *dag.TaskContext) (dag.Result, error) {
			ahead.Store(int64(jump))
			ran[n].Add(1)
			return dag.Done(), nil
		})
		if n > 0 {
			next.Upstream = []string{string(rune('a' + n - 1))}
		}
		tasks = append(tasks, next)
	}
	opts := options(t, dir, store(t, dir), plan(t, tasks...))
	opts.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	b := start(t, opts)
	for round, id := range []string{"r1", "r2"} {
		b.trigger(t, id)
		b.awaitRun(t, id, dag.RunSuccess)
		for n := range ran {
			require.EqualValues(t, round+1, ran[n].Load(), "task %d", n)
		}
	}
}
