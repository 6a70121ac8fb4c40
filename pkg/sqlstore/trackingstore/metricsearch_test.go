package trackingstore_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore/trackingstore"
)

// TestMetricSearch compares searches that go along the index of metrics with the same ones done by hand, page by page.
func TestMetricSearch(t *testing.T) { onEach(t, testMetricSearch) }

func testMetricSearch(t *testing.T, store *trackingstore.Store) {
	random := rand.New(rand.NewPCG(1, 2))
	var ids []string
	for e := range 2 {
		id, err := store.CreateExperiment(t.Context(), experiment.NewExperiment{Name: fmt.Sprint("e", e)})
		require.NoError(t, err)
		ids = append(ids, id)
	}
	values := []float64{-1, 0, 0.5, 0.5, 2, math.NaN(), math.Inf(1)}
	for n := range 60 {
		run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: ids[n%2], StartTime: int64(1000 + random.IntN(20))})
		require.NoError(t, err)
		var batch experiment.Batch
		for _, key := range []string{"a", "b"} {
			if i := random.IntN(len(values) + 2); i < len(values) {
				batch.Metrics = append(batch.Metrics, experiment.Metric{Key: key, Value: values[i]})
			}
		}
		require.NoError(t, store.LogBatch(t.Context(), run.ID, batch))
		if n%10 == 9 {
			require.NoError(t, store.DeleteRun(t.Context(), run.ID))
		}
	}
	all, err := store.SearchRuns(t.Context(), experiment.RunSearch{ExperimentIDs: ids})
	require.NoError(t, err)
	require.Len(t, all.Items, 54)
	type fulfils func(a, b float64, hasA, hasB bool) bool
	for filter, keep := range map[string]fulfils{
		"":                                     func(_, _ float64, _, _ bool) bool { return true },
		"metrics.a > 0":                        func(a, _ float64, hasA, _ bool) bool { return hasA && a > 0 },
		"metrics.a != 0.5":                     func(a, _ float64, hasA, _ bool) bool { return hasA && a != 0.5 },
		"metrics.a != 0.5 AND metrics.a <= 2":  func(a, _ float64, hasA, _ bool) bool { return hasA && a != 0.5 && a <= 2 },
		"metrics.b = 0.5":                      func(_, b float64, _, hasB bool) bool { return hasB && b == 0.5 },
		"metrics.b != 0.5 AND metrics.a < 0.6": func(a, b float64, hasA, hasB bool) bool { return hasA && hasB && b != 0.5 && a < 0.6 },
		"metrics.b >= 2 AND start_time < 1015": nil,
	} {
		for _, order := range [][]string{nil, {"metrics.a"}, {"metrics.a DESC"}, {"metrics.a DESC", "metrics.b"}, {"start_time"}} {
			for _, of := range [][]string{ids, ids[:1]} {
				var want []experiment.Run
				for _, r := range all.Items {
					a, hasA := r.Metric("a")
					b, hasB := r.Metric("b")
					kept := keep == nil && hasB && b >= 2 && r.StartTime < 1015 || keep != nil && keep(a, b, hasA, hasB)
					if kept && slices.Contains(of, r.ExperimentID) {
						want = append(want, r)
					}
				}
				slices.SortStableFunc(want, func(x, y experiment.Run) int { return compareRuns(order, x, y) })
				require.Equal(t, runIDs(want), readAll(t, store, experiment.RunSearch{
					Search: experiment.Search{Filter: filter, OrderBy: order}, ExperimentIDs: of,
				}), "%s %v %v", filter, order, of)
			}
		}
	}
}

// compareRuns orders runs as MLflow documents it: values, NaN, missing; equal ones newest first, then by id.
func compareRuns(order []string, x, y experiment.Run) int {
	for _, o := range order {
		var c int
		switch o {
		case "start_time":
			c = cmp.Compare(x.StartTime, y.StartTime)
		case "metrics.a":
			c = compareMetric("a", 1, x, y)
		case "metrics.a DESC":
			c = compareMetric("a", -1, x, y)
		default:
			c = compareMetric("b", 1, x, y)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(y.StartTime, x.StartTime), cmp.Compare(x.ID, y.ID))
}

func compareMetric(key string, way int, x, y experiment.Run) int {
	rank := func(r experiment.Run) (int, float64) {
		v, ok := r.Metric(key)
		switch {
		case !ok:
			return 2, 0
		case math.IsNaN(v):
			return 1, 0
		}
		return 0, v
	}
	rx, vx := rank(x)
	ry, vy := rank(y)
	return cmp.Or(cmp.Compare(rx, ry), way*cmp.Compare(vx, vy))
}

func runIDs(runs []experiment.Run) (ids []string) {
	for _, r := range runs {
		ids = append(ids, r.ID)
	}
	return ids
}

// readAll reads a search in pages of seven.
func readAll(t *testing.T, store *trackingstore.Store, q experiment.RunSearch) (ids []string) {
	t.Helper()
	q.MaxResults = 7
	for {
		page, err := store.SearchRuns(t.Context(), q)
		require.NoError(t, err)
		ids = append(ids, runIDs(page.Items)...)
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			return ids
		}
	}
}
