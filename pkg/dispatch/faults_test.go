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
	onEach(t, testATaskWhoseEndCannotBeStoredIsTakenBack)
}

func testATaskWhoseEndCannotBeStoredIsTakenBack(t *testing.T, at place) {
	s := store(t, at)
	opts := options(t, at, s, nil)
	db, err := sqlstore.Open(t.Context(), string(at), opts.Log)
	require.NoError(t, err)
	defer func() { require.NoError(t, sqlstore.Close(db)) }()
	exec := func(statements ...string) {
		require.NoError(t, sqlstore.InTx(t.Context(), db, func(tx *gorm.DB) error {
			for _, statement := range statements {
				if err := tx.Exec(statement).Error; err != nil {
					return err
				}
			}
			return nil
		}))
	}
	refuse := map[sqlstore.Engine][]string{
		sqlstore.SQLite: {"CREATE TRIGGER refuse BEFORE UPDATE ON task_instance BEGIN SELECT RAISE(ABORT, 'refused'); END"},
		sqlstore.Postgres: {
			"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$refused$$; END'",
			"CREATE TRIGGER refuse BEFORE UPDATE ON task_instance EXECUTE FUNCTION refuse()",
		},
	}[sqlstore.EngineOf(db)]
	accept := map[sqlstore.Engine]string{sqlstore.SQLite: "DROP TRIGGER refuse", sqlstore.Postgres: "DROP TRIGGER refuse ON task_instance"}[sqlstore.EngineOf(db)]
	refused := make(chan struct{})
	opts.Plans = []*dag.Plan{plan(t, task("t", func(_ context.Context, tc *dag.TaskContext) (dag.Result, error) {
		if tc.Try == 1 {
			exec(refuse...)
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
	require.Eventually(t, func() bool { return apperror.CodeOf(b.Ready(t.Context())) == apperror.Unavailable }, time.Minute, 5*time.Millisecond)
	exec(accept)
	b.awaitRun(t, "r", dag.RunSuccess)
	require.Eventually(t, func() bool { return b.Ready(t.Context()) == nil }, time.Minute, 5*time.Millisecond)
	i := b.instance(t, "r", "t")
	require.Equal(t, 2, i.Try)
	require.Zero(t, i.Failures, "it uses up no retry")
}
