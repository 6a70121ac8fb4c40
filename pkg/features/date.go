package features

import (
	"time"

	"tasador/pkg/property"
)

const (
	firstYear     = 1678
	lastYear      = 2261
	secondsPerDay = 86400
	// NoDays stands for a date that is missing or does not parse.
	NoDays = -1
)

// ParseSoldAt reads a date, YYYY-MM-DD, optionally with a T or a space, a time hh:mm[:ss[.fraction]] and an offset (Z, +hh:mm or
// +hhmm), of a year from 1678 to 2261, as an instant in UTC. White space around it is ignored. It reports false for anything else.
func ParseSoldAt(s string) (time.Time, bool) {
	m, ok := parseMoment(s)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(m.seconds, m.nanos).UTC(), true
}

func daysOf(date property.Text, clock Clock) int32 {
	if !date.Valid {
		return NoDays
	}
	return clock.Since(date.Value)
}

// Clock counts the days from dates to one instant, the as-of instant of a DAG run.
type Clock struct{ seconds, nanos int64 }

// NewClock returns a clock that stands at asOf.
func NewClock(asOf time.Time) Clock {
	return Clock{seconds: asOf.Unix(), nanos: int64(asOf.Nanosecond())}
}

// Since returns the whole days from a date to the instant, rounded down, so negative for the future; NoDays (-1) if it does not parse.
func (c Clock) Since(date string) int32 { return sinceMoment(c, date) }

// SinceBytes is Since for bytes, which it does not keep.
func (c Clock) SinceBytes(date []byte) int32 { return sinceMoment(c, date) }

func sinceMoment[T ~string | ~[]byte](c Clock, date T) int32 {
	m, ok := parseMoment(date)
	if !ok {
		return NoDays
	}
	seconds := c.seconds - m.seconds
	if c.nanos < m.nanos {
		seconds--
	}
	days := seconds / secondsPerDay
	if seconds%secondsPerDay < 0 {
		days--
	}
	return int32(days) // #nosec G115 -- dates lie within 584 years, and instants of this program near them
}
