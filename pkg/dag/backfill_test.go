package dag_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
)

func starts(intervals []dag.Interval) []string {
	var out []string
	for _, i := range intervals {
		out = append(out, i.Start.Format("2006-01-02 15:04"))
	}
	return out
}

func TestBetweenListsTheIntervalsThatHaveEnded(t *testing.T) {
	for name, c := range map[string]struct {
		cron, from, to, now string
		limit               int
		want                []string
	}{
		"both ends count":                       {"@daily", "2026-01-01", "2026-01-03", "2026-02-01", 9, []string{"2026-01-01 00:00", "2026-01-02 00:00", "2026-01-03 00:00"}},
		"an interval that has not ended is out": {"@daily", "2026-01-01", "2026-01-03", "2026-01-03 12:00", 9, []string{"2026-01-01 00:00", "2026-01-02 00:00"}},
		"from between ticks":                    {"@daily", "2026-01-01 06:00", "2026-01-02 06:00", "2026-02-01", 9, []string{"2026-01-02 00:00"}},
		"not before the schedule's own start":   {"@daily", "2025-04-28", "2025-05-02", "2026-02-01", 9, []string{"2025-05-01 00:00", "2025-05-02 00:00"}},
		"at most so many":                       {"@hourly", "2026-01-01", "2026-01-02", "2026-02-01", 2, []string{"2026-01-01 00:00", "2026-01-01 01:00"}},
		"none":                                  {"0 0 1 * *", "2026-01-02", "2026-01-20", "2026-02-01", 9, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := dag.ParseSchedule(c.cron, "2025-05-01", "UTC", false)
			require.NoError(t, err)
			require.Equal(t, c.want, starts(s.Between(at(t, c.from), at(t, c.to), at(t, c.now), c.limit)))
		})
	}
	var none *dag.Schedule
	require.Empty(t, none.Between(at(t, "2026-01-01"), at(t, "2026-01-03"), at(t, "2026-02-01"), 9))
	require.Equal(t, time.UTC, none.Location())
}

// A day in Madrid begins an hour before that of UTC in winter, two in summer; 29 March 2026 has 23 hours.
func TestADayIsOneByTheClocksOfTheSchedule(t *testing.T) {
	s, err := dag.ParseSchedule("@daily", "2025-05-01", "Europe/Madrid", false)
	require.NoError(t, err)
	first, last, err := s.Day("2026-03-29")
	require.NoError(t, err)
	require.Equal(t, at(t, "2026-03-28 23:00"), first)
	require.Equal(t, at(t, "2026-03-29 22:00").Add(-time.Microsecond), last)
	require.Equal(t, []string{"2026-03-28 23:00"}, starts(s.Between(first, last, at(t, "2026-04-01"), 9)))
	_, _, err = s.Day("29 March")
	require.Error(t, err)
}

func TestWhichRunsRunAgain(t *testing.T) {
	for behaviour, want := range map[dag.Reprocess][]dag.RunState{
		dag.ReprocessNone: nil, dag.ReprocessFailed: {dag.RunFailed}, dag.ReprocessCompleted: {dag.RunSuccess, dag.RunFailed},
	} {
		var again []dag.RunState
		for _, state := range []dag.RunState{dag.RunQueued, dag.RunRunning, dag.RunSuccess, dag.RunFailed} {
			if behaviour.Again(state) {
				again = append(again, state)
			}
		}
		require.Equal(t, want, again, behaviour)
		require.True(t, behaviour.Known())
	}
	require.False(t, dag.Reprocess("all").Known())
}
