package dispatch_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/dispatch"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/pkg/testkit"
)

// Variables tell a child of the test that it is one, where its files are and its database; childBackfill makes it backfill three days instead of triggering one
// run.
const (
	childDir      = "TASADOR_TEST_CHILD_DIR"
	childDB       = "TASADOR_TEST_CHILD_DB"
	childBackfill = "TASADOR_TEST_CHILD_BACKFILL"
	secondDay     = "backfill__2025-12-02T00:00:00+00:00"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir, os.Getenv(childDB)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := testkit.Main(m)
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// killedPlan is a chain whose middle task blocks when it is tried for the first time in r or on the second day, which it says on the output. Each task appends a line to a file.
func killedPlan(dir string) (*dag.Plan, error) {
	note := func(_ context.Context, tc *dag.TaskContext) (dag.Result, error) {
		f, err := os.OpenFile(filepath.Join(dir, "effects"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return dag.Result{}, err
		}
		_, err = fmt.Fprintf(f, "%s by try %d\n", tc.TaskID, tc.Try)
		return dag.Done(), errors.Join(err, f.Close())
	}
	block := func(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
		if tc.Try == 1 && (tc.Run.ID == "r" || tc.Run.ID == secondDay) {
			fmt.Fprintln(os.Stdout, "blocking")
			select {}
		}
		return note(ctx, tc)
	}
	return dag.NewPlan(dag.Definition{ID: "d", Tasks: []dag.Task{task("before", note), task("middle", block, "before"), task("after", note, "middle")}})
}

// child is a pipeline process: it runs the tasks of a database until the runs that it finds, or makes, have ended.
func child(dir, url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	log := slog.New(slog.DiscardHandler)
	db, err := sqlstore.Open(ctx, url, log)
	if err != nil {
		return err
	}
	store, err := dagrunstore.Open(ctx, db)
	if err != nil {
		return err
	}
	p, err := killedPlan(dir)
	if err != nil {
		return err
	}
	lock, err := dagrunstore.Acquire(ctx, url)
	if err != nil {
		return err
	}
	e, err := dispatch.Open(ctx, dispatch.Options{Store: store, Lock: lock, Plans: []*dag.Plan{p}, Database: url, Log: log})
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, func() {}) }()
	if err := begin(ctx, e); err != nil {
		return err
	}
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for range ticker.C {
		_, left, err := store.Runs(ctx, dagrunstore.RunQuery{States: []string{string(dag.RunQueued), string(dag.RunRunning)}})
		if err != nil {
			return err
		}
		if left == 0 {
			cancel()
			return <-done
		}
	}
	return nil
}

// begin makes the runs, unless a process before did.
func begin(ctx context.Context, e *dispatch.Engine) error {
	if os.Getenv(childBackfill) == "" {
		_, err := e.Trigger(ctx, "d", dagrunstore.NewRun{ID: "r", Type: dag.Manual})
		if apperror.CodeOf(err) == apperror.AlreadyExists {
			return nil
		}
		return err
	}
	n := dagrunstore.NewBackfill{Reprocess: dag.ReprocessNone}
	for day := 1; day <= 3; day++ {
		start := time.Date(2025, 12, day, 0, 0, 0, 0, time.UTC)
		n.Intervals = append(n.Intervals, dag.Interval{Start: start, End: start.AddDate(0, 0, 1)})
	}
	_, _, err := e.Backfill(ctx, "d", n)
	if apperror.CodeOf(err) == apperror.FailedPrecondition { // it is still active
		return nil
	}
	return err
}

func startChild(t *testing.T, dir string, at place, env ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childDir+"="+dir, childDB+"="+string(at)), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

// TestKilledInTheMiddleOfATask kills a process while a task runs. The next process takes the task over at once, although the lease of the
// dead one is good for another half minute, and the run ends as if nothing had happened.
func TestKilledInTheMiddleOfATask(t *testing.T) { onEach(t, testKilledInTheMiddleOfATask) }

func testKilledInTheMiddleOfATask(t *testing.T, at place) {
	dir := t.TempDir()
	first, lines := startChild(t, dir, at)
	require.True(t, lines.Scan(), "the task did not begin")
	require.NoError(t, first.Process.Kill())
	require.Error(t, first.Wait(), "it was killed")

	begin := time.Now()
	second, lines := startChild(t, dir, at)
	for lines.Scan() {
		require.NotEqual(t, "blocking", lines.Text(), "the first try must not run again")
	}
	require.NoError(t, second.Wait())
	require.Less(t, time.Since(begin), 20*time.Second, "the lease of the dead process must not be waited for")

	s := store(t, at)
	run, err := s.Run(t.Context(), "d", "r")
	require.NoError(t, err)
	require.Equal(t, dag.RunSuccess, run.State)
	instances, err := s.Instances(t.Context(), "d", "r")
	require.NoError(t, err)
	for _, i := range instances {
		require.Equal(t, dag.StateSuccess, i.State, i.TaskID)
		require.Zero(t, i.Failures, "a kill uses up no retry")
	}
	effects, err := os.ReadFile(filepath.Join(dir, "effects"))
	require.NoError(t, err)
	require.Equal(t, "before by try 1\nmiddle by try 2\nafter by try 1\n", string(effects))
	tries, err := s.Tries(t.Context(), instances[1].Key)
	require.NoError(t, err)
	require.Equal(t, dagrunstore.StateRestarting, tries[0].State)
	require.Contains(t, tries[0].Error, "The process that ran this try ended")
}

// TestKilledInTheMiddleOfABackfill kills the process while the second of three runs is at work. The next one goes on there: every day has one run, in order.
func TestKilledInTheMiddleOfABackfill(t *testing.T) { onEach(t, testKilledInTheMiddleOfABackfill) }

func testKilledInTheMiddleOfABackfill(t *testing.T, at place) {
	dir := t.TempDir()
	first, lines := startChild(t, dir, at, childBackfill+"=yes")
	require.True(t, lines.Scan(), "the task did not begin")
	require.NoError(t, first.Process.Kill())
	require.Error(t, first.Wait(), "it was killed")
	second, lines := startChild(t, dir, at, childBackfill+"=yes")
	for lines.Scan() {
		require.NotEqual(t, "blocking", lines.Text(), "the first try must not run again")
	}
	require.NoError(t, second.Wait())

	s := store(t, at)
	runs, _, err := s.Runs(t.Context(), dagrunstore.RunQuery{Order: []dagrunstore.RunOrder{{Field: "start_date"}}})
	require.NoError(t, err)
	var ids []string
	for i, r := range runs {
		ids = append(ids, r.ID)
		require.Equal(t, dag.RunSuccess, r.State, r.ID)
		if i > 0 {
			require.False(t, r.StartedAt.Before(runs[i-1].EndedAt), "%s began before the one before it had ended", r.ID)
		}
	}
	require.Equal(t, []string{"backfill__2025-12-01T00:00:00+00:00", secondDay, "backfill__2025-12-03T00:00:00+00:00"}, ids)
	made, total, err := s.Backfills(t.Context(), "d", 0, 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, total)
	require.Equal(t, runs[2].EndedAt, made[0].CompletedAt)
	effects, err := os.ReadFile(filepath.Join(dir, "effects"))
	require.NoError(t, err)
	require.Equal(t, "before by try 1\nmiddle by try 1\nafter by try 1\nbefore by try 1\nmiddle by try 2\nafter by try 1\nbefore by try 1\nmiddle by try 1\nafter by try 1\n", string(effects))
}
