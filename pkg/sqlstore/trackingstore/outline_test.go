package trackingstore_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore/trackingstore"
	"tasador/pkg/testkit"
)

// TestHistoryOutlines: what is drawn of a history begins with its first point, ends with its last, and leaves no part of its steps out, however its
// points lie in time.
func TestHistoryOutlines(t *testing.T) { onEach(t, testHistoryOutlines) }

func testHistoryOutlines(t *testing.T, store *trackingstore.Store) {
	const limit = 30
	at := map[string]func(i int64) (timestamp, step int64){
		"even":            func(i int64) (int64, int64) { return 1_700_000_000_000 + 1000*i, i },
		"without steps":   func(i int64) (int64, int64) { return 1_700_000_000_000 + 1000*i, 0 },
		"at one time":     func(i int64) (int64, int64) { return 7, i - 500 },
		"resumed":         func(i int64) (int64, int64) { return i + 1_000_000_000*(i/500), i },
		"slow at the end": func(i int64) (int64, int64) { return i * i * i * i, i },
		"unordered steps": func(i int64) (int64, int64) { return i, (i * 7) % 1000 },
		"falling steps":   func(i int64) (int64, int64) { return i, -i },
		"extremes": func(i int64) (int64, int64) {
			return math.MaxInt64 / 999 * i, math.MinInt64 + i*(math.MaxInt64/999)*2
		},
		"extreme steps at one time": func(i int64) (int64, int64) { return math.MaxInt64, math.MinInt64 + i*(math.MaxInt64/999)*2 },
	}
	run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	other, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	for name, place := range at {
		points := make([]experiment.Metric, 1000)
		lowest, highest := int64(math.MaxInt64), int64(math.MinInt64)
		for i := range points {
			timestamp, step := place(int64(i))
			lowest, highest = min(lowest, step), max(highest, step)
			points[i] = experiment.Metric{Key: name, Value: 1 / (float64(step) + 0.5), Timestamp: timestamp, Step: step}
		}
		points[999].Value = math.NaN()
		require.NoError(t, store.LogBatch(t.Context(), run.ID, experiment.Batch{Metrics: points}))
		require.NoError(t, store.LogBatch(t.Context(), other.ID, experiment.Batch{Metrics: points[3:8]}))
		logged := map[string]bool{}
		for _, p := range points {
			logged[fmt.Sprint(p)] = true
		}

		got, more, err := store.HistoryOutlines(t.Context(), []string{other.ID, "none", run.ID}, name, limit)
		require.NoError(t, err, name)
		require.True(t, more, name)
		for i := range 5 {
			require.Equal(t, other.ID, got[i].RunID, name)
			require.True(t, logged[fmt.Sprint(got[i].Metric)], "%s: %v", name, got[i])
		}
		got = got[5:]
		require.LessOrEqual(t, len(got), limit, name)
		require.GreaterOrEqual(t, len(got), limit/2, name)
		require.Equal(t, lowest, got[0].Step, name)
		require.Equal(t, highest, got[len(got)-1].Step, name)
		for i, p := range got {
			require.Equal(t, run.ID, p.RunID, name)
			require.True(t, logged[fmt.Sprint(p.Metric)], "%s: %v was not logged", name, p)
			if i > 0 && highest > lowest {
				gap := (float64(p.Step) - float64(got[i-1].Step)) / (float64(highest) - float64(lowest))
				require.LessOrEqual(t, gap, 4.0/(limit/2-1), "%s: from step %d to %d", name, got[i-1].Step, p.Step)
				require.GreaterOrEqual(t, gap, 0.0, name)
			}
		}
	}
	few, more, err := store.HistoryOutlines(t.Context(), []string{other.ID, other.ID}, "even", limit)
	require.NoError(t, err)
	require.False(t, more)
	require.Len(t, few, 10)
	none, more, err := store.HistoryOutlines(t.Context(), []string{run.ID}, "none", limit)
	require.NoError(t, err)
	require.False(t, more)
	require.Empty(t, none)
}

// BenchmarkCompared reads what a page with 20 runs draws of 12 metrics with 1000 points each: all points, or those at some places.
func BenchmarkCompared(b *testing.B) {
	for _, engine := range engines() {
		store := open(b, testkit.NewDatabase(b, engine))
		var ids []string
		for range 20 {
			run, err := store.CreateRun(b.Context(), experiment.NewRun{ExperimentID: "0"})
			require.NoError(b, err)
			ids = append(ids, run.ID)
			for m := range 12 {
				points := make([]experiment.Metric, 1000)
				for i := range points {
					points[i] = experiment.Metric{Key: fmt.Sprint("m", m), Value: float64(i) / 3, Timestamp: int64(1_700_000_000_000 + 137*i), Step: int64(i)}
				}
				require.NoError(b, store.LogBatch(b.Context(), run.ID, experiment.Batch{Metrics: points}))
			}
		}
		b.Run(engine+"/all", func(b *testing.B) {
			for b.Loop() {
				for m := range 12 {
					_, err := store.SampledHistories(b.Context(), ids, fmt.Sprint("m", m), experiment.StepRange{First: math.MinInt64, Last: math.MaxInt64}, 30)
					require.NoError(b, err)
				}
			}
		})
		b.Run(engine+"/outlines", func(b *testing.B) {
			for b.Loop() {
				for m := range 12 {
					points, _, err := store.HistoryOutlines(b.Context(), ids, fmt.Sprint("m", m), 30)
					require.NoError(b, err)
					require.Len(b, points, 600)
				}
			}
		})
	}
}
