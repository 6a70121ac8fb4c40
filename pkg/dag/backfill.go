package dag

import "time"

// Reprocess says which of the runs that exist already a backfill runs again. Names and meaning are Airflow's.
type Reprocess string

// The reprocess behaviours. Runs that are queued or running are left alone by all of them.
const (
	ReprocessNone      Reprocess = "none"      // only what is missing runs
	ReprocessFailed    Reprocess = "failed"    // and what has failed
	ReprocessCompleted Reprocess = "completed" // and what has succeeded
)

// Known reports whether r is one of the behaviours.
func (r Reprocess) Known() bool {
	return r == ReprocessNone || r == ReprocessFailed || r == ReprocessCompleted
}

// Again reports whether a run in that state runs again.
func (r Reprocess) Again(state RunState) bool {
	switch state {
	case RunFailed:
		return r == ReprocessFailed || r == ReprocessCompleted
	case RunSuccess:
		return r == ReprocessCompleted
	default:
		return false
	}
}

// Between returns the intervals of the schedule that start from from to to, both included, and have ended by now: at most limit, oldest first.
func (s *Schedule) Between(from, to, now time.Time, limit int) []Interval {
	if s == nil {
		return nil
	}
	if from.Before(s.start) {
		from = s.start
	}
	var out []Interval
	for i := s.interval(s.tickFrom(from)); len(out) < limit && !i.Start.After(to) && !i.End.After(now); i = s.interval(i.End) {
		out = append(out, Interval{Start: i.Start.UTC(), End: i.End.UTC()})
	}
	return out
}

// Location is the place by whose clocks the schedule goes: UTC for the nil Schedule.
func (s *Schedule) Location() *time.Location {
	if s == nil {
		return time.UTC
	}
	return s.location
}

// Day returns the first and the last microsecond of a day such as 2026-01-31 by the clocks of the schedule.
func (s *Schedule) Day(text string) (first, last time.Time, err error) {
	first, err = time.ParseInLocation(time.DateOnly, text, s.Location())
	if err != nil {
		return first, last, err
	}
	return first.UTC(), first.AddDate(0, 0, 1).Add(-time.Microsecond).UTC(), nil
}
