package dispatch_test

import (
	"context"
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
