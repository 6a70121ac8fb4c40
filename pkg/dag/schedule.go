package dag

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"tasador/pkg/apperror"
)

// idTime is how times look in run ids, as Python's isoformat writes them.
const (
	idTime      = "2006-01-02T15:04:05-07:00"
	idTimeMicro = "2006-01-02T15:04:05.000000-07:00"
)

// RunID returns the id that a run gets if none is asked for: scheduled__2026-01-01T00:00:00+00:00 and backfill__… by its logical date, or
// manual__2026-01-01T08:30:00.123456+00:00 by the instant at which it was triggered.
func RunID(kind RunType, at time.Time) string {
	at = at.UTC().Truncate(time.Microsecond)
	layout := idTimeMicro
	if at.Nanosecond() == 0 {
		layout = idTime
	}
	return string(kind) + "__" + at.Format(layout)
}

// Interval is a stretch of time between two ticks of a schedule. Its run is due at End and has Start as logical date.
type Interval struct{ Start, End time.Time }

// Schedule says when scheduled runs are due, by the clocks of Zone. Its times are UTC. The nil Schedule never is.
type Schedule struct {
	Expression string
	Zone       string // name in the IANA time zone database, such as Europe/Madrid
	start      time.Time
	catchup    bool
	ticks      cron.Schedule
	location   *time.Location
}

// ParseSchedule reads a cron expression of five fields, or @hourly, @daily, @weekly, @monthly, @yearly; none or an empty text gives a nil
// Schedule. start is the first day, as 2025-05-01 in zone or a full RFC 3339 time. An hour that the clocks skip in spring
// has no tick. Codes: Invalid.
func ParseSchedule(expression, start, zone string, catchup bool) (*Schedule, error) {
	if expression == "" || expression == "none" {
		return nil, nil //nolint:nilnil // the nil Schedule is one that is never due
	}
	if strings.HasPrefix(expression, "@every") || strings.Contains(expression, "TZ=") {
		return nil, apperror.New(apperror.Invalid,
			"the schedule %q is not supported; use a cron expression of five fields, @daily and the like, or none, and --schedule.timezone for the zone", expression)
	}
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == "Local" {
		return nil, apperror.New(apperror.Invalid, "the time zone %q of the schedule is not known; use a name such as UTC or Europe/Madrid", zone)
	}
	ticks, err := cron.ParseStandard("CRON_TZ=" + zone + " " + expression)
	if err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err,
			"the schedule %q is not understood; use a cron expression of five fields, @daily and the like, or none", expression)
	}
	first, err := parseStart(start, location)
	if err != nil {
		return nil, err
	}
	if ticks.Next(first).IsZero() {
		return nil, apperror.New(apperror.Invalid, "the schedule %q names a day that never comes", expression)
	}
	return &Schedule{Expression: expression, Zone: zone, start: first, catchup: catchup, ticks: ticks, location: location}, nil
}

func parseStart(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, apperror.New(apperror.Invalid, "the start %q of the schedule is not a date; write it as 2025-05-01", text)
}

// Due plans scheduled runs. next is the start of the next interval to run as Due returned it before, or zero at the very first start: no
// interval that ended before that is run. It returns the intervals whose runs are due now and the next one to remember. Of several that were missed only the
// latest runs, unless the schedule catches up. If the clock was set back to before next, the interval under way is the next one again; whoever stores the runs
// sees to it that none gets a second one.
func (s *Schedule) Due(next, now time.Time) (due []Interval, after time.Time) {
	if s == nil {
		return nil, time.Time{}
	}
	now = now.UTC()
	if next.IsZero() {
		next = s.lastTick(now)
	}
	if next.Before(s.start) {
		next = s.start
	}
	i := s.interval(s.tickFrom(next))
	if underWay := s.lastTick(now); i.Start.After(now) && !underWay.IsZero() && !underWay.Before(s.start) {
		i = s.interval(underWay)
	}
	if !s.catchup {
		// Ticks grow, so the last interval that has ended starts at the tick before the last one.
		if end := s.lastTick(now); end.After(i.End) {
			i = Interval{Start: s.lastTick(end.Add(-time.Nanosecond)), End: end}
		}
	}
	for !i.End.After(now) {
		due = append(due, i)
		i = s.interval(i.End)
	}
	return due, i.Start
}

// Upcoming returns the interval that starts at next, a value that Due returned.
func (s *Schedule) Upcoming(next time.Time) Interval { return s.interval(next.UTC()) }

func (s *Schedule) interval(start time.Time) Interval {
	return Interval{Start: start, End: s.ticks.Next(start)}
}

// tickFrom returns the first tick at or after t.
func (s *Schedule) tickFrom(t time.Time) time.Time { return s.ticks.Next(t.Add(-time.Nanosecond)) }

// lastTick returns the last tick at or before t, or the zero time if there is none in the nine years before (29 February can be eight away).
func (s *Schedule) lastTick(t time.Time) time.Time {
	const day = 24 * time.Hour
	for _, back := range []time.Duration{time.Hour, day, 32 * day, 370 * day, 9 * 366 * day} {
		var last time.Time
		for tick := s.tickFrom(t.Add(-back)); !tick.IsZero() && !tick.After(t); tick = s.ticks.Next(tick) {
			last = tick
		}
		if !last.IsZero() {
			return last
		}
	}
	return time.Time{}
}
