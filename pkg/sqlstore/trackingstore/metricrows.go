package trackingstore

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/sqlstore"
)

// arrayRows is from how many rows on PostgreSQL gets them as arrays, one for each column: it takes and plans a statement with thousands of
// values far slower.
const arrayRows = 20

func asArrays(tx *gorm.DB, rows int) bool {
	return rows >= arrayRows && sqlstore.EngineOf(tx) == sqlstore.Postgres
}

// insertPoints adds points, sorted by their keys, to the history of one run; those that are there already stay.
func insertPoints(tx *gorm.DB, rows []metricRow) error {
	if !asArrays(tx, len(rows)) {
		return tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(rows, chunk).Error
	}
	c := newMetricColumns(len(rows))
	for _, r := range rows {
		c.add(r)
	}
	_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, `INSERT INTO metrics (run_id, key, timestamp, step, value, is_nan, model_id)
		SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::double precision[], $6::boolean[], $7::text[])
		ON CONFLICT DO NOTHING`, rows[0].RunID, c.keys, c.timestamps, c.steps, c.values, c.nans, c.models)
	return err
}

// newerPoint holds where a point is to take the place of the latest one.
const newerPoint = "(excluded.step, excluded.timestamp, excluded.value) > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)"

// upsertLatest moves the latest points of one run, sorted by key, to those rows that are later.
func upsertLatest(tx *gorm.DB, rows []latestMetricRow) error {
	if !asArrays(tx, len(rows)) {
		return tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "run_id"}, {Name: "key"}},
			DoUpdates: clause.AssignmentColumns([]string{"value", "is_nan", "timestamp", "step", "model_id"}),
			Where:     clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: newerPoint}}},
		}).CreateInBatches(rows, chunk).Error
	}
	c := newMetricColumns(len(rows))
	for _, r := range rows {
		c.add(metricRow{Key: r.Key, Timestamp: r.Timestamp, Step: r.Step, Value: r.Value, IsNan: r.IsNan, ModelID: r.ModelID})
	}
	_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context,
		`INSERT INTO latest_metrics (experiment_id, run_id, key, timestamp, step, value, is_nan, model_id)
		SELECT $1, $2, * FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::double precision[], $7::boolean[], $8::text[])
		ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value, is_nan = excluded.is_nan, timestamp = excluded.timestamp,
			step = excluded.step, model_id = excluded.model_id WHERE `+newerPoint,
		rows[0].ExperimentID, rows[0].RunID, c.keys, c.timestamps, c.steps, c.values, c.nans, c.models)
	return err
}

// metricColumns are points, column by column.
type metricColumns struct {
	runs, keys, models []string
	timestamps, steps  []int64
	values             []float64
	nans               []bool
}

func newMetricColumns(n int) *metricColumns {
	return &metricColumns{
		runs: make([]string, 0, n), keys: make([]string, 0, n), models: make([]string, 0, n), timestamps: make([]int64, 0, n), steps: make([]int64, 0, n),
		values: make([]float64, 0, n), nans: make([]bool, 0, n),
	}
}

func (c *metricColumns) add(r metricRow) {
	c.runs, c.keys, c.models = append(c.runs, r.RunID), append(c.keys, r.Key), append(c.models, r.ModelID)
	c.timestamps, c.steps = append(c.timestamps, r.Timestamp), append(c.steps, r.Step)
	c.values, c.nans = append(c.values, r.Value), append(c.nans, r.IsNan)
}

func (c *metricColumns) args() []any {
	return []any{c.runs, c.keys, c.timestamps, c.steps, c.values, c.nans, c.models}
}
