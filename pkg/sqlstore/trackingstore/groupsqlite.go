package trackingstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"tasador/pkg/sqlstore"
)

// sqliteStatements are prepared once for each connection: to read them takes SQLite longer than to run them.
type sqliteStatements struct {
	run, point, latest, param, name, tag *sql.Stmt
}

func prepareSQLite(ctx context.Context, db *gorm.DB) (*sqliteStatements, error) {
	pool, err := sqlstore.Pool(db)
	if err != nil {
		return nil, err
	}
	s := &sqliteStatements{}
	for _, p := range []struct {
		to   **sql.Stmt
		text string
	}{
		{&s.run, `SELECT experiment_id, lifecycle_stage FROM runs WHERE id = ?`},
		{&s.point, `INSERT INTO metrics (run_id, key, timestamp, step, value, is_nan, model_id) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`},
		{&s.latest, `INSERT INTO latest_metrics (run_id, key, timestamp, step, value, is_nan, model_id, experiment_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value, is_nan = excluded.is_nan, timestamp = excluded.timestamp,
			step = excluded.step, model_id = excluded.model_id WHERE ` + newerPoint},
		{&s.param, `INSERT INTO params (run_id, key, value) VALUES (?, ?, ?)
			ON CONFLICT (run_id, key) DO UPDATE SET value = NULL WHERE params.value <> excluded.value`}, // NULL is refused, as in insertParamsSQL
		{&s.name, `UPDATE runs SET name = ? WHERE id = ?`},
		{&s.tag, `INSERT INTO run_tags (run_id, key, value) VALUES (?, ?, ?) ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value`},
	} {
		if *p.to, err = pool.PrepareContext(ctx, p.text); err != nil { //nolint:sqlclosecheck // close closes them
			return nil, errors.Join(sqlstore.Explain(db, err), s.close())
		}
	}
	return s, nil
}

func (s *sqliteStatements) close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{s.run, s.point, s.latest, s.param, s.name, s.tag} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(errs...)
}

// writeSQLite writes a group in one transaction.
func (s *Store) writeSQLite(ctx context.Context, group []*loggedBatch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// The driver watches over a context that can end with a goroutine for every statement. A group takes milliseconds, so it is let run to its end.
	ctx = context.WithoutCancel(ctx)
	return s.inTx(ctx, func(tx *gorm.DB, _ int64) error {
		conn, ok := tx.Statement.ConnPool.(*sql.Tx)
		if !ok {
			return fmt.Errorf("the transaction is a %T", tx.Statement.ConnPool)
		}
		runs := map[string]runRow{}
		find := conn.StmtContext(ctx, s.sqlite.run) //nolint:sqlclosecheck // it ends with the transaction
		for _, id := range runIDs(group) {
			run := runRow{ID: id}
			err := find.QueryRowContext(ctx, id).Scan(&run.ExperimentID, &run.LifecycleStage)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			runs[id] = run
		}
		rows, err := rowsOfGroup(group, runs)
		if err != nil {
			return err
		}
		return rows.insert(ctx, conn, s.sqlite)
	})
}

// insert writes the rows, one statement each: the run before its tags, as in UpdateRun.
func (r *groupRows) insert(ctx context.Context, conn *sql.Tx, with *sqliteStatements) error {
	writes := []struct {
		stmt *sql.Stmt
		n    int
		args func(i int) []any
	}{
		{with.param, len(r.params), func(i int) []any { return r.params[i].args() }},
		{with.point, len(r.points), func(i int) []any { return r.points[i].args() }},
		{with.latest, len(r.latest), func(i int) []any {
			l := r.latest[i]
			return append(metricRow{l.RunID, l.Key, l.Timestamp, l.Step, l.Value, l.IsNan, l.ModelID}.args(), l.ExperimentID)
		}},
		{with.name, len(r.names), func(i int) []any { return []any{r.names[i].value, r.names[i].run} }},
		{with.tag, len(r.tags), func(i int) []any { return r.tags[i].args() }},
	}
	for _, w := range writes {
		if w.n == 0 {
			continue
		}
		stmt := conn.StmtContext(ctx, w.stmt) //nolint:sqlclosecheck // it ends with the transaction
		for i := range w.n {
			if _, err := stmt.ExecContext(ctx, w.args(i)...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t textRow) args() []any { return []any{t.run, t.key, t.value} }

func (r metricRow) args() []any {
	return []any{r.RunID, r.Key, r.Timestamp, r.Step, r.Value, r.IsNan, r.ModelID}
}
