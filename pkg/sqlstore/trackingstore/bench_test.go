package trackingstore_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/trackingstore"
	"tasador/pkg/testkit"
)

// seed statements put runs into experiment 0, each with the metrics m (from 0 to 1, no two alike) and loss, two params and three tags. The
// first ? is the number of runs.
var seed = []string{
	`INSERT INTO runs (id, experiment_id, name, user_id, status, start_time, artifact_uri, lifecycle_stage)
		WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < CAST(? AS INTEGER) - 1)
		SELECT 'run' || i, 0, 'name ' || i, 'user', 'FINISHED', 1700000000000 + i, 'mlflow-artifacts:/0/run' || i || '/artifacts', 'active' FROM n`,
	`INSERT INTO latest_metrics (experiment_id, run_id, key, value, is_nan, timestamp, step, model_id)
		SELECT experiment_id, id, 'm', ((start_time - 1700000000000) * 7919 % 1000003) / 1000003.0, 1 = 0, start_time, 0, '' FROM runs`,
	`INSERT INTO latest_metrics (experiment_id, run_id, key, value, is_nan, timestamp, step, model_id)
		SELECT experiment_id, id, 'loss', (start_time - 1700000000000) / 3.0, 1 = 0, start_time, 9, '' FROM runs`,
	`INSERT INTO params (run_id, key, value) SELECT id, 'alpha', name FROM runs`,
	`INSERT INTO params (run_id, key, value) SELECT id, 'beta', 'same' FROM runs`,
	`INSERT INTO run_tags (run_id, key, value) SELECT id, 'mlflow.runName', name FROM runs`,
	`INSERT INTO run_tags (run_id, key, value) SELECT id, 'mlflow.user', 'user' FROM runs`,
	`INSERT INTO run_tags (run_id, key, value) SELECT id, 'mlflow.source.name', 'train.py' FROM runs`,
}

// seeded opens a database with so many runs.
func seeded(b *testing.B, url string, runs int) *trackingstore.Store {
	b.Helper()
	store := open(b, url)
	db, err := sqlstore.Open(b.Context(), url, slog.New(slog.DiscardHandler))
	require.NoError(b, err)
	defer func() { require.NoError(b, sqlstore.Close(db)) }()
	for i, statement := range seed {
		args := []any{}
		if i == 0 {
			args = append(args, runs)
		}
		require.NoError(b, db.Exec(statement, args...).Error)
	}
	if sqlstore.EngineOf(db) == sqlstore.Postgres {
		require.NoError(b, db.Exec("ANALYZE").Error) // what its autovacuum does after some time
	}
	return store
}

// BenchmarkSearchRuns reads about 100 runs out of more and more. By metric it must not take longer; by param or tag (param, tagorder) it may.
func BenchmarkSearchRuns(b *testing.B) {
	for _, runs := range []int{1000, 20_000, 100_000} {
		for _, engine := range engines() {
			b.Run(fmt.Sprintf("runs=%d/%s", runs, engine), func(b *testing.B) {
				store := seeded(b, testkit.NewDatabase(b, engine), runs)
				few := fmt.Sprintf("metrics.m < %g", 100/float64(runs))
				for name, q := range map[string]experiment.Search{
					"newest": {}, "filter": {Filter: few}, "order": {OrderBy: []string{"metrics.m ASC"}}, "orderdesc": {OrderBy: []string{"metrics.m DESC"}},
					"half":        {Filter: "metrics.m > 0.5", OrderBy: []string{"metrics.m ASC"}},
					"filterorder": {Filter: "metrics.loss > 10 AND params.beta = 'same'", OrderBy: []string{"metrics.m DESC"}},
					"param":       {Filter: "params.alpha = 'name 77'"}, "tagorder": {OrderBy: []string{"tags.mlflow.runName"}},
				} {
					b.Run(name, func(b *testing.B) {
						q.MaxResults = 100
						for b.Loop() {
							_, err := store.SearchRuns(b.Context(), experiment.RunSearch{Search: q, ExperimentIDs: []string{"0"}})
							require.NoError(b, err)
						}
					})
				}
				for name, order := range map[string][]string{"deep": nil, "deeporder": {"metrics.m ASC"}} {
					b.Run(name, func(b *testing.B) { benchmarkDeepPage(b, store, order) })
				}
			})
		}
	}
}

