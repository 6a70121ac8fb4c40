package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/migrations"
	"tasador/pkg/dag"
	"tasador/pkg/dispatch"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/pkg/testkit"
)

// bench is an engine on files of its own.
type bench struct {
	*dispatch.Engine
	store *dagrunstore.Store
	stop  func() error
}

// place is where an engine keeps its rows and jobs: the URL of a database.
type place string

// onEach runs a test on an empty database of each engine.
func onEach(t *testing.T, test func(*testing.T, place)) {
	testkit.OnEach(t, migrations.Dialects("dagrun"), func(t *testing.T, url string) { test(t, place(url)) })
}

func openStore(t testing.TB, at place) *dagrunstore.Store {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), string(at), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	store, err := dagrunstore.Open(t.Context(), db)
	require.NoError(t, err)
	return store
}

func plan(t testing.TB, tasks ...dag.Task) *dag.Plan {
	t.Helper()
	p, err := dag.NewPlan(dag.Definition{ID: "d", Tasks: tasks})
	require.NoError(t, err)
	return p
}

func options(t testing.TB, at place, store *dagrunstore.Store, p *dag.Plan) dispatch.Options {
	t.Helper()
	lock, err := dagrunstore.Acquire(t.Context(), string(at))
	require.NoError(t, err)
	return dispatch.Options{
		Store: store, Plans: []*dag.Plan{p}, Database: string(at), Lock: lock,
		Log: slog.New(slog.DiscardHandler), Grace: 20 * time.Millisecond, Linger: 10 * time.Second,
	}
}

// start runs an engine; stop ends it and returns what Run returned. Without a call the end of the test stops it.
func start(t testing.TB, opts dispatch.Options) *bench {
	t.Helper()
	e, err := dispatch.Open(t.Context(), opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- e.Run(ctx, func() { close(ready) }) }()
	stopped := false
	b := &bench{Engine: e, store: opts.Store}
	b.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return errors.Join(<-done, opts.Lock.Release())
	}
	t.Cleanup(func() { require.NoError(t, b.stop()) })
	select {
	case <-ready:
	case err := <-done:
		stopped = true
		cancel()
		require.NoError(t, err)
	}
	return b
}

func (b *bench) trigger(t testing.TB, id string) {
	t.Helper()
	_, err := b.Trigger(t.Context(), "d", dagrunstore.NewRun{ID: id, Type: dag.Manual})
	require.NoError(t, err)
}

func (b *bench) awaitRun(t testing.TB, id string, want dag.RunState) dagrunstore.Run {
	t.Helper()
	var run dagrunstore.Run
	require.Eventually(t, func() bool {
		var err error
		run, err = b.store.Run(t.Context(), "d", id)
		require.NoError(t, err)
		return run.State == want
	}, time.Minute, 10*time.Millisecond, "run %s did not become %s", id, want)
	return run
}

func (b *bench) instance(t testing.TB, run, task string) dagrunstore.Instance {
	t.Helper()
	i, err := b.store.Instance(t.Context(), "d", run, task)
	require.NoError(t, err)
	return i
}

func (b *bench) logOf(t testing.TB, run, task string, try int) string {
	t.Helper()
	lines, err := b.store.Log(t.Context(), b.instance(t, run, task).Key, try, 0, 100)
	require.NoError(t, err)
	text := ""
	for _, l := range lines {
		text += fmt.Sprintf("%s %s %s\n", l.Level, l.Message, l.Attributes)
	}
	return text
}

func task(id string, run func(context.Context, *dag.TaskContext) (dag.Result, error), upstream ...string) dag.Task {
	return dag.Task{ID: id, Run: run, Upstream: upstream}
}

func ok(context.Context, *dag.TaskContext) (dag.Result, error) { return dag.Done(), nil }

// untilCancelled is a task that only a cancelled context ends.
func untilCancelled(ctx context.Context, _ *dag.TaskContext) (dag.Result, error) {
	<-ctx.Done()
	return dag.Result{}, ctx.Err()
}

