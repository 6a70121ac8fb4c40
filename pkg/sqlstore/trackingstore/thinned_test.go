package trackingstore_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
)

func TestThinnedHistories(t *testing.T) {
	store := openFile(t)
	var ids []string
	for _, points := range []int64{1, 10, 11, 1000} {
		run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
		require.NoError(t, err)
		ids = append(ids, run.ID)
		batch := experiment.Batch{Metrics: []experiment.Metric{{Key: "other", Value: 1}}}
		for i := range points {
			step := points - 1 - i // logged backwards: steps decide, not the time
			batch.Metrics = append(batch.Metrics, experiment.Metric{Key: "m", Value: float64(step), Step: step, Timestamp: i + 1})
			if len(batch.Metrics) == 500 || i == points-1 {
				require.NoError(t, store.LogBatch(t.Context(), run.ID, batch))
				batch.Metrics = nil
			}
		}
	}
	found, err := store.ThinnedHistories(t.Context(), append(ids, "nobody"), "m", 10)
	require.NoError(t, err)
	steps := func(id string) (list []int64) {
		for _, p := range found[id].Points {
			require.Equal(t, float64(p.Step), p.Value) //nolint:testifylint // whole numbers
			list = append(list, p.Step)
		}
		return list
	}
	require.Len(t, found, 4)
	require.Equal(t, []int64{0}, steps(ids[0]))
	require.Equal(t, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, steps(ids[1]))
	require.Equal(t, []int64{0, 2, 4, 6, 8, 10}, steps(ids[2]))
	require.Equal(t, []int64{0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 999}, steps(ids[3]), "the last one is always there")
	require.EqualValues(t, 1000, found[ids[3]].Total)

	require.NoError(t, store.LogBatch(t.Context(), ids[0], experiment.Batch{Metrics: []experiment.Metric{{Key: "m", Value: math.NaN(), Step: 1}}}))
	found, err = store.ThinnedHistories(t.Context(), ids[:1], "m", 10)
	require.NoError(t, err)
	require.Len(t, found[ids[0]].Points, 2)
	require.True(t, math.IsNaN(found[ids[0]].Points[1].Value))
}
