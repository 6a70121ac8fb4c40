package roles_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/dag"
	"tasador/pkg/realtor"
	"tasador/pkg/sqlstore/dagrunstore"
)

// setDate puts a day into a date field; which keys a browser takes for that depends on its locale.
func (b tab) setDate(selector, day string) {
	b.t.Helper()
	evaluate[bool](b, fmt.Sprintf(`document.querySelector(%q).value = %q; true`, selector, day))
}

// TestAPersonBackfillsTheDAG runs two days that are missing, sees where their time went, makes up for one that failed, and cancels.
func TestAPersonBackfillsTheDAG(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	daily := func(c *config.Config) { c.Schedule.Cron = "@daily" }
	s := startStack(t, daily, config.RoleNames()...)
	store, b, source := s.runs(t), tab{t: t, ctx: browser(t)}, axe(t)
	day := func(ago int) string { return time.Now().UTC().AddDate(0, 0, -ago).Format(time.DateOnly) }
	id := func(ago int) string { return "backfill__" + day(ago) + "T00:00:00+00:00" }
	for _, view := range []string{"gantt", "durations", "calendar", "backfills"} {
		b.open(s.pipeline(dagPage + "/" + view))
		b.requireGoodPage(source, view, view+"-empty", 1440)
	}

	// A slip, then well: the preview changes nothing.
	b.setDate("#from", day(3))
	b.setDate("#to", day(4))
	b.click("#preview")
	require.Equal(t, "This day is before the first one.", b.text("#to-error"))
	b.picture("backfill-mistake")
	b.setDate("#to", day(2))
	b.click("#preview")
	require.Contains(t, b.text("#changes"), id(3))
	require.Contains(t, b.text("#changes"), id(2))
	require.Equal(t, "Queue 2 runs", b.text("#confirm"))
	b.requireGoodPage(source, "backfill preview", "backfill-preview", 1440)
	requireRuns(t, store, 0)
	_, made, err := store.Backfills(t.Context(), realtor.DAG, 0, 0)
	require.NoError(t, err)
	require.Zero(t, made)

	b.click("#confirm")
	require.Contains(t, b.text("#made"), "Backfill 1 was made")
	b.do(chromedp.WaitVisible(chromedp.CSS(`#backfills .s-success[title="success"]`)), chromedp.WaitNotPresent(chromedp.CSS("#cancel-1")))
	b.picture("backfill-done")
	first, _ := ended(t, store, id(3))
	second, _ := ended(t, store, id(2))
	requireRuns(t, store, 2)
	for _, run := range []dagrunstore.Run{first, second} {
		require.Equal(t, dag.RunSuccess, run.State)
		require.Equal(t, dag.Backfill, run.Type)
		require.EqualValues(t, 1, run.Backfill)
	}
	require.False(t, second.StartedAt.Before(first.EndedAt), "one after the other")

	s.requireViews(t, b, store, day(2), id(2))
	s.cancelABackfill(t, b, store, day(5), id(5))
	s.requireGoodPages(t, b, map[string]string{
		"gantt": dagPage + "/gantt", "durations": dagPage + "/durations", "calendar": dagPage + "/calendar?day=" + day(2), "backfills": dagPage + "/backfills",
	})
}

// requireViews goes from the calendar to a run, to its Gantt chart, and looks at the durations.
func (s *stack) requireViews(t *testing.T, b tab, store *dagrunstore.Store, day, id string) {
	t.Helper()
	b.click("#view-calendar")
	b.click("#day-" + day)
	require.Contains(t, b.text("#day-runs"), id)
	b.click("#day-runs a")
	b.click("#see-gantt")
	require.Equal(t, id, b.text("#shown-run"))
	instances, err := store.Instances(t.Context(), realtor.DAG, id)
	require.NoError(t, err)
	tries, err := store.TriesOf(t.Context(), instances)
	require.NoError(t, err)
	require.Equal(t, len(tries), evaluate[int](b, `document.querySelectorAll("a.bar-try").length`), "a bar for each try, and each task was tried once")
	require.Equal(t, len(tries), evaluate[int](b, `[...document.querySelectorAll("#gantt-table tbody tr")].filter((r) => r.children[1].textContent === "1").length`))
	b.click("#view-durations")
	b.do(chromedp.WaitVisible(chromedp.CSS("#durations-table")))
	require.Equal(t, 2, evaluate[int](b, `document.querySelectorAll("#durations-table tbody tr").length`))
}

// cancelABackfill queues a day while the DAG is paused, cancels it, and makes up for it: it failed by that.
func (s *stack) cancelABackfill(t *testing.T, b tab, store *dagrunstore.Store, day, id string) {
	t.Helper()
	queue := func(reprocess string) {
		b.open(s.pipeline(dagPage + "/backfills"))
		b.setDate("#from", day)
		b.setDate("#to", day)
		b.click(`input[value="` + reprocess + `"]`)
		b.click("#preview")
		require.Contains(t, b.text("#changes"), id)
		b.click("#confirm")
		b.do(chromedp.WaitVisible(chromedp.CSS("#made")))
	}
	b.click("#pause")
	b.do(chromedp.WaitReady(chromedp.CSS(`#pause[aria-checked="true"]`)))
	requirePaused(t, store, true)
	queue("none")
	b.click("#cancel-2")
	require.Equal(t, "Cancel 1 queued run", b.text("#confirm"))
	run, err := store.Run(t.Context(), realtor.DAG, id)
	require.NoError(t, err)
	require.Equal(t, dag.RunQueued, run.State, "cancelling asks first")
	b.requireGoodPage(axe(t), "cancel backfill", "backfill-cancel", 1440)
	b.click("#confirm")
	b.do(chromedp.WaitVisible(chromedp.CSS("#backfills")), chromedp.WaitNotPresent(chromedp.CSS("#cancel-2")))
	run, _ = ended(t, store, id)
	require.Equal(t, dag.RunFailed, run.State)

	queue("failed")
	b.click("#pause")
	b.do(chromedp.WaitReady(chromedp.CSS(`#pause[aria-checked="false"]`)))
	require.Eventually(t, func() bool {
		run, err := store.Run(t.Context(), realtor.DAG, id)
		return err == nil && run.State == dag.RunSuccess
	}, time.Minute, 20*time.Millisecond)
	last, err := store.Backfill(t.Context(), 3)
	require.NoError(t, err)
	require.False(t, last.CompletedAt.IsZero())
	requireRuns(t, store, 3)
}
