package dagrunstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
)

// days are the daily intervals from the first of December 2025 on.
func days(n int) []dag.Interval {
	var out []dag.Interval
	for i := range n {
		start := time.Date(2025, 12, 1+i, 0, 0, 0, 0, time.UTC)
		out = append(out, dag.Interval{Start: start, End: start.AddDate(0, 0, 1)})
	}
	return out
}

func backfillOf(n int, reprocess dag.Reprocess) dagrunstore.NewBackfill {
	list := days(n)
	return dagrunstore.NewBackfill{From: list[0].Start, To: list[n-1].Start, Intervals: list, Reprocess: reprocess}
}

// end runs the run that is started to its end, as a success or not.
func end(t *testing.T, s *dagrunstore.Store, p *dag.Plan, progress dagrunstore.Progress, fails bool) {
	t.Helper()
	for len(progress.Jobs) > 0 {
		c := claim(t, s, progress.Jobs[0], now)
		out := dagrunstore.Outcome{}
		if fails && c.TaskID == "first" {
			out.Err = errors.New("it had to fail")
		}
		var ok bool
		var err error
		progress, _, ok, err = s.Finish(t.Context(), p, c, out, now.Add(time.Minute))
		require.NoError(t, err)
		require.True(t, ok)
	}
	require.True(t, progress.Ended)
}

// drain runs everything that is queued, one run after the other, and returns their ids in order.
func drain(t *testing.T, s *dagrunstore.Store, p *dag.Plan) []string {
	t.Helper()
	var ids []string
	for {
		progress, started, err := s.StartRun(t.Context(), p, 1, now)
		require.NoError(t, err)
		if !started {
			return ids
		}
		ids = append(ids, progress.Run.ID)
		end(t, s, p, progress, false)
	}
}

func stateOf(t *testing.T, s *dagrunstore.Store, id string) dag.RunState {
	t.Helper()
	run, err := s.Run(t.Context(), "d", id)
	require.NoError(t, err)
	return run.State
}

func aBackfillMakesWhatIsMissingAndRunsAgainWhatFailed(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	list := days(4)
	trigger := func(id string, at time.Time, fails bool) {
		_, err := s.Trigger(t.Context(), p, dagrunstore.NewRun{ID: id, Type: dag.Manual, LogicalDate: at, Conf: `{"a":1}`}, now)
		require.NoError(t, err)
		progress, started, err := s.StartRun(t.Context(), p, 1, now)
		require.NoError(t, err)
		require.True(t, started)
		end(t, s, p, progress, fails)
	}
	trigger("good", list[1].Start, false)
	trigger("bad", list[2].Start, true)
	want := []dagrunstore.BackfillRun{
		{Interval: list[0], RunID: "backfill__2025-12-01T00:00:00+00:00", Runs: true},
		{Interval: list[1], RunID: "good", Was: dag.RunSuccess},
		{Interval: list[2], RunID: "bad", Was: dag.RunFailed, Runs: true},
		{Interval: list[3], RunID: "backfill__2025-12-04T00:00:00+00:00", Runs: true},
	}
	plan, err := s.PlanBackfill(t.Context(), "d", list, dag.ReprocessFailed)
	require.NoError(t, err)
	require.Equal(t, want, plan)
	_, total, err := s.Runs(t.Context(), dagrunstore.RunQuery{})
	require.NoError(t, err)
	require.EqualValues(t, 2, total, "a plan changes nothing")

	n := backfillOf(4, dag.ReprocessFailed)
	n.Conf = `{"b":2}`
	b, done, err := s.CreateBackfill(t.Context(), p, n, now)
	require.NoError(t, err)
	require.Equal(t, want, done)
	require.True(t, b.CompletedAt.IsZero())
	bad, err := s.Run(t.Context(), "d", "bad")
	require.NoError(t, err)
	require.Equal(t, dag.RunQueued, bad.State)
	require.JSONEq(t, `{"a":1}`, string(bad.Conf), "a run that runs again keeps its conf")
	require.Equal(t, now, bad.StartedAt, "and its start")

	_, _, err = s.CreateBackfill(t.Context(), p, backfillOf(2, dag.ReprocessNone), now)
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err), "one at a time")
	_, err = s.Trigger(t.Context(), p, dagrunstore.NewRun{ID: "by hand", Type: dag.Manual}, now)
	require.NoError(t, err)
	require.Equal(t, []string{"by hand", want[0].RunID, "bad", want[3].RunID}, drain(t, s, p), "others first, then the backfill in its order")

	first, err := s.Run(t.Context(), "d", want[0].RunID)
	require.NoError(t, err)
	require.Equal(t, dag.Backfill, first.Type)
	require.Equal(t, "backfill", first.TriggeredBy)
	require.JSONEq(t, `{"b":2}`, string(first.Conf))
	require.Equal(t, list[0].End, first.IntervalEnd)
	require.Equal(t, b.ID, first.Backfill)
	b, err = s.Backfill(t.Context(), b.ID)
	require.NoError(t, err)
	require.Equal(t, now.Add(time.Minute), b.CompletedAt, "its last run ended then")
	counts, err := s.BackfillCounts(t.Context(), "d")
	require.NoError(t, err)
	require.Equal(t, map[int64]map[dag.RunState]int{b.ID: {dag.RunSuccess: 3}}, counts)

	// The same once more has nothing to do.
	b, done, err = s.CreateBackfill(t.Context(), p, backfillOf(4, dag.ReprocessFailed), now)
	require.NoError(t, err)
	require.Equal(t, b.CreatedAt, b.CompletedAt)
	for _, r := range done {
		require.False(t, r.Runs, r.RunID)
	}
	require.Empty(t, drain(t, s, p))
}

