package trackingstore_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore/trackingstore"
)

const clients, batches, keys = 32, 10, 12

// batchOf is batch number b of client c: the keys of all clients are the same, each time in another order.
func batchOf(c, b int) experiment.Batch {
	var out experiment.Batch
	for k := range keys {
		key := fmt.Sprintf("m%02d", (k*5+c+b)%keys)
		step := int64(b*clients + c)
		out.Metrics = append(out.Metrics, experiment.Metric{Key: key, Value: float64(step), Timestamp: step, Step: step})
		out.Tags = append(out.Tags, experiment.Tag{Key: fmt.Sprintf("t%02d", (k*7+c)%keys), Value: fmt.Sprint(c)})
		out.Params = append(out.Params, experiment.Param{Key: fmt.Sprintf("p%02d", (k*7+b)%keys), Value: "same"})
	}
	out.Tags = append(out.Tags, experiment.Tag{Key: experiment.TagRunName, Value: fmt.Sprintf("client %d", c)})
	return out
}

// logAtOnce lets all clients log at the same time, client c into run runs[c%len(runs)], while others rename the runs.
func logAtOnce(t *testing.T, store *trackingstore.Store, runs []string) {
	t.Helper()
	var wg sync.WaitGroup
	for c := range clients {
		id := runs[c%len(runs)]
		wg.Go(func() {
			for b := range batches {
				assert.NoError(t, store.LogBatch(t.Context(), id, batchOf(c, b)))
				if c%8 == 0 {
					name := fmt.Sprintf("renamed %d", b)
					_, err := store.UpdateRun(t.Context(), id, experiment.RunUpdate{Name: &name})
					assert.NoError(t, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestConcurrentBatches: whatever is logged at the same time, into one run or into many, is all there afterwards, the latest points are
// those with the greatest step, and no client hears of deadlocks or locks.
func TestConcurrentBatches(t *testing.T) {
	for _, n := range []int{1, 4, clients} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			onEach(t, func(t *testing.T, store *trackingstore.Store) { testConcurrentBatches(t, store, n) })
		})
	}
}

func testConcurrentBatches(t *testing.T, store *trackingstore.Store, n int) {
	var ids []string
	for range n {
		run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
		require.NoError(t, err)
		ids = append(ids, run.ID)
	}
	logAtOnce(t, store, ids)
	for i, id := range ids {
		counts, err := store.PointCounts(t.Context(), id)
		require.NoError(t, err)
		require.Len(t, counts, keys)
		for key, points := range counts {
			require.EqualValues(t, clients/n*batches, points, key)
		}
		run, err := store.Run(t.Context(), id)
		require.NoError(t, err)
		for _, m := range run.Metrics {
			require.EqualValues(t, (batches-1)*clients+clients-n+i, m.Step, "the last batch of the last client of this run")
		}
		require.Len(t, run.Params, keys)
		require.Len(t, run.Tags, keys+1)
		tag, _ := run.Tag(experiment.TagRunName)
		require.Equal(t, run.Name, tag)
	}
}

// TestConcurrentDatasets: datasets that runs use at the same time, named in different orders, are kept once.
func TestConcurrentDatasets(t *testing.T) { onEach(t, testConcurrentDatasets) }

func testConcurrentDatasets(t *testing.T, store *trackingstore.Store) {
	const sets = 10
	var wg sync.WaitGroup
	for c := range clients {
		run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
		require.NoError(t, err)
		wg.Go(func() {
			var in experiment.Inputs
			for d := range sets {
				in.Datasets = append(in.Datasets, experiment.DatasetInput{
					Dataset: experiment.Dataset{Name: fmt.Sprintf("d%d", (d*3+c)%sets), Digest: "1", SourceType: "local", Source: "{}"},
				})
			}
			assert.NoError(t, store.LogInputs(t.Context(), run.ID, in))
		})
	}
	wg.Wait()
	page, err := store.SearchRuns(t.Context(), experiment.RunSearch{ExperimentIDs: []string{"0"}})
	require.NoError(t, err)
	require.Len(t, page.Items, clients)
	for _, run := range page.Items {
		require.Len(t, run.DatasetInputs, sets)
	}
}
