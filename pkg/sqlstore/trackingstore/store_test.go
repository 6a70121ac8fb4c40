package trackingstore_test

import (
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
