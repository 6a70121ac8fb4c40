package trackingstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"tasador/pkg/sqlstore"
)

// Every list of rows goes as arrays, one for each column, so that there is one statement for any number of rows, which the server plans once.
const (
	findRunsSQL     = `SELECT id, experiment_id, lifecycle_stage FROM runs WHERE id = ANY ($1::text[])`
	insertPointsSQL = `INSERT INTO metrics (run_id, key, timestamp, step, value, is_nan, model_id)
		SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::double precision[], $6::boolean[], $7::text[])
		ON CONFLICT DO NOTHING`
	upsertLatestSQL = `INSERT INTO latest_metrics (run_id, key, timestamp, step, value, is_nan, model_id, experiment_id)
		SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::double precision[], $6::boolean[], $7::text[], $8::bigint[])
		ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value, is_nan = excluded.is_nan, timestamp = excluded.timestamp,
			step = excluded.step, model_id = excluded.model_id WHERE ` + newerPoint
	// A param that has another value becomes NULL, which the column refuses: the statement fails, and nothing is asked first.
	insertParamsSQL = `INSERT INTO params (run_id, key, value) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
		ON CONFLICT (run_id, key) DO UPDATE SET value = NULL WHERE params.value <> excluded.value`
	renameRunsSQL = `UPDATE runs SET name = n.name FROM unnest($1::text[], $2::text[]) AS n (id, name) WHERE runs.id = n.id`
	upsertTagsSQL = `INSERT INTO run_tags (run_id, key, value) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
		ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value`
)

// writePostgres writes a group with two ways to the server: one to look at the runs, one to write and commit.
func (s *Store) writePostgres(ctx context.Context, group []*loggedBatch) error {
	return sqlstore.InRetriedPipeline(ctx, s.db, func(conn *pgx.Conn, queue *pgx.Batch) error {
		found, err := conn.Query(ctx, findRunsSQL, runIDs(group))
		if err != nil {
			return err
		}
		runs := map[string]runRow{}
		var run runRow
		_, err = pgx.ForEachRow(found, []any{&run.ID, &run.ExperimentID, &run.LifecycleStage}, func() error {
			runs[run.ID] = run
			return nil
		})
		if err != nil {
			return err
		}
		rows, err := rowsOfGroup(group, runs)
		if err == nil {
			rows.queue(queue)
		}
		return err
	})
}

// queue adds the statements that write the rows: the run before its tags, as in UpdateRun.
func (r *groupRows) queue(queue *pgx.Batch) {
	if len(r.params) > 0 {
		queue.Queue(insertParamsSQL, textColumns(r.params)...)
	}
	if len(r.points) > 0 {
		points, latest := newMetricColumns(len(r.points)), newMetricColumns(len(r.latest))
		for _, p := range r.points {
			points.add(p)
		}
		experiments := make([]int64, 0, len(r.latest))
		for _, l := range r.latest {
			latest.add(metricRow{l.RunID, l.Key, l.Timestamp, l.Step, l.Value, l.IsNan, l.ModelID})
			experiments = append(experiments, l.ExperimentID)
		}
		queue.Queue(insertPointsSQL, points.args()...)
		queue.Queue(upsertLatestSQL, append(latest.args(), experiments)...)
	}
	if len(r.names) > 0 {
		columns := textColumns(r.names)
		queue.Queue(renameRunsSQL, columns[0], columns[2])
	}
	if len(r.tags) > 0 {
		queue.Queue(upsertTagsSQL, textColumns(r.tags)...)
	}
}

// textColumns are rows of texts, column by column.
func textColumns(rows []textRow) []any {
	ids, keys, values := make([]string, len(rows)), make([]string, len(rows)), make([]string, len(rows))
	for i, r := range rows {
		ids[i], keys[i], values[i] = r.run, r.key, r.value
	}
	return []any{ids, keys, values}
}
