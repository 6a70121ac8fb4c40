package dag_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// TestTriggerRules is Airflow's trigger_rule_dep on two direct upstreams: what becomes of a task that has not begun.
func TestTriggerRules(t *testing.T) {
	const wait, run = dag.StateNone, dag.StateQueued
	for _, c := range []struct {
		one, two        dag.TaskState
		allSuccess, min dag.TaskState
	}{
		{dag.StateSuccess, dag.StateSuccess, run, run},
		{dag.StateSuccess, dag.StateSkipped, dag.StateSkipped, run},
		{dag.StateSkipped, dag.StateSkipped, dag.StateSkipped, dag.StateSkipped},
		{dag.StateSuccess, dag.StateFailed, dag.StateUpstreamFailed, dag.StateUpstreamFailed},
		{dag.StateSkipped, dag.StateFailed, dag.StateUpstreamFailed, dag.StateUpstreamFailed},
		{dag.StateSkipped, dag.StateUpstreamFailed, dag.StateUpstreamFailed, dag.StateUpstreamFailed},
		// Marks do not wait for the other upstream, except that the join needs to see all of them skipped.
		{dag.StateFailed, dag.StateRunning, dag.StateUpstreamFailed, dag.StateUpstreamFailed},
		{dag.StateSkipped, dag.StateRunning, dag.StateSkipped, wait},
		{dag.StateSuccess, dag.StateRunning, wait, wait},
		{dag.StateSuccess, dag.StateQueued, wait, wait},
		// An upstream that is up for retry is not finished: it neither fails nor releases.
		{dag.StateSuccess, dag.StateUpForRetry, wait, wait},
		{dag.StateSkipped, dag.StateUpForRetry, dag.StateSkipped, wait},
	} {
		for rule, want := range map[dag.TriggerRule]dag.TaskState{dag.AllSuccess: c.allSuccess, dag.NoneFailedMinOneSuccess: c.min} {
			t.Run(string(rule)+"/"+string(c.one)+"+"+string(c.two), func(t *testing.T) {
				last := task("last", "one", "two")
				last.TriggerRule = rule
				d := planOf(t, task("one"), task("two"), last).Next(map[string]dag.Instance{
					"one": {State: c.one}, "two": {State: c.two, RetryAt: now.Add(time.Hour)},
				}, false, now)
				got := dag.StateNone
				for _, m := range d.Moves {
					if m.TaskID == "last" {
						got = m.To
					}
				}
				require.Equal(t, want, got)
			})
		}
	}
}

func TestFirstTasksAreQueuedAtOnce(t *testing.T) {
	d := planOf(t, task("a"), task("b", "a"), joined("c")).Next(nil, false, now)
	require.Equal(t, []dag.Move{{TaskID: "a", To: dag.StateQueued}, {TaskID: "c", To: dag.StateQueued}}, d.Moves)
	require.Equal(t, dag.RunRunning, d.Run)
}

// model is the shape of the DAG realtor_price_model.
func model(t *testing.T) *dag.Plan {
	return planOf(t,
		task("extract"), task("branch", "extract"), task("reset", "branch"), task("end_after_reset", "reset"), task("decide", "branch"),
		task("split", "decide"), task("train", "split"), task("end_no_train", "decide"), joined("end", "end_after_reset", "train", "end_no_train"))
}

func TestBranchSkipsCascade(t *testing.T) {
	have := map[string]dag.Instance{
		"extract": {State: dag.StateSuccess}, "branch": {State: dag.StateSuccess, Branched: true, Followed: []string{"reset"}},
	}
	d := model(t).Next(have, false, now)
	require.Equal(t, []dag.Move{
		{TaskID: "reset", To: dag.StateQueued},
		{TaskID: "decide", To: dag.StateSkipped, SkippedBy: "branch"},
		{TaskID: "split", To: dag.StateSkipped},
		{TaskID: "end_no_train", To: dag.StateSkipped},
		{TaskID: "train", To: dag.StateSkipped},
	}, d.Moves)
}

func TestJoinRunsAfterOnePathEnded(t *testing.T) {
	have := map[string]dag.Instance{
		"extract": {State: dag.StateSuccess}, "branch": {State: dag.StateSuccess, Branched: true, Followed: []string{"decide"}},
		"reset": {State: dag.StateSkipped}, "end_after_reset": {State: dag.StateSkipped},
		"decide": {State: dag.StateSuccess, Branched: true, Followed: []string{"end_no_train"}},
		"split":  {State: dag.StateSkipped}, "train": {State: dag.StateSkipped}, "end_no_train": {State: dag.StateSuccess},
	}
	d := model(t).Next(have, false, now)
	require.Equal(t, []dag.Move{{TaskID: "end", To: dag.StateQueued}}, d.Moves)
	have["end"] = dag.Instance{State: dag.StateSuccess}
	require.Equal(t, dag.RunSuccess, model(t).Next(have, false, now).Run)
}

