package pipeline

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
)

func TestEveryViewTeachesWhileThereIsNoRun(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	for _, view := range []string{"", "/gantt", "/durations", "/calendar"} {
		require.Contains(t, s.see(t, "/dags/small"+view), "tasador dags trigger small --wait", view)
	}
	require.Contains(t, s.see(t, "/dags/small/backfills"), "tasador dags backfill small --from-date ")
	s.trigger(t, `{"dag_run_id": "a"}`)
	s.await(t, "a", "success")
	task := s.see(t, "/dags/small/runs/a/tasks/last")
	require.Contains(t, task, "The task has recorded no rows.")
	require.Contains(t, task, "Run again …")
	require.Regexp(t, `<td>in</td><td><code>payload</code></td><td class="num">1,234</td></tr><tr><td>out</td><td><code>realtor_raw</code></td>`, s.see(t, "/dags/small/runs/a/tasks/count"))
}

func TestTheGanttChartHasABarForEachTry(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	s.trigger(t, `{"dag_run_id": "a", "conf": {"fail": true}}`)
	s.await(t, "a", "failed")
	status, _ := s.call(t, http.MethodPost, "/api/v2/dags/small/clearTaskInstances", `{"dag_run_id": "a", "dry_run": false}`)
	require.Equal(t, http.StatusOK, status)
	require.Eventually(t, func() bool { return s.get(t, runs+"/a/taskInstances/broken")["try_number"] == 2.0 }, time.Minute, 5*time.Millisecond)
	s.await(t, "a", "failed")
	chart := s.see(t, "/dags/small/gantt?run=a")
	for _, id := range []string{"bar-count-1", "bar-broken-1", "bar-broken-2"} {
		require.Equal(t, 1, strings.Count(chart, `id="`+id+`"`), id)
	}
	require.NotContains(t, chart, `id="bar-last-`, "what never was queued has no bar")
	require.Contains(t, chart, `href="/dags/small/runs/a/tasks/broken?try=2#log"`)
	require.Equal(t, 3, strings.Count(chart, ` class="work" `))
	_, table, found := strings.Cut(chart, `id="gantt-table"`)
	require.True(t, found)
	table, _, _ = strings.Cut(table, "</tbody>")
	require.Equal(t, 1+4, strings.Count(table, "<tr>"), "a heading, three tries and the task without one")
	status, _, _ = s.page(t, http.MethodGet, "/dags/small/gantt?run=none", nil)
	require.Equal(t, http.StatusNotFound, status)
}

// TestGanttBarsStandInProportion places two tries of a hand-made run of 100 s by hand: 820 pixels from 190 on.
func TestGanttBarsStandInProportion(t *testing.T) {
	zero := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	after := func(s int) when { return when{zero.Add(time.Duration(s) * time.Second)} }
	g := gantt{Rows: []ganttTask{{Bars: []ganttTry{{Queued: after(0), Start: after(10), End: after(50)}}}, {Bars: []ganttTry{{Queued: after(50), Start: after(60)}}}}}
	g.place(zero, after(100).Time, after(100).Time)
	first, second := g.Rows[0].Bars[0], g.Rows[1].Bars[0]
	require.Equal(t, []int{190, 82, 272, 328}, []int{first.WaitX, first.WaitW, first.WorkX, first.WorkW})
	require.Equal(t, []int{600, 82, 682, 328}, []int{second.WaitX, second.WaitW, second.WorkX, second.WorkW}, "what runs goes on to now")
	require.Len(t, g.Ticks, 7, "every 15 s")
	require.Equal(t, ganttTick{190, 0}, g.Ticks[0])
	require.Equal(t, ganttTick{190 + 738, 90 * time.Second}, g.Ticks[6])
	for whole, step := range map[time.Duration]time.Duration{
		time.Millisecond: time.Millisecond, 3200 * time.Millisecond: 500 * time.Millisecond, 61 * time.Second: 10 * time.Second,
		100 * time.Minute: 15 * time.Minute, 30 * 24 * time.Hour: 5 * 24 * time.Hour,
	} {
		require.Equal(t, step, axisStep(whole, 7), whole)
	}
}

