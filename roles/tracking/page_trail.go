package tracking

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/registry"
	"tasador/pkg/sqlstore/trackingstore"
)

// Bounds of what the page of a model tells of its past.
const (
	movesPerPage = 25
	maxPeriods   = 12
)

// trailLine is one entry of the audit trail.
type trailLine struct {
	registry.Move
	When moment
}

// trail is one page of the audit trail, the newest entry first.
type trail struct {
	Lines        []trailLine
	First, Older string // addresses
}

// trailOf reads the page of the audit trail that the address asks for.
func (p *pages) trailOf(c echo.Context, name string) (trail, error) {
	before, _ := strconv.ParseInt(c.QueryParam("before"), 10, 64) // anything else is the newest page
	moves, more, err := p.store.Moves(c.Request().Context(), name, trackingstore.MoveQuery{Before: before, Limit: movesPerPage})
	if err != nil {
		return trail{}, err
	}
	var t trail
	for _, m := range moves {
		t.Lines = append(t.Lines, trailLine{m, moment(m.At)})
	}
	if before > 0 {
		t.First = modelHref(name) + "#trail"
	}
	if more {
		last := moves[len(moves)-1].ID
		t.Older = address(modelHref(name), url.Values{"before": {strconv.FormatInt(last, 10)}}) + "#trail"
	}
	return t, nil
}

// period is a time in which a version was in Production. From is 0 if it began before the trail did, To if it has not ended.
type period struct {
	Version  string
	From, To moment
	Began    *registry.Actor // who moved it there
	Ended    *registry.Actor // who moved it away
	Bar      periodBar
}

// Took is how long the period was; nil if one of its ends is not known.
func (p period) Took() *time.Duration {
	if p.From == 0 || p.To == 0 {
		return nil
	}
	took := time.Duration(p.To-p.From) * time.Millisecond
	return &took
}

// periodBar is where a period lies in the picture.
type periodBar struct {
	X, Width string
	Y, Text  int // of its lane, and of what is written in it
	Open     bool
}

// periods pairs the moves into Production, which come newest first, with those out of it. The newest period comes first.
func periods(moves []registry.Move) []period {
	var list []period
	at := map[string]int{} // of the version that is there
	for _, m := range slices.Backward(moves) {
		if m.To == string(registry.Production) {
			at[m.Version] = len(list)
			list = append(list, period{Version: m.Version, From: moment(m.At), Began: &m.By})
		}
		if m.From != string(registry.Production) {
			continue
		}
		i, known := at[m.Version]
		if !known {
			i = len(list)
			list = append(list, period{Version: m.Version})
		}
		list[i].To, list[i].Ended = moment(m.At), &m.By
		delete(at, m.Version)
	}
	slices.Reverse(list)
	return list
}

// timeline is the times in Production as bars over time, the newest first.
type timeline struct {
	Periods       []period
	Width, Height int
	Base          int // where the ends of the axis are named
	Left, Right   int // of the axis
	First, Last   moment
	Before        bool // the trail begins later than the first period
}

const (
	laneHeight   = 24
	timelineSide = 104 // room for the names of the versions
	timelineWide = 720
)

// timelineOf reads which version was in Production when, up to now; nil if the trail knows of none.
func (p *pages) timelineOf(ctx context.Context, name string, now moment) (*timeline, error) {
	q := trackingstore.MoveQuery{Stage: registry.Production, Limit: 4 * maxPeriods}
	moves, _, err := p.store.Moves(ctx, name, q)
	if err != nil {
		return nil, err
	}
	list := periods(moves)
	if len(list) == 0 {
		return nil, nil //nolint:nilnil // there is nothing to draw
	}
	return drawTimeline(list[:min(maxPeriods, len(list))], now), nil
}

func drawTimeline(list []period, now moment) *timeline {
	t := &timeline{
		Periods: list, Width: timelineWide, Height: len(list)*laneHeight + axisRoom, Left: timelineSide, Right: timelineWide - timelineSide/2, First: now, Last: now,
	}
	t.Base = t.Height - 6
	for _, p := range list {
		t.Before = t.Before || p.From == 0
		if p.From > 0 {
			t.First = min(t.First, p.From)
		} else {
			t.First = min(t.First, p.To)
		}
	}
	x := scale(float64(t.First), float64(t.Last), float64(t.Left), float64(t.Right))
	for i := range list {
		from, to := float64(t.Left), float64(t.Right)
		if t.First < t.Last { // else all of it is one moment
			if list[i].From > 0 {
				from = x(float64(list[i].From))
			}
			if list[i].To > 0 {
				to = x(float64(list[i].To))
			}
		}
		const least = 2 // so that a short time is seen
		list[i].Bar = periodBar{
			X: coordinate(from), Width: coordinate(max(to-from, least)), Y: i*laneHeight + 4, Text: i*laneHeight + 16, Open: list[i].To == 0,
		}
	}
	return t
}