func TestBranchThatFollowsNothingSkipsEverything(t *testing.T) {
	p := planOf(t, task("branch"), task("a", "branch"), joined("end", "a"))
	d := p.Next(map[string]dag.Instance{"branch": {State: dag.StateSuccess, Branched: true}}, false, now)
	require.Equal(t, []dag.Move{{TaskID: "a", To: dag.StateSkipped, SkippedBy: "branch"}, {TaskID: "end", To: dag.StateSkipped}}, d.Moves)
	require.Equal(t, dag.RunSuccess, d.Run, "a leaf that is skipped is no failure")
}

// TestBranchDoesNotSkipWhatItsPathLeadsTo: with branch → join and branch → a → join, following a leaves join alone.
func TestBranchDoesNotSkipWhatItsPathLeadsTo(t *testing.T) {
	p := planOf(t, task("branch"), task("a", "branch"), task("b", "branch"), joined("join", "branch", "a"))
	d := p.Next(map[string]dag.Instance{"branch": {State: dag.StateSuccess, Branched: true, Followed: []string{"a"}}}, false, now)
	require.Equal(t, []dag.Move{{TaskID: "a", To: dag.StateQueued}, {TaskID: "b", To: dag.StateSkipped, SkippedBy: "branch"}}, d.Moves)
}

func TestASkippedTaskThatWasClearedIsSkippedAgain(t *testing.T) {
	p := planOf(t, task("branch"), task("a", "branch"), task("b", "branch"))
	d := p.Next(map[string]dag.Instance{
		"branch": {State: dag.StateSuccess, Branched: true, Followed: []string{"a"}}, "a": {State: dag.StateSuccess}, "b": {},
	}, false, now)
	require.Equal(t, []dag.Move{{TaskID: "b", To: dag.StateSkipped, SkippedBy: "branch"}}, d.Moves)
}

func TestPausedOnlySchedules(t *testing.T) {
	p := planOf(t, task("a"), task("b", "a"))
	have := map[string]dag.Instance{"a": {State: dag.StateSuccess}}
	d := p.Next(have, true, now)
	require.Equal(t, []dag.Move{{TaskID: "b", To: dag.StateScheduled}}, d.Moves)
	have["b"] = dag.Instance{State: dag.StateScheduled}
	require.Empty(t, p.Next(have, true, now).Moves)
	require.Equal(t, []dag.Move{{TaskID: "b", From: dag.StateScheduled, To: dag.StateQueued}}, p.Next(have, false, now).Moves)
}

func TestRetryWaitsForItsTime(t *testing.T) {
	p := planOf(t, task("a"), task("b"))
	have := map[string]dag.Instance{
		"a": {State: dag.StateUpForRetry, RetryAt: now.Add(2 * time.Minute)}, "b": {State: dag.StateUpForRetry, RetryAt: now.Add(time.Minute)},
	}
	d := p.Next(have, false, now)
	require.Empty(t, d.Moves)
	require.Equal(t, now.Add(time.Minute), d.RetryAt)
	d = p.Next(have, false, now.Add(time.Minute))
	require.Equal(t, []dag.Move{{TaskID: "b", From: dag.StateUpForRetry, To: dag.StateQueued}}, d.Moves)
	require.Equal(t, now.Add(2*time.Minute), d.RetryAt)
}

// TestRunStateIsThatOfTheLeaves: the run ends when every task has, and fails if a leaf failed or could not run.
func TestRunStateIsThatOfTheLeaves(t *testing.T) {
	p := planOf(t, task("a"), task("b", "a"), task("c"))
	for name, c := range map[string]struct {
		a, b, c dag.TaskState
		want    dag.RunState
	}{
		"all succeeded":           {dag.StateSuccess, dag.StateSuccess, dag.StateSuccess, dag.RunSuccess},
		"a leaf skipped":          {dag.StateSuccess, dag.StateSkipped, dag.StateSuccess, dag.RunSuccess},
		"a leaf failed":           {dag.StateSuccess, dag.StateFailed, dag.StateSuccess, dag.RunFailed},
		"a leaf could not run":    {dag.StateFailed, dag.StateUpstreamFailed, dag.StateSuccess, dag.RunFailed},
		"only the middle failed":  {dag.StateFailed, dag.StateSuccess, dag.StateSuccess, dag.RunSuccess},
		"failed but not all done": {dag.StateFailed, dag.StateUpstreamFailed, dag.StateRunning, dag.RunRunning},
	} {
		t.Run(name, func(t *testing.T) {
			d := p.Next(map[string]dag.Instance{"a": {State: c.a}, "b": {State: c.b}, "c": {State: c.c}}, false, now)
			require.Equal(t, c.want, d.Run)
		})
	}
}

func TestRetriesAreCountedInFailures(t *testing.T) {
	t1 := dag.Task{Retries: 2, RetryDelay: time.Minute}
	for failures, want := range map[int]dag.TaskState{1: dag.StateUpForRetry, 2: dag.StateUpForRetry, 3: dag.StateFailed} {
		state, at := t1.AfterFailure(failures, now)
		require.Equal(t, want, state)
		if want == dag.StateUpForRetry {
			require.Equal(t, now.Add(time.Minute), at)
		}
	}
	state, _ := dag.Task{}.AfterFailure(1, now)
	require.Equal(t, dag.StateFailed, state)
}
