package dagrunstore_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/pkg/testkit"
)

// TestPruneKeepsTheNewestWhole makes five runs, of which the first is run again last, and keeps three: rows of the others are nowhere left.
func TestPruneKeepsTheNewestWhole(t *testing.T) {
	testkit.OnEach(t, engines, testPruneKeepsTheNewestWhole)
}

func testPruneKeepsTheNewestWhole(t *testing.T, url string) {
	db, err := sqlstore.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	s, err := dagrunstore.Open(t.Context(), db)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.EnsureDAG(t.Context(), "d"))
	p := chain(t)
	run := func(at time.Time) {
		progress, started, err := s.StartRun(t.Context(), p, 1, at)
		require.NoError(t, err)
		require.True(t, started)
		for len(progress.Jobs) > 0 {
			c := claim(t, s, progress.Jobs[0], at)
			require.NoError(t, s.PushXCom(t.Context(), c, "k", []byte("1"), at))
			require.NoError(t, s.AppendLog(t.Context(), c.Instance, c.Try, dagrunstore.LogLine{At: at, Level: "INFO", Message: "m"}))
			progress, _, _, err = s.Finish(t.Context(), p, c, dagrunstore.Outcome{}, at.Add(time.Second))
			require.NoError(t, err)
		}
	}
	for i := range 5 {
		at := now.Add(time.Duration(i) * time.Hour)
		_, err := s.Trigger(t.Context(), p, dagrunstore.NewRun{ID: fmt.Sprint("r", i), Type: dag.Manual}, at)
		require.NoError(t, err)
		run(at)
	}
	_, err = s.Clear(t.Context(), "d", "r0", p.TaskIDs(), nil, false, now.Add(9*time.Hour))
	require.NoError(t, err)
	run(now.Add(10 * time.Hour))
	_, err = s.Trigger(t.Context(), p, dagrunstore.NewRun{ID: "waits", Type: dag.Manual}, now.Add(11*time.Hour))
	require.NoError(t, err)

	deleted, more, err := s.Prune(t.Context(), "d", 3)
	require.NoError(t, err)
	require.Equal(t, 2, deleted)
	require.False(t, more)
	kept, _, err := s.Runs(t.Context(), dagrunstore.RunQuery{Order: []dagrunstore.RunOrder{{Field: "dag_run_id"}}})
	require.NoError(t, err)
	var ids []string
	for _, r := range kept {
		ids = append(ids, r.ID)
	}
	require.Equal(t, []string{"r0", "r3", "r4", "waits"}, ids, "what ended longest ago goes, and what has not ended never does")

	pool, err := sqlstore.Pool(db)
	require.NoError(t, err)
	// Two tasks for each of four runs; three runs of one try each and one of two.
	for table, want := range map[string]int{"task_instance": 8, "task_try": 8, "xcom": 6, "task_log": 8} {
		var n int
		require.NoError(t, pool.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
		require.Equal(t, want, n, table)
	}
	deleted, _, err = s.Prune(t.Context(), "d", 3)
	require.NoError(t, err)
	require.Zero(t, deleted)
}

func pruneDeletesABackfillOfWhichNothingIsLeft(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	_, _, err := s.CreateBackfill(t.Context(), p, backfillOf(2, dag.ReprocessNone), now)
	require.NoError(t, err)
	require.Len(t, drain(t, s, p), 2)
	_, err = s.Trigger(t.Context(), p, dagrunstore.NewRun{ID: "later", Type: dag.Manual}, now.Add(time.Hour))
	require.NoError(t, err)
	_, _, err = s.Prune(t.Context(), "d", 1)
	require.NoError(t, err)
	_, total, err := s.Backfills(t.Context(), "d", 0, 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, total, "one of its runs is left")
	_, _, err = s.Prune(t.Context(), "d", 0)
	require.NoError(t, err)
	_, total, err = s.Backfills(t.Context(), "d", 0, 0)
	require.NoError(t, err)
	require.Zero(t, total)
}
