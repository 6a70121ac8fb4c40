package pipeline

import (
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/web"
)

const (
	weeksShown = 53
	weekDays   = 7
)

// calendarPage shows the last year, a cell for each day.
type calendarPage struct {
	dagHead
	Live   live
	Zone   string // by whose clocks the days are
	Any    bool   // there is a run in the year
	Months []calendarMonth
	Rows   []calendarRow // Monday first
	Day    string        // that was chosen
	Runs   []runView     // of that day, oldest first
}

// calendarMonth heads the weeks in which a month begins.
type calendarMonth struct {
	Label string // a key of the translations; empty where there is no room
	Weeks int
}

type calendarRow struct {
	Label string // a key of the translations
	Days  []calendarDay
}

// calendarDay is a day: the worst state of its runs counts.
type calendarDay struct {
	Day    string
	Shown  bool // it is not in the future
	Runs   int
	State  stateView
	Href   string
	Chosen bool
}

// calendar is GET /dags/:dag_id/calendar?day=.
func (p *pages) calendar(c echo.Context) error {
	if err := p.checkDAG(c); err != nil {
		return err
	}
	ctx, now, id := c.Request().Context(), time.Now(), p.plan.Definition().ID
	s, err := p.snapshot(ctx, "")
	if err != nil {
		return err
	}
	zone := p.schedule.Location()
	today := midnight(now.In(zone))
	monday := today.AddDate(0, 0, -(int(today.Weekday())+weekDays-1)%weekDays-(weeksShown-1)*weekDays)
	marks, err := p.store.RunMarks(ctx, id, monday)
	if err != nil {
		return err
	}
	body := calendarPage{dagHead: p.head(s.dag, "calendar", ""), Live: p.live(s, url.Values{}), Zone: zone.String(), Any: len(marks) > 0, Day: c.QueryParam("day")}
	body.fill(monday, today, marks)
	if body.Day != "" {
		first, last, err := p.schedule.Day(body.Day)
		if err != nil {
			return apperror.Wrap(apperror.Invalid, err, "day=%s is not a day; write it as 2026-01-31", body.Day)
		}
		runs, _, err := p.store.Runs(ctx, dagrunstore.RunQuery{
			DAGID: id, Order: []dagrunstore.RunOrder{{Field: "logical_date"}},
			Ranges: []dagrunstore.RunRange{{Field: "logical_date", Op: "gte", Bound: first}, {Field: "logical_date", Op: "lte", Bound: last}},
		})
		if err != nil {
			return err
		}
		for _, r := range runs {
			body.Runs = append(body.Runs, newRunView(r, now))
		}
	}
	return p.write(c, http.StatusOK, "calendar", web.Page{Title: "Calendar", Name: id, Body: body})
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

// fill lays the days from monday to today out, a column for each week.
func (b *calendarPage) fill(monday, today time.Time, marks []dagrunstore.RunMark) {
	states := map[string][]dag.RunState{}
	for _, m := range marks {
		day := m.LogicalDate.In(today.Location()).Format(time.DateOnly)
		states[day] = append(states[day], m.State)
	}
	names := []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}
	for weekday := range weekDays {
		row := calendarRow{Label: names[weekday]}
		for week := range weeksShown {
			at := monday.AddDate(0, 0, week*weekDays+weekday)
			day := at.Format(time.DateOnly)
			cell := calendarDay{Day: day, Shown: !at.After(today), Runs: len(states[day]), Chosen: day == b.Day}
			if cell.Runs > 0 {
				cell.State, cell.Href = viewOf(string(worst(states[day]))), b.DAG.Href+"/calendar?day="+day+"#day"
				cell.Shown = true
			}
			row.Days = append(row.Days, cell)
		}
		b.Rows = append(b.Rows, row)
	}
	for week := range weeksShown {
		month := monday.AddDate(0, 0, week*weekDays).Format("Jan")
		if n := len(b.Months); n > 0 && b.Months[n-1].Label == month {
			b.Months[n-1].Weeks++
		} else {
			b.Months = append(b.Months, calendarMonth{Label: month, Weeks: 1})
		}
	}
	for i := range b.Months {
		if b.Months[i].Weeks < 2 {
			b.Months[i].Label = ""
		}
	}
}

// worst is the state that a day of runs is judged by.
func worst(states []dag.RunState) dag.RunState {
	for _, s := range []dag.RunState{dag.RunFailed, dag.RunRunning, dag.RunQueued} {
		for _, have := range states {
			if have == s {
				return s
			}
		}
	}
	return dag.RunSuccess
}