func store(t *testing.T, at place) *dagrunstore.Store {
	t.Helper()
	s := openStore(t, at)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestChainRunsInOrderAndPassesValues(t *testing.T) {
	onEach(t, testChainRunsInOrderAndPassesValues)
}

func testChainRunsInOrderAndPassesValues(t *testing.T, at place) {
	s := store(t, at)
	b := start(t, options(t, at, s, plan(t,
		task("count", func(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
			tc.Log.Info("counting", "rows", 3)
			return dag.Done(), tc.XComs.Push(ctx, "n", 41)
		}),
		task("add", func(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
			var n int
			if err := tc.XComs.Pull(ctx, "count", "n", &n); err != nil {
				return dag.Result{}, err
			}
			return dag.Done(), tc.XComs.Push(ctx, "n", n+1)
		}, "count"),
	)))
	b.trigger(t, "r")
	run := b.awaitRun(t, "r", dag.RunSuccess)
	require.False(t, run.StartedAt.IsZero())
	require.False(t, run.EndedAt.Before(run.StartedAt))
	x, err := s.XComOf(t.Context(), run.Key, "add", "n")
	require.NoError(t, err)
	require.JSONEq(t, "42", string(x.Value))
	require.False(t, b.instance(t, "r", "add").StartedAt.Before(b.instance(t, "r", "count").Ended))
	require.Contains(t, b.logOf(t, "r", "count", 1), `INFO counting {"rows":3}`)
}

func TestBranchSkipsWhatItDoesNotFollow(t *testing.T) { onEach(t, testBranchSkipsWhatItDoesNotFollow) }

func testBranchSkipsWhatItDoesNotFollow(t *testing.T, at place) {
	s := store(t, at)
	end := task("end", ok, "left_end", "right")
	end.TriggerRule = dag.NoneFailedMinOneSuccess
	b := start(t, options(t, at, s, plan(t,
		task("branch", func(context.Context, *dag.TaskContext) (dag.Result, error) { return dag.Follow("right"), nil }),
		task("left", ok, "branch"), task("left_end", ok, "left"), task("right", ok, "branch"), end)))
	b.trigger(t, "r")
	b.awaitRun(t, "r", dag.RunSuccess)
	states := map[string]dag.TaskState{}
	for _, id := range []string{"branch", "left", "left_end", "right", "end"} {
		states[id] = b.instance(t, "r", id).State
	}
	require.Equal(t, map[string]dag.TaskState{"branch": "success", "left": "skipped", "left_end": "skipped", "right": "success", "end": "success"}, states)
	require.Equal(t, "branch", b.instance(t, "r", "left").SkippedBy)
	x, err := s.XComs(t.Context(), b.instance(t, "r", "branch").Key)
	require.NoError(t, err)
	require.Len(t, x, 1)
	require.Equal(t, "skipmixin_key", x[0].Key)
	require.JSONEq(t, `{"followed":["right"]}`, string(x[0].Value))
}

func TestBranchToAStrangerFailsTheTask(t *testing.T) { onEach(t, testBranchToAStrangerFailsTheTask) }

func testBranchToAStrangerFailsTheTask(t *testing.T, at place) {
	b := start(t, options(t, at, store(t, at), plan(t,
		task("branch", func(context.Context, *dag.TaskContext) (dag.Result, error) { return dag.Follow("nowhere"), nil }), task("next", ok, "branch"))))
	b.trigger(t, "r")
	b.awaitRun(t, "r", dag.RunFailed)
	require.Contains(t, b.logOf(t, "r", "branch", 1), `"nowhere"`)
}

func TestFailureIsRetriedThenFailsDownstream(t *testing.T) {
	onEach(t, testFailureIsRetriedThenFailsDownstream)
}

func testFailureIsRetriedThenFailsDownstream(t *testing.T, at place) {
	var calls atomic.Int64
	broken := task("broken", func(context.Context, *dag.TaskContext) (dag.Result, error) {
		return dag.Result{}, fmt.Errorf("no luck at call %d", calls.Add(1))
	})
	broken.Retries, broken.RetryDelay = 2, time.Millisecond
	s := store(t, at)
	b := start(t, options(t, at, s, plan(t, broken, task("next", ok, "broken"))))
	b.trigger(t, "r")
	b.awaitRun(t, "r", dag.RunFailed)
	require.EqualValues(t, 3, calls.Load())
	require.Equal(t, dag.StateUpstreamFailed, b.instance(t, "r", "next").State)
	tries, err := s.Tries(t.Context(), b.instance(t, "r", "broken").Key)
	require.NoError(t, err)
	require.Len(t, tries, 3)
	require.Equal(t, []dag.TaskState{"up_for_retry", "up_for_retry", "failed"}, []dag.TaskState{tries[0].State, tries[1].State, tries[2].State})
	require.Equal(t, "no luck at call 2", tries[1].Error)
	require.Contains(t, b.logOf(t, "r", "broken", 3), "no luck at call 3")
}

func TestPanicFailsTheTryNotTheProcess(t *testing.T) { onEach(t, testPanicFailsTheTryNotTheProcess) }

func testPanicFailsTheTryNotTheProcess(t *testing.T, at place) {
	b := start(t, options(t, at, store(t, at), plan(t,
		task("wild", func(context.Context, *dag.TaskContext) (dag.Result, error) { panic("out of cheese") }))))
	b.trigger(t, "r")
	b.awaitRun(t, "r", dag.RunFailed)
	require.Contains(t, b.logOf(t, "r", "wild", 1), "The task failed: the task panicked: out of cheese")
}

func TestTimeOutFailsTheTry(t *testing.T) { onEach(t, testTimeOutFailsTheTry) }

func testTimeOutFailsTheTry(t *testing.T, at place) {
	slow := task("slow", untilCancelled)
	slow.Timeout = 30 * time.Millisecond
	b := start(t, options(t, at, store(t, at), plan(t, slow)))
	b.trigger(t, "r")
	b.awaitRun(t, "r", dag.RunFailed)
	require.Contains(t, b.logOf(t, "r", "slow", 1), "did not end within its time-out of 30ms")
}

func TestSecondRunWaitsForTheFirst(t *testing.T) { onEach(t, testSecondRunWaitsForTheFirst) }

func testSecondRunWaitsForTheFirst(t *testing.T, at place) {
	release := make(chan struct{})
	s := store(t, at)
	b := start(t, options(t, at, s, plan(t, task("wait", func(context.Context, *dag.TaskContext) (dag.Result, error) {
		<-release
		return dag.Done(), nil
	}))))
	b.trigger(t, "first")
	b.trigger(t, "second")
	require.Eventually(t, func() bool { return b.instance(t, "first", "wait").State == dag.StateRunning }, time.Minute, 5*time.Millisecond)
	second, err := s.Run(t.Context(), "d", "second")
	require.NoError(t, err)
	require.Equal(t, dag.RunQueued, second.State)
	close(release)
	first := b.awaitRun(t, "first", dag.RunSuccess)
	second = b.awaitRun(t, "second", dag.RunSuccess)
	require.False(t, second.StartedAt.Before(first.EndedAt))
}

func TestPausedDAGStartsNothingUntilItGoesOn(t *testing.T) {
	onEach(t, testPausedDAGStartsNothingUntilItGoesOn)
}

func testPausedDAGStartsNothingUntilItGoesOn(t *testing.T, at place) {
	begun, release := make(chan struct{}), make(chan struct{})
	b := start(t, options(t, at, store(t, at), plan(t,
		task("first", func(context.Context, *dag.TaskContext) (dag.Result, error) {
			close(begun)
			<-release
			return dag.Done(), nil
		}), task("second", ok, "first"))))
	b.trigger(t, "r")
	<-begun
	require.NoError(t, b.SetPaused(t.Context(), "d", true))
	close(release)
	// A task under way goes on; what comes after it is only scheduled.
	require.Eventually(t, func() bool { return b.instance(t, "r", "second").State == dag.StateScheduled }, time.Minute, 5*time.Millisecond)
	require.NoError(t, b.SetPaused(t.Context(), "d", false))
	b.awaitRun(t, "r", dag.RunSuccess)
}

func TestFencesGrow(t *testing.T) { onEach(t, testFencesGrow) }

func testFencesGrow(t *testing.T, at place) {
	fences := make(chan int64, 3)
	note := func(_ context.Context, tc *dag.TaskContext) (dag.Result, error) {
		fences <- tc.Fence
		return dag.Done(), nil
	}
	b := start(t, options(t, at, store(t, at), plan(t, task("a", note), task("b", note, "a"), task("c", note, "b"))))
	b.trigger(t, "r")
	b.awaitRun(t, "r", dag.RunSuccess)
	a, second, c := <-fences, <-fences, <-fences
	require.Less(t, a, second)
	require.Less(t, second, c)
}

func TestAClearedTaskRunsAgainWithAllAfterIt(t *testing.T) {
	onEach(t, testAClearedTaskRunsAgainWithAllAfterIt)
}

func testAClearedTaskRunsAgainWithAllAfterIt(t *testing.T, at place) {
	var failing atomic.Bool
	failing.Store(true)
	b := start(t, options(t, at, store(t, at), plan(t, task("first", ok), task("broken", func(context.Context, *dag.TaskContext) (dag.Result, error) {
		if failing.Load() {
			return dag.Result{}, errors.New("broken")
		}
		return dag.Done(), nil
	}, "first"), task("last", ok, "broken"))))
	b.trigger(t, "r")
	before := b.awaitRun(t, "r", dag.RunFailed)
	failing.Store(false)
	cleared, err := b.Clear(t.Context(), "d", "r", []string{"broken", "last"}, nil, false)
	require.NoError(t, err)
	require.Len(t, cleared, 2)
	after := b.awaitRun(t, "r", dag.RunSuccess)
	require.Equal(t, before.StartedAt, after.StartedAt, "the as-of instant of a run is the same over reruns")
	require.Equal(t, 1, b.instance(t, "r", "first").Try)
	require.Equal(t, 2, b.instance(t, "r", "broken").Try)
}

func TestManyTasksRunOnceEach(t *testing.T) { onEach(t, testManyTasksRunOnceEach) }

func testManyTasksRunOnceEach(t *testing.T, at place) {
	var runs atomic.Int64
	count := func(context.Context, *dag.TaskContext) (dag.Result, error) {
		runs.Add(1)
		return dag.Done(), nil
	}
	tasks := []dag.Task{task("t0", count)}
	for i := 1; i < 15; i++ {
		tasks = append(tasks, task(fmt.Sprintf("t%d", i), count, fmt.Sprintf("t%d", (i-1)/2)))
	}
	b := start(t, options(t, at, store(t, at), plan(t, tasks...)))
	b.trigger(t, "r")
	b.awaitRun(t, "r", dag.RunSuccess)
	require.EqualValues(t, 15, runs.Load())
}

func TestFinishedRunsBeyondThoseThatAreKeptAreDeleted(t *testing.T) {
	onEach(t, testFinishedRunsBeyondThoseThatAreKeptAreDeleted)
}

func testFinishedRunsBeyondThoseThatAreKeptAreDeleted(t *testing.T, at place) {
	store, p := openStore(t, at), plan(t, task("a", func(context.Context, *dag.TaskContext) (dag.Result, error) { return dag.Done(), nil }))
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	opts := options(t, at, store, p)
	opts.KeepRuns = 2
	e := start(t, opts)
	for i := range 5 {
		_, err := e.Trigger(t.Context(), "d", dagrunstore.NewRun{ID: fmt.Sprint("r", i), Type: dag.Manual})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		kept, total, err := store.Runs(t.Context(), dagrunstore.RunQuery{Order: []dagrunstore.RunOrder{{Field: "dag_run_id"}}})
		return err == nil && total == 2 && kept[0].ID == "r3" && kept[1].ID == "r4"
	}, time.Minute, 5*time.Millisecond)
}
