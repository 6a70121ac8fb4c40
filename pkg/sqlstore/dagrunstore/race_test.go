package dagrunstore_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
)

// wide is one task with twelve after it, and one after those.
func wide(t *testing.T) *dag.Plan {
	t.Helper()
	tasks := []dag.Task{{ID: "first", Run: nothing}}
	last := dag.Task{ID: "last", Run: nothing}
	for i := range 12 {
		id := fmt.Sprintf("middle%d", i)
		tasks = append(tasks, dag.Task{ID: id, Upstream: []string{"first"}, Run: nothing})
		last.Upstream = append(last.Upstream, id)
	}
	p, err := dag.NewPlan(dag.Definition{ID: "d", Tasks: append(tasks, last)})
	require.NoError(t, err)
	return p
}

// everybodyAtOnce lets six workers with connections of their own claim, renew, push and finish all that is queued, while two planners plan the same
// run and another clears what has ended. Nobody gets an error, no try runs twice, and the fences are all different.
func everybodyAtOnce(t *testing.T, s *dagrunstore.Store) {
	p := wide(t)
	running(t, s, p, "r")
	run, err := s.Run(t.Context(), "d", "r")
	require.NoError(t, err)
	var claims sync.Map
	var finished atomic.Int64
	done := make(chan struct{})
	var group sync.WaitGroup
	work := func(step func() error) {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := step(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 6 {
		work(func() error {
			jobs, err := s.Queued(t.Context(), "d")
			if err != nil {
				return err
			}
			for _, job := range jobs {
				c, ok, err := s.Claim(t.Context(), job, now.Add(time.Minute), now)
				if err != nil || !ok {
					return err
				}
				if _, twice := claims.LoadOrStore(c.Fence, job); twice {
					return fmt.Errorf("two claims have the fence %d", c.Fence)
				}
				if _, twice := claims.LoadOrStore(job, true); twice {
					return fmt.Errorf("%v was claimed twice", job)
				}
				if err := s.PushXCom(t.Context(), c, "k", []byte("1"), now); err != nil {
					return err
				}
				if ok, err := s.Renew(t.Context(), c, now.Add(time.Hour)); err != nil || !ok {
					return fmt.Errorf("the lease of %v is lost: %w", job, err)
				}
				_, _, ok, err = s.Finish(t.Context(), p, c, dagrunstore.Outcome{}, now)
				if err != nil || !ok {
					return fmt.Errorf("%v cannot end: %w", job, err)
				}
				finished.Add(1)
			}
			return nil
		})
	}
	for range 2 {
		work(func() error {
			if _, _, err := s.StartRun(t.Context(), p, 1, now); err != nil {
				return err
			}
			_, err := s.Advance(t.Context(), p, run.Key, now)
			return err
		})
	}
	var cleared atomic.Int64
	work(func() error {
		if finished.Load() < 10*(cleared.Load()+1) || cleared.Load() == 3 {
			return nil
		}
		tasks := []string{"middle3", "middle7", "last"}
		_, err := s.Clear(t.Context(), "d", "r", tasks, []dag.TaskState{dag.StateSuccess}, false, now)
		cleared.Add(1)
		return err
	})
	require.Eventually(t, func() bool {
		run, err := s.Run(t.Context(), "d", "r")
		require.NoError(t, err)
		return t.Failed() || (run.State == dag.RunSuccess && finished.Load() >= 14)
	}, time.Minute, 10*time.Millisecond)
	close(done)
	group.Wait()
}

// aSecondPlannerStartsNoSecondRun: of those who start the queued runs of a DAG at once, one does while only one run may be active.
func aSecondPlannerStartsNoSecondRun(t *testing.T, s *dagrunstore.Store) {
	p := chain(t)
	for i := range 8 {
		_, err := s.Trigger(t.Context(), p, dagrunstore.NewRun{ID: fmt.Sprint(i), Type: dag.Manual, LogicalDate: now.Add(time.Duration(i) * time.Hour)}, now)
		require.NoError(t, err)
	}
	var starts atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			_, started, err := s.StartRun(t.Context(), p, 1, now)
			if err != nil {
				t.Error(err)
			}
			if started {
				starts.Add(1)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 1, starts.Load())
	active, err := s.ActiveRuns(t.Context(), "d")
	require.NoError(t, err)
	require.Len(t, active, 1)
}
