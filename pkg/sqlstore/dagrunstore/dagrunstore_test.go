package dagrunstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/migrations"
	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/pkg/testkit"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 678000, time.UTC)

func nothing(context.Context, *dag.TaskContext) (dag.Result, error) { return dag.Done(), nil }

// chain is first → second, of which second is tried three times.
func chain(t *testing.T) *dag.Plan {
	t.Helper()
	p, err := dag.NewPlan(dag.Definition{ID: "d", Tasks: []dag.Task{
		{ID: "first", Run: nothing}, {ID: "second", Upstream: []string{"first"}, Run: nothing, Retries: 2, RetryDelay: time.Minute},
	}})
	require.NoError(t, err)
	return p
}

// engines are those that the store can be kept in.
var engines = migrations.Dialects("dagrun")

func open(t *testing.T, url string) *dagrunstore.Store {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	s, err := dagrunstore.Open(t.Context(), db)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, sqlstore.MigrateDown(context.Background(), db, "dagrun", 0)) // the next test finds it empty
		require.NoError(t, s.Close())
	})
	require.NoError(t, s.EnsureDAG(t.Context(), "d"))
	return s
}

// TestStore holds the store on each engine to what the dispatcher and the pages rely on.
func TestStore(t *testing.T) {
	testkit.OnEach(t, engines, func(t *testing.T, url string) {
		for name, test := range map[string]func(*testing.T, *dagrunstore.Store){
			"TriggeredRunComesBackAsGiven":                      triggeredRunComesBackAsGiven,
			"OfManyWhoClaimOneDoes":                             ofManyWhoClaimOneDoes,
			"ARunGoesThroughItsStates":                          aRunGoesThroughItsStates,
			"ALostClaimChangesNothing":                          aLostClaimChangesNothing,
			"ARenewedLeaseIsNotLost":                            aRenewedLeaseIsNotLost,
			"XComsOfEarlierTriesAreGone":                        xComsOfEarlierTriesAreGone,
			"MaxActiveRunsAndPauseHoldRunsBack":                 maxActiveRunsAndPauseHoldRunsBack,
			"LogLinesAreBounded":                                logLinesAreBounded,
			"ClearOfWhatRunsIsRefused":                          clearOfWhatRunsIsRefused,
			"ABackfillMakesWhatIsMissingAndRunsAgainWhatFailed": aBackfillMakesWhatIsMissingAndRunsAgainWhatFailed,
			"ABackfillIsAllOrNothing":                           aBackfillIsAllOrNothing,
			"ABackfillGoesBackwardsAndCanBeCancelled":           aBackfillGoesBackwardsAndCanBeCancelled,
			"TheScheduleMakesNoSecondRunOfADay":                 theScheduleMakesNoSecondRunOfADay,
			"PruneDeletesABackfillOfWhichNothingIsLeft":         pruneDeletesABackfillOfWhichNothingIsLeft,
			"EverybodyAtOnce":                                   everybodyAtOnce, "ASecondPlannerStartsNoSecondRun": aSecondPlannerStartsNoSecondRun,
			"TextsThatNoDatabaseTakes": textsThatNoDatabaseTakes, "TextsCompareByBytes": textsCompareByBytes,
		} {
			t.Run(name, func(t *testing.T) { test(t, open(t, url)) })
		}
	})
}

// running triggers a run and puts it to work; it returns the job of the first task.
func running(t *testing.T, s *dagrunstore.Store, p *dag.Plan, id string) dagrunstore.Job {
	t.Helper()
	_, err := s.Trigger(t.Context(), p, dagrunstore.NewRun{ID: id, Type: dag.Manual}, now)
	require.NoError(t, err)
	progress, started, err := s.StartRun(t.Context(), p, 1, now)
	require.NoError(t, err)
	require.True(t, started)
	require.Len(t, progress.Jobs, 1)
	return progress.Jobs[0]
}

func claim(t *testing.T, s *dagrunstore.Store, job dagrunstore.Job, at time.Time) dagrunstore.Claim {
	t.Helper()
	c, ok, err := s.Claim(t.Context(), job, at.Add(time.Minute), at)
	require.NoError(t, err)
	require.True(t, ok)
	return c
}