func TestDurationsCompareTheTasksOfTheLastRuns(t *testing.T) {
	second := func(s int) *time.Duration { d := time.Duration(s) * time.Second; return &d }
	b := durationsPage{Runs: []durationRun{
		{Worked: []*time.Duration{second(10), nil}, All: 10 * time.Second}, {Worked: []*time.Duration{second(20), second(40)}, All: 60 * time.Second},
		{Worked: []*time.Duration{second(10), second(20)}, All: 30 * time.Second},
	}}
	b.compare([]string{"a", "b"}, [][]taskView{{{}, {}}, {{}, {}}, {{}, {}}})
	require.Equal(t, 40*time.Second, *b.Longest)
	require.Equal(t, 10*time.Second, *b.Tasks[0].Median)
	require.Equal(t, 20*time.Second, *b.Tasks[0].Longest)
	require.EqualValues(t, 40, b.Tasks[0].Share)
	require.Equal(t, 30*time.Second, *b.Tasks[1].Median)
	require.EqualValues(t, 60, b.Tasks[1].Share)
	require.Len(t, b.Tasks[1].Bars, 2, "a run without the task has no bar")
	require.Equal(t, []int{8, 16, 8}, []int{b.Tasks[0].Bars[0].H, b.Tasks[0].Bars[1].H, b.Tasks[0].Bars[2].H}, "32 pixels are 40 s")

	s := start(t, settings(t, t.TempDir()))
	s.trigger(t, `{"dag_run_id": "a"}`)
	s.await(t, "a", "success")
	page := s.see(t, "/dags/small/durations")
	require.Contains(t, page, "count · a · success · ")
	require.Contains(t, page, `href="/dags/small/runs/a"`)
}

func TestTheCalendarShowsTheWorstOfADay(t *testing.T) {
	var b calendarPage
	b.DAG.Href = "/dags/d"
	today := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC) // a Wednesday
	monday := time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC)
	day := func(d int, state dag.RunState) dagrunstore.RunMark {
		return dagrunstore.RunMark{LogicalDate: time.Date(2026, 3, d, 5, 0, 0, 0, time.UTC), State: state}
	}
	b.fill(monday, today, []dagrunstore.RunMark{day(2, dag.RunSuccess), day(3, dag.RunSuccess), day(3, dag.RunFailed), day(3, dag.RunQueued), day(4, dag.RunQueued), day(4, dag.RunSuccess)})
	require.Len(t, b.Rows, 7)
	last := func(weekday int) calendarDay { return b.Rows[weekday].Days[weeksShown-1] }
	require.Equal(t, calendarDay{Day: "2026-03-02", Shown: true, Runs: 1, State: viewOf("success"), Href: "/dags/d/calendar?day=2026-03-02#day"}, last(0))
	require.Equal(t, "failed", last(1).State.Name)
	require.Equal(t, "queued", last(2).State.Name)
	require.False(t, last(3).Shown, "tomorrow")
	require.Equal(t, "2025-03-03", b.Rows[0].Days[0].Day)
	weeks := 0
	for _, m := range b.Months {
		weeks += m.Weeks
	}
	require.Equal(t, weeksShown, weeks)

	s := start(t, settings(t, t.TempDir()))
	now := time.Now().UTC()
	for i, date := range []time.Time{now.AddDate(0, 0, -2), now.AddDate(0, 0, -400)} {
		s.trigger(t, `{"dag_run_id": "r`+string(rune('0'+i))+`", "logical_date": "`+date.Format(time.RFC3339)+`"}`)
	}
	s.await(t, "r1", "success")
	two, old := now.AddDate(0, 0, -2).Format(time.DateOnly), now.AddDate(0, 0, -400).Format(time.DateOnly)
	page := s.see(t, "/dags/small/calendar")
	require.Contains(t, page, `id="day-`+two+`"`)
	require.NotContains(t, page, old)
	page = s.see(t, "/dags/small/calendar?day="+two)
	require.Contains(t, page, `href="/dags/small/runs/r0"`)
	require.NotContains(t, page, `href="/dags/small/runs/r1"`)
	status, _, _ := s.page(t, http.MethodGet, "/dags/small/calendar?day=soon", nil)
	require.Equal(t, http.StatusBadRequest, status)
}

