package dag_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04"} {
		if v, err := time.Parse(layout, text); err == nil {
			return v
		}
	}
	require.Empty(t, text)
	return time.Time{}
}

func TestDuePlansScheduledRuns(t *testing.T) {
	for name, c := range map[string]struct {
		cron    string
		start   string
		catchup bool
		next    string // stored
		now     string
		due     []string // logical dates
		after   string
	}{
		"the first start makes up nothing":                     {"@daily", "2025-05-01", false, "", "2026-01-05 08:00", nil, "2026-01-05"},
		"nor does it with catch-up":                            {"@daily", "2025-05-01", true, "", "2026-01-05 08:00", nil, "2026-01-05"},
		"a first start at midnight sharp":                      {"@daily", "2025-05-01", false, "", "2026-01-05", nil, "2026-01-05"},
		"before the start date":                                {"@daily", "2026-02-01", false, "", "2026-01-05 08:00", nil, "2026-02-01"},
		"a start between ticks begins at the next one":         {"@daily", "2026-01-05T06:00:00Z", false, "", "2026-01-05 08:00", nil, "2026-01-06"},
		"not due yet":                                          {"@daily", "2025-05-01", false, "2026-01-05", "2026-01-05 23:59", nil, "2026-01-05"},
		"due at the end of its interval":                       {"@daily", "2025-05-01", false, "2026-01-05", "2026-01-06", []string{"2026-01-05"}, "2026-01-06"},
		"the clock was set back into the interval before":      {"@daily", "2025-05-01", false, "2026-01-06", "2026-01-05 23:59", nil, "2026-01-05"},
		"the clock was set back by years":                      {"@daily", "2025-05-01", true, "2030-01-06", "2026-01-05 08:00", nil, "2026-01-05"},
		"the clock was set back to before the start date":      {"@daily", "2026-01-04", false, "2026-01-06", "2025-01-05 08:00", nil, "2026-01-06"},
		"a schedule that was daily counts the week that is on": {"@weekly", "2025-05-01", false, "2026-01-05", "2026-01-05 08:00", nil, "2026-01-04"},
		"only the latest after a down time":                    {"@daily", "2025-05-01", false, "2026-01-05", "2026-01-09 10:00", []string{"2026-01-08"}, "2026-01-09"},
		"all of them with catch-up":                            {"@daily", "2025-05-01", true, "2026-01-05", "2026-01-08 10:00", []string{"2026-01-05", "2026-01-06", "2026-01-07"}, "2026-01-08"},
		"a clock set back plans nothing":                       {"@daily", "2025-05-01", false, "2026-01-05", "2025-12-01", nil, "2025-12-01"},
		"weekdays at six":                                      {"0 6 * * 1-5", "2025-05-01", false, "2026-01-02 06:00", "2026-01-05 07:00", []string{"2026-01-02 06:00"}, "2026-01-05 06:00"},
		"every quarter of an hour":                             {"*/15 * * * *", "2025-05-01", false, "2026-01-05 10:00", "2026-01-05 11:07", []string{"2026-01-05 10:45"}, "2026-01-05 11:00"},
		"a leap day":                                           {"0 0 29 2 *", "2025-05-01", false, "", "2026-01-05", nil, "2028-02-29"},
		"a schedule that was changed":                          {"0 6 * * *", "2025-05-01", false, "2026-01-05", "2026-01-05 12:00", nil, "2026-01-05 06:00"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := dag.ParseSchedule(c.cron, c.start, "UTC", c.catchup)
			require.NoError(t, err)
			next := time.Time{}
			if c.next != "" {
				next = at(t, c.next)
			}
			due, after := s.Due(next, at(t, c.now))
			var starts []string
			for _, i := range due {
				require.True(t, i.End.After(i.Start))
				require.False(t, i.End.After(at(t, c.now)), "an interval that has not ended is not due")
				starts = append(starts, i.Start.Format("2006-01-02 15:04"))
			}
			var want []string
			for _, d := range c.due {
				want = append(want, at(t, d).Format("2006-01-02 15:04"))
			}
			require.Equal(t, want, starts)
			require.Equal(t, at(t, c.after), after)
		})
	}
}

func TestNoScheduleIsNeverDue(t *testing.T) {
	s, err := dag.ParseSchedule("none", "2025-05-01", "UTC", false)
	require.NoError(t, err)
	due, _ := s.Due(time.Time{}, now)
	require.Empty(t, due)
}

func TestParseScheduleRefuses(t *testing.T) {
	for _, c := range []struct{ cron, start, want string }{
		{"@every 5s", "2025-05-01", `"@every 5s" is not supported`},
		{"TZ=Europe/Madrid 0 6 * * *", "2025-05-01", "--schedule.timezone"},
		{"sometimes", "2025-05-01", `"sometimes" is not understood`},
		{"61 * * * *", "2025-05-01", "not understood"},
		{"0 0 31 2 *", "2025-05-01", "a day that never comes"},
		{"@daily", "1 May", `the start "1 May" of the schedule is not a date`},
	} {
		_, err := dag.ParseSchedule(c.cron, c.start, "UTC", false)
		require.ErrorContains(t, err, c.want)
	}
}

func TestRunIDsLookLikeAirflows(t *testing.T) {
	require.Equal(t, "scheduled__2026-01-01T00:00:00+00:00", dag.RunID(dag.Scheduled, at(t, "2026-01-01")))
	require.Equal(t, "manual__2026-01-02T03:04:05.000678+00:00", dag.RunID(dag.Manual, now.Add(678*time.Microsecond+9)))
	require.Equal(t, "manual__2026-01-02T02:04:05+00:00", dag.RunID(dag.Manual, time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))))
}

// Madrid's clocks are one hour ahead of UTC in winter and two in summer; in 2026 they change on 29 March at 02:00 and on 25 October at 03:00.
func TestSchedulesFollowTheClocksOfTheirZone(t *testing.T) {
	for _, c := range []struct {
		name, cron string
		next, now  string
		want       []string // ends of the intervals that are due
	}{
		{"midnight moves with the clocks", "@daily", "2026-03-27 23:00", "2026-03-30 22:00", []string{"2026-03-28 23:00", "2026-03-29 22:00", "2026-03-30 22:00"}},
		{"an hour that is skipped has no tick", "30 2 * * *", "2026-03-27 01:30", "2026-03-30 12:00", []string{"2026-03-28 01:30", "2026-03-30 00:30"}},
		{"back to winter", "@daily", "2026-10-23 22:00", "2026-10-26 00:00", []string{"2026-10-24 22:00", "2026-10-25 23:00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := dag.ParseSchedule(c.cron, "2025-05-01", "Europe/Madrid", true)
			require.NoError(t, err)
			due, _ := s.Due(at(t, c.next), at(t, c.now))
			var ends []string
			for _, i := range due {
				ends = append(ends, i.End.UTC().Format("2006-01-02 15:04"))
			}
			require.Equal(t, c.want, ends)
		})
	}
}

func TestUnknownTimeZonesAreRefused(t *testing.T) {
	for _, zone := range []string{"", "Local", "Europe/Springfield", "../../etc/passwd"} {
		_, err := dag.ParseSchedule("@daily", "2025-05-01", zone, false)
		require.ErrorContains(t, err, "the time zone")
	}
}
