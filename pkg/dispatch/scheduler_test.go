package dispatch_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/dispatch"
	"tasador/pkg/sqlstore/dagrunstore"
)

// TestSchedulerTriggersAcrossDownTimeAndPause follows a daily schedule: nothing at the first start, the latest missed interval once after a down time, nothing while
// paused, and the latest again afterwards.
func TestSchedulerTriggersAcrossDownTimeAndPause(t *testing.T) {
	onEach(t, testSchedulerTriggersAcrossDownTimeAndPause)
}

func testSchedulerTriggersAcrossDownTimeAndPause(t *testing.T, at place) {
	s, p := store(t, at), plan(t, task("t", ok))
	require.NoError(t, s.EnsureDAG(t.Context(), "d"))
	schedule, err := dag.ParseSchedule("@daily", "2025-05-01", "UTC", false)
	require.NoError(t, err)
	day := func(d, hour int) time.Time { return time.Date(2026, 1, d, hour, 0, 0, 0, time.UTC) }
	ids := func() []string {
		runs, _, err := s.Runs(t.Context(), dagrunstore.RunQuery{DAGID: "d", Order: []dagrunstore.RunOrder{{Field: "id"}}})
		require.NoError(t, err)
		var ids []string
		for _, r := range runs {
			require.Equal(t, dag.Scheduled, r.Type)
			require.Equal(t, dag.RunQueued, r.State)
			ids = append(ids, r.ID)
		}
		return ids
	}
	var clock atomic.Pointer[time.Time]
	set := func(now time.Time) { clock.Store(&now) }
	set(day(5, 8))
	var queued atomic.Int64
	sched := dispatch.NewScheduler(s, p, schedule, func() { queued.Add(1) }, slog.New(slog.DiscardHandler), func() time.Time { return *clock.Load() })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sched.Run(ctx, func() {}) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	nextIs := func(want time.Time) {
		t.Helper()
		require.Eventually(t, func() bool {
			d, err := s.DAG(t.Context(), "d")
			require.NoError(t, err)
			return d.NextRun.Equal(want)
		}, time.Minute, 5*time.Millisecond)
	}
	nextIs(day(5, 0))
	require.Empty(t, ids())

	set(day(9, 10))
	sched.Wake()
	nextIs(day(9, 0))
	require.Equal(t, []string{"scheduled__2026-01-08T00:00:00+00:00"}, ids())
	require.Eventually(t, func() bool { return queued.Load() == 1 }, time.Minute, 5*time.Millisecond)

	require.NoError(t, s.SetPaused(t.Context(), "d", true))
	set(day(12, 10))
	made, err := s.PlanSchedule(t.Context(), p, schedule, day(12, 10))
	require.NoError(t, err)
	require.Empty(t, made)

	require.NoError(t, s.SetPaused(t.Context(), "d", false))
	sched.Wake()
	nextIs(day(12, 0))
	require.Equal(t, []string{"scheduled__2026-01-08T00:00:00+00:00", "scheduled__2026-01-11T00:00:00+00:00"}, ids())
}