func TestABackfillShowsFirstWhatItDoes(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	const address = "/dags/small/backfills"
	for _, c := range []struct{ from, to, conf, problem string }{
		{"", "2026-01-02", "", "This is not a date"},
		{"2026-01-02", "soon", "", "This is not a date"},
		{"2026-01-02", "2026-01-01", "", "This day is before the first one."},
		{"3026-01-01", "3026-01-02", "", "This day is in the future"},
		{"2026-01-01", "2026-01-02", "[1]", "This is not a JSON object"},
		{"2026-01-01", "2026-01-02", `{"fail": 1}`, "This conf cannot be used"},
	} {
		status, text, _ := s.page(t, http.MethodPost, address, url.Values{"from": {c.from}, "to": {c.to}, "conf": {c.conf}, "reprocess": {"none"}})
		require.Equal(t, http.StatusUnprocessableEntity, status, "%v", c)
		require.Contains(t, text, c.problem)
		require.Contains(t, text, `value="`+c.from+`"`, "what was typed stays")
	}
	s.trigger(t, `{"dag_run_id": "bad", "conf": {"fail": true}, "logical_date": "2026-01-02"}`)
	s.await(t, "bad", "failed")

	chosen := url.Values{"from": {"2026-01-01"}, "to": {"2026-01-03"}, "reprocess": {"failed"}, "conf": {`{"fail": false}`}}
	status, text, _ := s.page(t, http.MethodPost, address, chosen)
	require.Equal(t, http.StatusOK, status)
	changes := text[strings.Index(text, "<tbody>"):strings.Index(text, "</tbody>")]
	require.Regexp(t, `(?s)backfill__2026-01-01T00:00:00\+00:00.*is made.*bad.*runs again.*backfill__2026-01-03T00:00:00\+00:00.*is made`, changes)
	require.Contains(t, text, "Queue 3 runs")
	require.EqualValues(t, 1, s.get(t, runs)["total_entries"], "the preview changes nothing")

	// Somebody triggers a run of one of the days meanwhile: what was agreed to is not so any more.
	chosen.Set("seen", regexp.MustCompile(`name="seen" value="(\w+)"`).FindStringSubmatch(text)[1])
	s.trigger(t, `{"dag_run_id": "meanwhile", "logical_date": "2026-01-03"}`)
	s.await(t, "meanwhile", "success")
	status, text, _ = s.page(t, http.MethodPost, address, chosen)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "The runs have changed since you looked.")
	require.Contains(t, text, "Queue 2 runs")
	require.EqualValues(t, 2, s.get(t, runs)["total_entries"])

	s.call(t, http.MethodPatch, "/api/v2/dags/small", `{"is_paused": true}`)
	chosen.Set("seen", regexp.MustCompile(`name="seen" value="(\w+)"`).FindStringSubmatch(text)[1])
	status, _, header := s.page(t, http.MethodPost, address, chosen)
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, address+"?made=1", header.Get("Location"))
	require.Contains(t, s.see(t, header.Get("Location")), "Backfill 1 was made")
	require.Equal(t, "queued", s.get(t, runs+"/bad")["state"])
	chosen.Del("seen")
	status, text, _ = s.page(t, http.MethodPost, address, chosen)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "There is nothing to run.", "what is queued is left alone")
	require.NotContains(t, text, `id="confirm"`)

	// Cancelling asks first.
	status, text, _ = s.page(t, http.MethodPost, address+"/1/cancel", nil)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "Cancel 2 queued runs")
	require.Nil(t, s.get(t, fills+"/1")["completed_at"])
	status, _, _ = s.page(t, http.MethodPost, address+"/1/cancel", url.Values{"agreed": {"yes"}})
	require.Equal(t, http.StatusSeeOther, status)
	require.NotNil(t, s.get(t, fills+"/1")["completed_at"])
	require.Equal(t, "failed", s.get(t, runs+"/bad")["state"])
	_, text, _ = s.page(t, http.MethodPost, address+"?lang=es", url.Values{"from": {"x"}, "to": {"2026-01-01"}, "conf": {"x"}})
	require.Contains(t, text, "Esto no es una fecha")
}

func TestWithoutAScheduleThereIsNothingToBackfill(t *testing.T) {
	cfg := settings(t, t.TempDir())
	cfg.Schedule.Cron = "none"
	s := start(t, cfg)
	require.Contains(t, s.see(t, "/dags/small/backfills"), "The DAG has no schedule")
	require.Contains(t, s.see(t, "/dags/small/calendar"), "Days by the clocks of UTC")
	status, answer := s.call(t, http.MethodPost, fills, `{"dag_id": "small", "from_date": "2026-01-01", "to_date": "2026-01-02"}`)
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, answer["detail"], "has no schedule")
	require.Equal(t, false, s.get(t, "/api/v2/dags/small")["is_backfillable"])
}
