package trackingstore_test

import (
	"fmt"
	"math"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/pkg/experiment/experimenttest"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore/trackingstore"
)

// TestNaNInFilters: unlike MLflow's own database, which keeps NaN as 0 and finds it there, NaN is unequal to every number here.
func TestNaNInFilters(t *testing.T) { onEach(t, testNaNInFilters) }

func testNaNInFilters(t *testing.T, store *trackingstore.Store) {
	run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	require.NoError(t, store.LogBatch(t.Context(), run.ID, experiment.Batch{Metrics: []experiment.Metric{{Key: "m", Value: math.NaN()}}}))
	for op, want := range map[string]int{"=": 0, "<": 0, "<=": 0, ">": 0, ">=": 0, "!=": 1} {
		page, err := store.SearchRuns(t.Context(), experiment.RunSearch{
			Search: experiment.Search{Filter: "metrics.m " + op + " 0"}, ExperimentIDs: []string{"0"},
		})
		require.NoError(t, err)
		require.Len(t, page.Items, want, op)
	}
}

// TestSamples: points whose steps do not rise with time are sampled along the steps all the same; a NaN at the end stays.
func TestSamples(t *testing.T) { onEach(t, testSamples) }

func testSamples(t *testing.T, store *trackingstore.Store) {
	run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	var points []experiment.Metric
	for step := range 25 {
		points = append(points, experiment.Metric{Key: "falling", Value: 1, Timestamp: int64(1000 - step), Step: int64(step)})
		points = append(points, experiment.Metric{Key: "alike", Value: float64(step), Timestamp: 5})
	}
	points = append(points, experiment.Metric{Key: "falling", Value: math.NaN(), Timestamp: 1, Step: 25})
	require.NoError(t, store.LogBatch(t.Context(), run.ID, experiment.Batch{Metrics: points}))
	steps := func(key string, first, last int64, limit int) (out []string) {
		sample, err := store.SampledHistories(t.Context(), []string{run.ID}, key, experiment.StepRange{First: first, Last: last}, limit)
		require.NoError(t, err)
		for _, p := range sample {
			out = append(out, fmt.Sprint(p.Step, "=", p.Value))
		}
		return out
	}
	// 26 points in 4 parts of 7, 7, 6, 6 begin at 0, 7, 14, 20; the last takes the place of the fourth.
	require.Equal(t, []string{"0=1", "7=1", "14=1", "25=NaN"}, steps("falling", math.MinInt64, math.MaxInt64, 4))
	require.Equal(t, []string{"3=1", "4=1", "5=1"}, steps("falling", 3, 5, 100))
	require.Equal(t, []string{"25=NaN"}, steps("falling", 0, 99, 1))
	require.Equal(t, []string{"0=0", "0=24"}, steps("alike", 0, 0, 2), "25 points of one step")
	require.Empty(t, steps("none", 0, 9, 3))
}

// TestConcurrentVersions: every version that is registered at the same time gets a number of its own, and none is left out.
func TestConcurrentVersions(t *testing.T) { onEach(t, testConcurrentVersions) }

func testConcurrentVersions(t *testing.T, store *trackingstore.Store) {
	_, err := store.CreateModel(t.Context(), "model", "", nil)
	require.NoError(t, err)
	const versions = 24
	var wg sync.WaitGroup
	numbers := make(chan string, versions)
	for range versions {
		wg.Go(func() {
			v, err := store.CreateVersion(t.Context(), registry.NewVersion{Name: "model", Source: "s3://bucket/model"})
			if assert.NoError(t, err) {
				numbers <- v.Version
			}
		})
	}
	wg.Wait()
	close(numbers)
	seen := map[string]bool{}
	for n := range numbers {
		seen[n] = true
	}
	require.Len(t, seen, versions)
	require.True(t, seen["1"] && seen["24"])
}

// TestConcurrentPromotions: whoever promotes last, exactly one version is in Production.
func TestConcurrentPromotions(t *testing.T) { onEach(t, testConcurrentPromotions) }

func testConcurrentPromotions(t *testing.T, store *trackingstore.Store) {
	_, err := store.CreateModel(t.Context(), "model", "", nil)
	require.NoError(t, err)
	const versions = 8
	for range versions {
		_, err := store.CreateVersion(t.Context(), registry.NewVersion{Name: "model", Source: "s3://bucket/model"})
		require.NoError(t, err)
	}
	var wg sync.WaitGroup
	for n := range versions {
		wg.Go(func() {
			_, err := store.TransitionStage(t.Context(), "model", strconv.Itoa(n+1), registry.Production, true)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	stages := map[registry.Stage]int{}
	page, err := store.SearchVersions(t.Context(), experiment.Search{})
	require.NoError(t, err)
	for _, v := range page.Items {
		stages[v.Stage]++
	}
	require.Equal(t, map[registry.Stage]int{registry.Production: 1, registry.Archived: versions - 1}, stages)
}

func TestConformance(t *testing.T) { onEach(t, testConformance) }

func testConformance(t *testing.T, store *trackingstore.Store) {
	experimenttest.Run(t, func(*testing.T) experimenttest.Stores { return experimenttest.Stores{Tracking: store, Models: store} })
}
