package trackingstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore/trackingstore"
)

// TestFailingBatchAmongOthers: of batches that come at the same time those that are refused leave nothing, and the others are all kept.
func TestFailingBatchAmongOthers(t *testing.T) { onEach(t, testFailingBatchAmongOthers) }

func testFailingBatchAmongOthers(t *testing.T, store *trackingstore.Store) {
	newRun := func() string {
		run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
		require.NoError(t, err)
		return run.ID
	}
	shared, deleted := newRun(), newRun()
	require.NoError(t, store.DeleteRun(t.Context(), deleted))
	const rounds = 8
	var own [clients]string
	for c := range own {
		own[c] = newRun()
	}
	point := func(key string, n int) []experiment.Metric {
		return []experiment.Metric{{Key: key, Value: float64(n), Timestamp: int64(n), Step: int64(n)}}
	}
	var won sync.Map // who set the param of a round
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for n := range rounds {
				assert.NoError(t, store.LogBatch(t.Context(), own[c], experiment.Batch{Metrics: point("m", n)}))
				key := fmt.Sprintf("p%d", n)
				err := store.LogBatch(t.Context(), shared, experiment.Batch{
					Params: []experiment.Param{{Key: key, Value: fmt.Sprint(c)}}, Metrics: point(fmt.Sprintf("%s of %d", key, c), n),
					Tags: []experiment.Tag{{Key: key, Value: fmt.Sprint(c)}},
				})
				if err == nil {
					_, twice := won.LoadOrStore(key, c)
					assert.False(t, twice, "%s was set to two values", key)
				} else {
					assert.Equal(t, apperror.Invalid, apperror.CodeOf(err), "%v", err)
					assert.ErrorContains(t, err, "Changing param values is not allowed")
				}
				assert.Equal(t, apperror.Invalid, apperror.CodeOf(store.LogBatch(t.Context(), deleted, experiment.Batch{Metrics: point("m", n)})))
				assert.Equal(t, apperror.NotFound, apperror.CodeOf(store.LogBatch(t.Context(), "missing", experiment.Batch{Metrics: point("m", n)})))
			}
		})
	}
	wg.Wait()
	for _, id := range own {
		counts, err := store.PointCounts(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, map[string]int64{"m": rounds}, counts)
	}
	run, err := store.Run(t.Context(), shared)
	require.NoError(t, err)
	require.Len(t, run.Params, rounds)
	require.Len(t, run.Metrics, rounds, "the points of refused batches are not there")
	for _, p := range run.Params {
		winner, _ := won.Load(p.Key)
		require.Equal(t, fmt.Sprint(winner), p.Value)
		tag, _ := run.Tag(p.Key)
		require.Equal(t, p.Value, tag, "the tags of refused batches are not there")
	}
	run, err = store.Run(t.Context(), deleted)
	require.NoError(t, err)
	require.Empty(t, run.Metrics)
}

// TestBatchOfClientThatLeaves: a call whose client has gone ends, and those that come with it are kept.
func TestBatchOfClientThatLeaves(t *testing.T) { onEach(t, testBatchOfClientThatLeaves) }

func testBatchOfClientThatLeaves(t *testing.T, store *trackingstore.Store) {
	run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for n := range batches {
				key := fmt.Sprintf("stays%d", c)
				assert.NoError(t, store.LogBatch(t.Context(), run.ID, experiment.Batch{Metrics: []experiment.Metric{{Key: key, Step: int64(n), Timestamp: 1}}}))
			}
		})
		wg.Go(func() {
			for n := range batches {
				ctx, leave := context.WithCancel(t.Context())
				wg.Go(leave)
				err := store.LogBatch(ctx, run.ID, experiment.Batch{Metrics: []experiment.Metric{{Key: "leaves", Step: int64(n*clients + c), Timestamp: 1}}})
				if err != nil {
					assert.Error(t, ctx.Err(), "%v", err)
				}
				leave()
			}
		})
	}
	wg.Wait()
	counts, err := store.PointCounts(t.Context(), run.ID)
	require.NoError(t, err)
	for c := range clients {
		require.EqualValues(t, batches, counts[fmt.Sprintf("stays%d", c)])
	}
	require.NoError(t, store.LogBatch(t.Context(), run.ID, experiment.Batch{Metrics: []experiment.Metric{{Key: "after", Timestamp: 1}}}), "nobody is left to wait for")
}
