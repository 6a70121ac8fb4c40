// Package trackingstore keeps experiments, runs, logged models and registered models in a database. It is an experiment.Store and a
// registry.Store.
package trackingstore

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/experiment/filter"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore"
)

// Store is the database of the tracking role.
type Store struct {
	db     *gorm.DB
	probe  *sqlstore.Probe
	root   string // artifact URI under which new experiments get their folder
	parser *filter.Parser
	now    func() int64

	batches *gatherer
	sqlite  *sqliteStatements // nil on PostgreSQL
}

var (
	_ experiment.Store = (*Store)(nil)
	_ registry.Store   = (*Store)(nil)
)

// Open opens the database at url, brings its schema up to date and makes the experiment Default if it is missing. New experiments
// keep their artifacts below artifactRoot, such as mlflow-artifacts:/. Codes: those of sqlstore.Open and sqlstore.Migrate.
func Open(ctx context.Context, url, artifactRoot string, log *slog.Logger) (*Store, error) {
	db, err := sqlstore.Open(ctx, url, log)
	if err != nil {
		return nil, err
	}
	s := &Store{
		db: db, probe: sqlstore.NewProbe(db, "runs", "id"), root: strings.TrimRight(artifactRoot, "/"), parser: filter.NewParser(),
		now: func() int64 { return time.Now().UnixMilli() },
	}
	if err = sqlstore.RefuseForeign(ctx, db, "experiments", "id", "name"); err == nil { // such as MLflow's own
		err = sqlstore.Migrate(ctx, db, "tracking")
	}
	if err == nil {
		err = s.ensureDefault(ctx)
	}
	s.batches = &gatherer{write: s.writeBatches, writers: 2, oneFate: sqlstore.EngineOf(db) == sqlstore.SQLite}
	if err == nil && sqlstore.EngineOf(db) == sqlstore.SQLite {
		s.sqlite, err = prepareSQLite(ctx, db)
	}
	if err != nil {
		_ = s.Close() // the first error is the one that matters
		return nil, err
	}
	return s, nil
}

// Close closes the database.
func (s *Store) Close() error {
	var err error
	if s.sqlite != nil {
		err = s.sqlite.close()
	}
	return errors.Join(err, sqlstore.Close(s.db))
}

// Ping reports whether the database answers and can be written. Codes: Unavailable.
func (s *Store) Ping(ctx context.Context) error {
	err := sqlstore.Ping(ctx, s.db)
	if err != nil && apperror.CodeOf(err) == apperror.Internal {
		return apperror.Wrap(apperror.Unavailable, err, "the tracking database does not answer")
	}
	if err != nil {
		return err
	}
	return s.probe.Check(ctx)
}

// ensureDefault makes experiment 0. gorm takes the id 0 for a missing one, so this is plain SQL.
func (s *Store) ensureDefault(ctx context.Context) error {
	now := s.now()
	err := s.db.WithContext(ctx).Exec(`INSERT INTO experiments (id, name, artifact_location, lifecycle_stage, creation_time, last_update_time)
		VALUES (0, 'Default', ?, ?, ?, ?) ON CONFLICT DO NOTHING`, s.location(0), string(experiment.Active), now, now).Error
	return sqlstore.Translate(err, "the experiment Default")
}

// inTx runs fn in a transaction. It may run again from the start, so it only sets what lies outside of it.
func (s *Store) inTx(ctx context.Context, fn func(tx *gorm.DB, now int64) error) error {
	return sqlstore.InRetriedTx(ctx, s.db, func(tx *gorm.DB) error { return fn(tx, s.now()) })
}

// locked makes a query hold the rows that it finds until the transaction ends: other writers of these rows wait, those that only refer to
// them do not. SQLite, which has one writer anyway, does without.
func locked(tx *gorm.DB) *gorm.DB { return tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE"}) }

// upsert replaces the values of rows whose key is there already.
func upsert(columns ...string) clause.OnConflict {
	keys := make([]clause.Column, len(columns))
	for i, c := range columns {
		keys[i] = clause.Column{Name: c}
	}
	return clause.OnConflict{Columns: keys, DoUpdates: clause.AssignmentColumns([]string{"value"})}
}

// chunk bounds how many rows or keys go into one statement.
const chunk = 500

// inChunks calls f with at most chunk elements of list at a time.
func inChunks[T any](list []T, f func([]T) error) error {
	for len(list) > 0 {
		n := min(chunk, len(list))
		if err := f(list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}
