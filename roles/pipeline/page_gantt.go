package pipeline

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/web"
)

// The sizes of the Gantt chart in pixels.
const (
	ganttNames  = 190 // the column of task names
	ganttPlot   = 820
	ganttEnds   = 130 // what stands behind the bars
	ganttRow    = 26
	ganttAxis   = 26
	ganttBar    = 14
	ganttLeast  = 2 // width of a bar that would be narrower
	ganttLabels = 7 // on the axis at most
)

// gantt is a run drawn over time, a row for each task and a bar for each try.
type gantt struct {
	Width, Height int
	Top           int // of the first row
	Bottom        int // of the last one
	Rows          []ganttTask
	Ticks         []ganttTick
	Began         when // zero of the axis
}

type ganttTask struct {
	Task taskView
	Y    int // middle of the row
	Bars []ganttTry
}

// ganttTry is a try: a hollow bar while it was queued, then a filled one.
type ganttTry struct {
	Number                     int
	Href                       string
	State                      stateView
	Queued, Start, End         when
	Waited, Worked             *time.Duration // nil: not known yet
	Y                          int
	WaitX, WaitW, WorkX, WorkW int
	TextX                      int // where its duration stands; 0 for none
}

type ganttTick struct {
	X  int
	At time.Duration
}

type ganttPage struct {
	dagHead
	Live  live
	Run   *runView
	Runs  []runView // to choose from, newest first
	Chart gantt
}

// gantt is GET /dags/:dag_id/gantt?run=.
func (p *pages) gantt(c echo.Context) error {
	if err := p.checkDAG(c); err != nil {
		return err
	}
	runID, ctx, now := c.QueryParam("run"), c.Request().Context(), time.Now()
	s, err := p.snapshot(ctx, runID)
	if err != nil {
		return err
	}
	query := url.Values{}
	if runID != "" {
		query.Set("run", runID)
	}
	body := ganttPage{dagHead: p.head(s.dag, "gantt", runID), Live: p.live(s, query)}
	for _, r := range s.runs {
		body.Runs = append(body.Runs, newRunView(r, now))
	}
	if s.chosen != nil {
		run := newRunView(*s.chosen, now)
		body.Run = &run
		if !slices.ContainsFunc(body.Runs, func(r runView) bool { return r.ID == run.ID }) {
			body.Runs = append(body.Runs, run)
		}
		if body.Chart, err = p.drawGantt(ctx, s.instances[s.chosen.Key], now); err != nil {
			return err
		}
	}
	return p.write(c, http.StatusOK, "gantt", web.Page{Title: "Gantt", Name: p.plan.Definition().ID, Body: body})
}

// drawGantt places the tries of a run on an axis from the first time that one of them was queued to the end of the last, or now.
func (p *pages) drawGantt(ctx context.Context, instances []dagrunstore.Instance, now time.Time) (gantt, error) {
	tries, err := p.store.TriesOf(ctx, instances)
	if err != nil {
		return gantt{}, err
	}
	g := gantt{Width: ganttNames + ganttPlot + ganttEnds, Top: ganttAxis}
	var from, to time.Time
	for _, i := range instances {
		row := ganttTask{Task: p.taskView(i, now), Y: g.Top + len(g.Rows)*ganttRow + ganttRow/2}
		for _, t := range withQueued(i, tries[i.Key]) {
			bar := ganttTry{Number: t.Try, Href: row.Task.Href + "?try=" + strconv.Itoa(t.Try) + "#log", State: viewOf(string(t.State)), Queued: when{t.QueuedAt},
				Start: when{t.StartedAt}, End: when{t.Ended}, Y: row.Y - ganttBar/2}
			bar.Waited, bar.Worked = clockOf(t.QueuedAt, t.StartedAt, now).Took, clockOf(t.StartedAt, t.Ended, now).Took
			row.Bars = append(row.Bars, bar)
			if from.IsZero() || t.QueuedAt.Before(from) {
				from = t.QueuedAt
			}
			if end := bar.end(now); end.After(to) {
				to = end
			}
		}
		g.Rows = append(g.Rows, row)
	}
	g.Bottom = g.Top + len(g.Rows)*ganttRow
	g.Height = g.Bottom + 4
	g.Began = when{from}
	g.place(from, to, now)
	return g, nil
}

// withQueued adds the try that waits to be claimed, which has no row of its own yet.
func withQueued(i dagrunstore.Instance, tries []dagrunstore.Try) []dagrunstore.Try {
	if i.State == dag.StateQueued {
		tries = append(tries, dagrunstore.Try{Try: i.Try, State: i.State, QueuedAt: i.QueuedAt})
	}
	return tries
}

func (t ganttTry) end(now time.Time) time.Time {
	if t.End.IsZero() {
		return now
	}
	return t.End.Time
}

// place gives bars and ticks their places along the axis.
func (g *gantt) place(from, to, now time.Time) {
	whole := max(to.Sub(from), time.Millisecond)
	x := func(t time.Time) int {
		return ganttNames + int(float64(ganttPlot)*float64(t.Sub(from))/float64(whole)+0.5)
	}
	for r := range g.Rows {
		for b := range g.Rows[r].Bars {
			bar := &g.Rows[r].Bars[b]
			started := bar.Start.Time
			if started.IsZero() {
				started = bar.end(now)
			}
			bar.WaitX, bar.WaitW = x(bar.Queued.Time), x(started)-x(bar.Queued.Time)
			if !bar.Start.IsZero() {
				bar.WorkX, bar.WorkW = x(started), max(x(bar.end(now))-x(started), ganttLeast)
			}
			if b == len(g.Rows[r].Bars)-1 {
				bar.TextX = max(bar.WaitX+bar.WaitW, bar.WorkX+bar.WorkW) + 6
			}
		}
	}
	if from.IsZero() {
		return
	}
	step := axisStep(whole, ganttLabels)
	for at := time.Duration(0); at <= whole; at += step {
		g.Ticks = append(g.Ticks, ganttTick{X: x(from.Add(at)), At: at})
	}
}

// axisStep is the least round step that cuts whole into fewer than most pieces.
func axisStep(whole time.Duration, most int) time.Duration {
	steps := []time.Duration{}
	for _, unit := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond} {
		steps = append(steps, unit, 2*unit, 5*unit)
	}
	for _, unit := range []time.Duration{time.Second, time.Minute} {
		steps = append(steps, unit, 2*unit, 5*unit, 10*unit, 15*unit, 30*unit)
	}
	for _, hours := range []time.Duration{1, 2, 3, 6, 12, 24} {
		steps = append(steps, hours*time.Hour)
	}
	for _, s := range steps {
		if whole/s < time.Duration(most) {
			return s
		}
	}
	day := 24 * time.Hour
	return (whole/time.Duration(most)/day + 1) * day
}