func triggeredRunComesBackAsGiven(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	logical := time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))
	_, err := s.Trigger(t.Context(), p, dagrunstore.NewRun{Type: dag.Manual, LogicalDate: logical, Conf: `{"a":1}`, TriggeredBy: "rest_api", Note: "n"}, now)
	require.NoError(t, err)
	run, err := s.Run(t.Context(), "d", "manual__2026-01-02T03:04:05.000678+00:00")
	require.NoError(t, err)
	require.Equal(t, dag.RunQueued, run.State)
	require.Equal(t, logical.UTC(), run.LogicalDate)
	require.Equal(t, now, run.QueuedAt)
	require.True(t, run.StartedAt.IsZero())
	require.JSONEq(t, `{"a":1}`, string(run.Conf))
	instances, err := s.Instances(t.Context(), "d", run.ID)
	require.NoError(t, err)
	require.Len(t, instances, 2)
	require.Equal(t, dag.StateNone, instances[0].State)

	_, err = s.Trigger(t.Context(), p, dagrunstore.NewRun{ID: run.ID, Type: dag.Manual}, now.Add(time.Hour))
	require.Equal(t, apperror.AlreadyExists, apperror.CodeOf(err))
	_, err = s.Trigger(t.Context(), p, dagrunstore.NewRun{ID: "other", Type: dag.Manual, LogicalDate: logical}, now)
	require.Equal(t, apperror.AlreadyExists, apperror.CodeOf(err), "a logical date has one run")
	_, total, err := s.Runs(t.Context(), dagrunstore.RunQuery{})
	require.NoError(t, err)
	require.EqualValues(t, 1, total)
	_, err = s.Run(t.Context(), "d", "nowhere")
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
}

func ofManyWhoClaimOneDoes(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	job := running(t, s, p, "r")
	var wg sync.WaitGroup
	won := make(chan bool, 8)
	for range 8 {
		wg.Go(func() {
			_, ok, err := s.Claim(t.Context(), job, now.Add(time.Minute), now)
			won <- ok && err == nil
		})
	}
	wg.Wait()
	close(won)
	count := 0
	for ok := range won {
		if ok {
			count++
		}
	}
	require.Equal(t, 1, count)
}

func aRunGoesThroughItsStates(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	first := claim(t, s, running(t, s, p, "r"), now)
	progress, state, ok, err := s.Finish(t.Context(), p, first, dagrunstore.Outcome{}, now.Add(time.Second))
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, dag.StateSuccess, state)
	require.Len(t, progress.Jobs, 1)
	require.False(t, progress.Ended)

	second := claim(t, s, progress.Jobs[0], now.Add(2*time.Second))
	require.Greater(t, second.Fence, first.Fence)
	failedAt := now.Add(3 * time.Second)
	progress, state, _, err = s.Finish(t.Context(), p, second, dagrunstore.Outcome{Err: errors.New("no luck")}, failedAt)
	require.NoError(t, err)
	require.Equal(t, dag.StateUpForRetry, state)
	require.Equal(t, failedAt.Add(time.Minute), progress.Wakeup)
	progress, err = s.Advance(t.Context(), p, second.Run.Key, failedAt.Add(59*time.Second))
	require.NoError(t, err)
	require.Empty(t, progress.Jobs, "the retry is not due")
	progress, err = s.Advance(t.Context(), p, second.Run.Key, failedAt.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, []dagrunstore.Job{{Instance: second.Instance, Try: 2}}, progress.Jobs)

	retry := claim(t, s, progress.Jobs[0], failedAt.Add(2*time.Minute))
	progress, _, _, err = s.Finish(t.Context(), p, retry, dagrunstore.Outcome{}, failedAt.Add(3*time.Minute))
	require.NoError(t, err)
	require.True(t, progress.Ended)
	require.Equal(t, dag.RunSuccess, progress.Run.State)
	require.Equal(t, failedAt.Add(3*time.Minute), progress.Run.EndedAt)
	tries, err := s.Tries(t.Context(), second.Instance)
	require.NoError(t, err)
	require.Equal(t, []dagrunstore.Try{
		{Try: 1, State: dag.StateUpForRetry, QueuedAt: now.Add(time.Second), StartedAt: now.Add(2 * time.Second), Ended: failedAt, Error: "no luck"},
		{Try: 2, State: dag.StateSuccess, QueuedAt: failedAt.Add(time.Minute), StartedAt: failedAt.Add(2 * time.Minute), Ended: failedAt.Add(3 * time.Minute)},
	}, tries)
}

