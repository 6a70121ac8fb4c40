package trackingstore

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
)

// scan reads the columns of a row.
type scan func(dest ...any) error

// rowsQuery is one of some queries about runs: {runs} stands for the list of their ids.
type rowsQuery struct {
	sql  string
	each func(scan) error
}

// The list of ids as one value, so that the statement is the same for any number of them.
const (
	runsOnPostgres = "= ANY ($1::text[])"
	runsOnSQLite   = "IN (SELECT value FROM json_each(?1))"
)

// The data of runs, table by table: a join would multiply the rows.
var runData = struct{ metrics, params, tags, models, datasetTags, datasets [2]string }{
	metrics: bothEngines("SELECT run_id, key, value, is_nan, timestamp, step, model_id FROM latest_metrics WHERE run_id ", " ORDER BY run_id, key"),
	params:  bothEngines("SELECT run_id, key, value FROM params WHERE run_id ", " ORDER BY run_id, key"),
	tags:    bothEngines("SELECT run_id, key, value FROM run_tags WHERE run_id ", " ORDER BY run_id, key"),
	models:  bothEngines("SELECT run_id, direction, model_id, step FROM run_models WHERE run_id ", " ORDER BY run_id, model_id"),
	datasetTags: bothEngines("SELECT run_id, dataset_id, key, value FROM run_dataset_tags WHERE run_id ",
		" ORDER BY run_id, dataset_id, key"),
	datasets: bothEngines(`SELECT u.run_id, u.dataset_id, d.name, d.digest, d.source_type, d.source, d.schema, d.profile
		FROM run_datasets u JOIN datasets d ON d.id = u.dataset_id WHERE u.run_id `, " ORDER BY u.run_id, u.dataset_id"),
}

func bothEngines(before, after string) [2]string {
	return [2]string{before + runsOnPostgres + after, before + runsOnSQLite + after}
}

// loadRuns reads the data of runs, of all at once. gorm, which looks at each field of each row, has no part in it.
func (s *Store) loadRuns(ctx context.Context, rows []runRow) ([]experiment.Run, error) {
	if len(rows) == 0 {
		return []experiment.Run{}, nil
	}
	runs := make([]experiment.Run, len(rows))
	byID := make(map[string]*experiment.Run, len(rows))
	ids := make([]string, len(rows))
	for i, r := range rows {
		runs[i], ids[i] = r.domain(), r.ID
		byID[r.ID] = &runs[i]
	}
	engine := 0
	if s.sqlite != nil {
		engine = 1
	}
	queries := append(dataQueries(engine, byID), datasetQueries(engine, byID)...)
	return runs, sqlstore.Translate(s.readRuns(ctx, ids, queries), "data of runs")
}

// dataQueries read what runs logged into the runs.
func dataQueries(engine int, byID map[string]*experiment.Run) []rowsQuery {
	var id, key, value, direction, model string
	var number float64
	var isNaN bool
	var timestamp, step int64
	return []rowsQuery{
		{runData.metrics[engine], func(row scan) error {
			if err := row(&id, &key, &number, &isNaN, &timestamp, &step, &model); err != nil {
				return err
			}
			run := byID[id]
			run.Metrics = append(run.Metrics, experiment.Metric{Key: key, Value: loaded(number, isNaN), Timestamp: timestamp, Step: step, ModelID: model})
			return nil
		}},
		{runData.params[engine], func(row scan) error {
			if err := row(&id, &key, &value); err != nil {
				return err
			}
			run := byID[id]
			run.Params = append(run.Params, experiment.Param{Key: key, Value: value})
			return nil
		}},
		{runData.tags[engine], func(row scan) error {
			if err := row(&id, &key, &value); err != nil {
				return err
			}
			run := byID[id]
			run.Tags = append(run.Tags, experiment.Tag{Key: key, Value: value})
			return nil
		}},
		{runData.models[engine], func(row scan) error {
			if err := row(&id, &direction, &model, &step); err != nil {
				return err
			}
			run := byID[id]
			if direction == input {
				run.ModelInputs = append(run.ModelInputs, experiment.ModelInput{ModelID: model})
			} else {
				run.ModelOutputs = append(run.ModelOutputs, experiment.ModelOutput{ModelID: model, Step: step})
			}
			return nil
		}},
	}
}

// datasetQueries read the datasets that runs used into the runs.
func datasetQueries(engine int, byID map[string]*experiment.Run) []rowsQuery {
	type use struct{ run, dataset string }
	tags := map[use][]experiment.Tag{}
	var u use
	var t experiment.Tag
	var d experiment.Dataset
	return []rowsQuery{
		{runData.datasetTags[engine], func(row scan) error {
			if err := row(&u.run, &u.dataset, &t.Key, &t.Value); err != nil {
				return err
			}
			tags[u] = append(tags[u], t)
			return nil
		}},
		{runData.datasets[engine], func(row scan) error {
			if err := row(&u.run, &u.dataset, &d.Name, &d.Digest, &d.SourceType, &d.Source, &d.Schema, &d.Profile); err != nil {
				return err
			}
			run := byID[u.run]
			run.DatasetInputs = append(run.DatasetInputs, experiment.DatasetInput{Dataset: d, Tags: tags[u]})
			return nil
		}},
	}
}

// readRuns asks queries about runs: PostgreSQL all at once, SQLite one after the other.
func (s *Store) readRuns(ctx context.Context, ids []string, queries []rowsQuery) error {
	if s.sqlite == nil {
		return sqlstore.ReadPipeline(ctx, s.db, func(queue *pgx.Batch) {
			for _, q := range queries {
				queue.Queue(q.sql, ids).Query(func(rows pgx.Rows) error {
					for rows.Next() {
						if err := q.each(rows.Scan); err != nil {
							return err
						}
					}
					return rows.Err()
				})
			}
		})
	}
	pool, err := sqlstore.Pool(s.db)
	if err != nil {
		return err
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	for _, q := range queries {
		if err := eachRow(ctx, pool, q, string(list)); err != nil {
			return sqlstore.Explain(s.db, err)
		}
	}
	return nil
}

func eachRow(ctx context.Context, pool *sql.DB, q rowsQuery, args ...any) error {
	rows, err := pool.QueryContext(ctx, q.sql, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // its errors are those of Err
	for rows.Next() {
		if err := q.each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
