package pipeline

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/web"
)

// The sizes of the bars of durations in pixels.
const (
	durationWidth  = 14
	durationHeight = 32
)

// durationsPage shows where the time of the last runs went.
type durationsPage struct {
	dagHead
	Live    live
	Runs    []durationRun // oldest first
	Tasks   []durationTask
	Longest *time.Duration // of the tries of one task in one run: the scale of all bars
	Width   int
	Height  int
}

// durationRun is a run with how long each task was at work in it, in the order of the tasks; nil where one was not.
type durationRun struct {
	Run    runView
	Worked []*time.Duration
	All    time.Duration // of all tasks
}

// durationTask is a task over the runs.
type durationTask struct {
	Task    string
	Bars    []durationBar
	Median  *time.Duration
	Longest *time.Duration
	Share   int64 // of the time of all tasks, in percent
}

type durationBar struct {
	X, Y, H int
	Width   int
	Run     string
	Href    string
	State   stateView
	Took    time.Duration
}

// durations is GET /dags/:dag_id/durations.
func (p *pages) durations(c echo.Context) error {
	if err := p.checkDAG(c); err != nil {
		return err
	}
	ctx, now := c.Request().Context(), time.Now()
	s, err := p.snapshot(ctx, "")
	if err != nil {
		return err
	}
	body := durationsPage{dagHead: p.head(s.dag, "durations", ""), Live: p.live(s, url.Values{}), Height: durationHeight}
	var views [][]taskView
	tries, err := p.store.TriesOf(ctx, slices.Concat(slices.Collect(maps.Values(s.instances))...))
	if err != nil {
		return err
	}
	for _, run := range slices.Backward(s.runs) {
		d, tasks := p.durationsOf(run, s.instances[run.Key], tries, now)
		body.Runs, views = append(body.Runs, d), append(views, tasks)
	}
	body.Width = len(body.Runs) * durationWidth
	body.compare(p.plan.TaskIDs(), views)
	return p.write(c, http.StatusOK, "durations", web.Page{Title: "Durations", Name: p.plan.Definition().ID, Body: body})
}

// durationsOf adds up the tries of each task of a run.
func (p *pages) durationsOf(run dagrunstore.Run, instances []dagrunstore.Instance, tries map[int64][]dagrunstore.Try, now time.Time) (durationRun, []taskView) {
	d := durationRun{Run: newRunView(run, now)}
	var views []taskView
	for _, id := range p.plan.TaskIDs() {
		view := taskView{ID: id}
		var worked *time.Duration
		for _, i := range instances {
			if i.TaskID != id {
				continue
			}
			view = p.taskView(i, now)
			for _, t := range tries[i.Key] {
				if took := clockOf(t.StartedAt, t.Ended, now).Took; took != nil {
					d.All += *took
					worked = sum(worked, *took)
				}
			}
		}
		d.Worked, views = append(d.Worked, worked), append(views, view)
	}
	return d, views
}

func sum(a *time.Duration, b time.Duration) *time.Duration {
	if a != nil {
		b += *a
	}
	return &b
}

// compare draws the tasks over the runs, all on one scale.
func (b *durationsPage) compare(tasks []string, views [][]taskView) {
	var all time.Duration
	for _, r := range b.Runs {
		all += r.All
		for _, w := range r.Worked {
			if w != nil && (b.Longest == nil || *w > *b.Longest) {
				b.Longest = w
			}
		}
	}
	for t, id := range tasks {
		row := durationTask{Task: id}
		var worked []time.Duration
		var total time.Duration
		for r, run := range b.Runs {
			w := run.Worked[t]
			if w == nil {
				continue
			}
			worked, total = append(worked, *w), total+*w
			h := max(1, int(float64(durationHeight)*float64(*w)/float64(max(*b.Longest, 1))))
			row.Bars = append(row.Bars, durationBar{
				X: r * durationWidth, Y: durationHeight - h, H: h, Width: durationWidth - 3,
				Run: run.Run.ID, Href: views[r][t].Href, State: views[r][t].State, Took: *w,
			})
		}
		if len(worked) > 0 {
			slices.Sort(worked)
			median := (worked[(len(worked)-1)/2] + worked[len(worked)/2]) / 2
			row.Median, row.Longest = &median, &worked[len(worked)-1]
			row.Share = int64(100*float64(total)/float64(max(all, 1)) + 0.5)
		}
		b.Tasks = append(b.Tasks, row)
	}
}