func aLostClaimChangesNothing(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	c := claim(t, s, running(t, s, p, "r"), now)
	lost, err := s.Running(t.Context(), "d")
	require.NoError(t, err)
	require.Len(t, lost, 1)
	require.Equal(t, now.Add(time.Minute), lost[0].Lease)
	job, ok, err := s.Requeue(t.Context(), lost[0], "lost", now.Add(time.Hour))
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, 2, job.Try)
	_, ok, err = s.Requeue(t.Context(), lost[0], "lost", now.Add(time.Hour))
	require.NoError(t, err)
	require.False(t, ok, "once is enough")

	ok, err = s.Renew(t.Context(), c, now.Add(2*time.Hour))
	require.NoError(t, err)
	require.False(t, ok)
	_, _, ok, err = s.Finish(t.Context(), p, c, dagrunstore.Outcome{}, now.Add(time.Hour))
	require.NoError(t, err)
	require.False(t, ok)
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(s.PushXCom(t.Context(), c, "k", json.RawMessage("1"), now)))
	_, ok, err = s.Claim(t.Context(), dagrunstore.Job{Instance: c.Instance, Try: 1}, now.Add(time.Hour), now)
	require.NoError(t, err)
	require.False(t, ok, "the job of the lost try is stale")
	i, err := s.Instance(t.Context(), "d", "r", "first")
	require.NoError(t, err)
	require.Equal(t, dag.StateQueued, i.State)
	require.Zero(t, i.Failures)
	lines, err := s.Log(t.Context(), c.Instance, 1, 0, 10)
	require.NoError(t, err)
	require.Equal(t, "lost", lines[0].Message)
}

func aRenewedLeaseIsNotLost(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	c := claim(t, s, running(t, s, p, "r"), now)
	ok, err := s.Renew(t.Context(), c, now.Add(time.Hour))
	require.NoError(t, err)
	require.True(t, ok)
	claims, err := s.Running(t.Context(), "d")
	require.NoError(t, err)
	require.Equal(t, now.Add(time.Hour), claims[0].Lease)
}

func xComsOfEarlierTriesAreGone(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	c := claim(t, s, running(t, s, p, "r"), now)
	require.NoError(t, s.PushXCom(t.Context(), c, "k", json.RawMessage(`1`), now))
	require.NoError(t, s.PushXCom(t.Context(), c, "k", json.RawMessage(`{"a":2}`), now))
	x, err := s.XComOf(t.Context(), c.Run.Key, "first", "k")
	require.NoError(t, err)
	require.JSONEq(t, `{"a":2}`, string(x.Value))
	job, _, err := s.Requeue(t.Context(), c, "lost", now)
	require.NoError(t, err)
	claim(t, s, job, now)
	_, err = s.XComOf(t.Context(), c.Run.Key, "first", "k")
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
}

func maxActiveRunsAndPauseHoldRunsBack(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	c := claim(t, s, running(t, s, p, "a"), now)
	_, err := s.Trigger(t.Context(), p, dagrunstore.NewRun{ID: "b", Type: dag.Manual, LogicalDate: now.Add(time.Hour)}, now)
	require.NoError(t, err)
	_, started, err := s.StartRun(t.Context(), p, 1, now)
	require.NoError(t, err)
	require.False(t, started, "one run is active")
	require.NoError(t, s.SetPaused(t.Context(), "d", true))
	_, started, err = s.StartRun(t.Context(), p, 2, now)
	require.NoError(t, err)
	require.False(t, started, "paused")
	progress, _, _, err := s.Finish(t.Context(), p, c, dagrunstore.Outcome{}, now)
	require.NoError(t, err)
	require.Empty(t, progress.Jobs)
	i, err := s.Instance(t.Context(), "d", "a", "second")
	require.NoError(t, err)
	require.Equal(t, dag.StateScheduled, i.State)
}

func logLinesAreBounded(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	c := claim(t, s, running(t, s, p, "r"), now)
	require.NoError(t, s.AppendLog(t.Context(), c.Instance, 1, dagrunstore.LogLine{At: now, Level: "INFO", Message: strings.Repeat("x", 1<<20)}))
	lines, err := s.Log(t.Context(), c.Instance, 1, 0, 10)
	require.NoError(t, err)
	require.Less(t, len(lines[0].Message), 100_000)
	require.Equal(t, now, lines[0].At)
}

func clearOfWhatRunsIsRefused(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	claim(t, s, running(t, s, p, "r"), now)
	_, err := s.Clear(t.Context(), "d", "r", []string{"first"}, nil, false, now)
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
}