func aBackfillIsAllOrNothing(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	// The id of the third day is taken by a run of another date.
	_, err := s.Trigger(t.Context(), p, dagrunstore.NewRun{ID: "backfill__2025-12-03T00:00:00+00:00", Type: dag.Manual}, now)
	require.NoError(t, err)
	_, _, err = s.CreateBackfill(t.Context(), p, backfillOf(4, dag.ReprocessNone), now)
	require.Equal(t, apperror.AlreadyExists, apperror.CodeOf(err))
	_, total, err := s.Runs(t.Context(), dagrunstore.RunQuery{})
	require.NoError(t, err)
	require.EqualValues(t, 1, total)
	_, total, err = s.Backfills(t.Context(), "d", 0, 0)
	require.NoError(t, err)
	require.Zero(t, total)

	n := backfillOf(2, dag.ReprocessNone)
	n.Agreed = func(runs []dagrunstore.BackfillRun) bool { return len(runs) == 9 }
	_, _, err = s.CreateBackfill(t.Context(), p, n, now)
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
	_, total, err = s.Runs(t.Context(), dagrunstore.RunQuery{})
	require.NoError(t, err)
	require.EqualValues(t, 1, total)
}

func aBackfillGoesBackwardsAndCanBeCancelled(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	n := backfillOf(3, dag.ReprocessNone)
	n.Intervals[0], n.Intervals[2] = n.Intervals[2], n.Intervals[0]
	b, _, err := s.CreateBackfill(t.Context(), p, n, now)
	require.NoError(t, err)
	progress, started, err := s.StartRun(t.Context(), p, 1, now)
	require.NoError(t, err)
	require.True(t, started)
	require.Equal(t, "backfill__2025-12-03T00:00:00+00:00", progress.Run.ID)

	b, err = s.CancelBackfill(t.Context(), b.ID, now.Add(time.Second))
	require.NoError(t, err)
	require.Equal(t, now.Add(time.Second), b.CompletedAt)
	require.Equal(t, dag.RunRunning, stateOf(t, s, "backfill__2025-12-03T00:00:00+00:00"), "what runs goes on")
	require.Equal(t, dag.RunFailed, stateOf(t, s, "backfill__2025-12-01T00:00:00+00:00"))
	_, err = s.CancelBackfill(t.Context(), b.ID, now.Add(time.Hour))
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
	_, err = s.CancelBackfill(t.Context(), 99, now)
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
	end(t, s, p, progress, false)
	require.Empty(t, drain(t, s, p))
	// What was cancelled can be made up for.
	_, _, err = s.CreateBackfill(t.Context(), p, backfillOf(3, dag.ReprocessFailed), now.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, []string{"backfill__2025-12-01T00:00:00+00:00", "backfill__2025-12-02T00:00:00+00:00"}, drain(t, s, p))
}

func theScheduleMakesNoSecondRunOfADay(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	schedule, err := dag.ParseSchedule("@daily", "2025-11-01", "UTC", true)
	require.NoError(t, err)
	begin := days(1)[0].Start
	_, err = s.PlanSchedule(t.Context(), p, schedule, begin)
	require.NoError(t, err)
	_, _, err = s.CreateBackfill(t.Context(), p, backfillOf(2, dag.ReprocessNone), now)
	require.NoError(t, err)
	made, err := s.PlanSchedule(t.Context(), p, schedule, begin.AddDate(0, 0, 3))
	require.NoError(t, err)
	require.Equal(t, []string{"scheduled__2025-12-03T00:00:00+00:00"}, made)
}