// benchmarkDeepPage reads a page of 100 after the first 18,000 runs, or the last one if there are fewer.
func benchmarkDeepPage(b *testing.B, store *trackingstore.Store, order []string) {
	q := experiment.RunSearch{Search: experiment.Search{OrderBy: order}, ExperimentIDs: []string{"0"}}
	q.MaxResults = 500
	for range 36 {
		page, err := store.SearchRuns(b.Context(), q)
		require.NoError(b, err)
		if page.NextPageToken == "" {
			break
		}
		q.PageToken = page.NextPageToken
	}
	q.MaxResults = 100
	for b.Loop() {
		_, err := store.SearchRuns(b.Context(), q)
		require.NoError(b, err)
	}
}

// BenchmarkHistory reads 50,000 points.
func BenchmarkHistory(b *testing.B) {
	for _, engine := range engines() {
		b.Run(engine, func(b *testing.B) {
			store := open(b, testkit.NewDatabase(b, engine))
			run, err := store.CreateRun(b.Context(), experiment.NewRun{ExperimentID: "0"})
			require.NoError(b, err)
			for n := range 50 {
				require.NoError(b, store.LogBatch(b.Context(), run.ID, thousand(n)))
			}
			for name, limit := range map[string]int{"all": 0, "deep": 1000} {
				b.Run(name, func(b *testing.B) {
					q := experiment.PageRequest{MaxResults: limit}
					for b.Loop() {
						page, err := store.MetricHistory(b.Context(), run.ID, "loss", q)
						require.NoError(b, err)
						if limit == 0 {
							require.Len(b, page.Items, 50_000)
						}
						q.PageToken = page.NextPageToken
					}
				})
			}
			b.Run("sample", func(b *testing.B) {
				for b.Loop() {
					_, err := store.SampledHistories(b.Context(), []string{run.ID}, "loss", experiment.StepRange{First: 0, Last: 1 << 40}, 320)
					require.NoError(b, err)
				}
			})
		})
	}
}

func thousand(n int) experiment.Batch {
	var batch experiment.Batch
	for i := range 1000 {
		step := int64(n*1000 + i)
		batch.Metrics = append(batch.Metrics, experiment.Metric{Key: "loss", Value: 1 / float64(step+1), Timestamp: 1700000000000 + step, Step: step})
	}
	return batch
}

// BenchmarkLogBatch logs 1, 10, 100 and 1000 points with one client, and 10 with twenty.
func BenchmarkLogBatch(b *testing.B) {
	for _, engine := range engines() {
		for _, size := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", engine, size), func(b *testing.B) {
				store := open(b, testkit.NewDatabase(b, engine))
				run, err := store.CreateRun(b.Context(), experiment.NewRun{ExperimentID: "0"})
				require.NoError(b, err)
				n := 0
				for b.Loop() {
					batch := thousand(n)
					batch.Metrics = batch.Metrics[:size]
					require.NoError(b, store.LogBatch(b.Context(), run.ID, batch))
					n++
				}
			})
		}
		b.Run(engine+"/10x20clients", func(b *testing.B) {
			store := open(b, testkit.NewDatabase(b, engine))
			b.SetParallelism(20)
			b.RunParallel(func(pb *testing.PB) {
				run, err := store.CreateRun(b.Context(), experiment.NewRun{ExperimentID: "0"})
				require.NoError(b, err)
				for n := 0; pb.Next(); n++ {
					batch := thousand(n)
					batch.Metrics = batch.Metrics[:10]
					require.NoError(b, store.LogBatch(b.Context(), run.ID, batch))
				}
			})
		})
	}
}
