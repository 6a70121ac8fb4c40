// Package predictionstore keeps every prediction that serving answered, and the sales that were told of them. They come in batches from the journal of serving,
// which this package also writes the entries of.
package predictionstore

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
)

// migrationsName is the folder of migrations.
const migrationsName = "prediction"

// Record is one answered prediction.
type Record struct {
	RequestID    string
	PredictedAt  time.Time
	ModelName    string
	ModelVersion string
	ModelRunID   string
	AsOf         time.Time
	Prediction   float64 // dollars
	Listing      property.Listing
	Street       property.Text // as it was asked, a name or a number; Listing.Street is not stored
	Item         int           // place in the list that was sent, 0 if one listing was
	Sale         *Sale         // nil if none was told
	ID           int64         // key in the table
}

// Store keeps predictions. It is safe for concurrent use.
type Store struct {
	db    *gorm.DB
	probe *sqlstore.Probe
}

// Open opens the database that url names and brings its schema up to date. Codes: as sqlstore.Open and sqlstore.Migrate.
func Open(ctx context.Context, url string, log *slog.Logger) (*Store, error) {
	db, err := sqlstore.Open(ctx, url, log)
	if err != nil {
		return nil, err
	}
	columns, err := columnsOf(db)
	if err == nil {
		err = sqlstore.RefuseForeign(ctx, db, row{}.TableName(), firstColumns(columns)...)
	}
	if err == nil {
		err = sqlstore.Migrate(ctx, db, migrationsName)
	}
	if err != nil {
		_ = sqlstore.Close(db) // the first error says more
		return nil, err
	}
	probe := sqlstore.NewProbe(db, row{}.TableName(), columns...)
	return &Store{db: db, probe: probe}, nil
}

// Close closes the database.
func (s *Store) Close() error { return sqlstore.Close(s.db) }

// errUndone undoes a transaction that was only tried.
var errUndone = errors.New("undone")

// Ping reports whether predictions can be stored: whether the database can be written, its table is there, and nobody keeps the write lock of an SQLite file.
// Codes: Unavailable.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.probe.Check(ctx); err != nil {
		return err
	}
	err := sqlstore.InTx(ctx, s.db, func(tx *gorm.DB) error {
		if err := tx.Where("id < 0").Find(&[]row{}).Error; err != nil {
			return err
		}
		return errUndone
	})
	switch {
	case errors.Is(err, errUndone):
		return nil
	case err != nil && apperror.CodeOf(err) != apperror.Unavailable:
		return apperror.Wrap(apperror.Unavailable, err, "predictions cannot be recorded; check that the predictions database is writable and not full")
	}
	return err
}

// Query says which predictions are meant; what is empty lets all through.
type Query struct {
	RequestID    string
	ModelName    string
	ModelVersion string
	Before       int64 // only those older than the one with this key; 0 means from the newest
	Limit        int
}

// Recent returns the newest predictions that match, newest first, and the key to go on before; 0 if there are no more.
func (s *Store) Recent(ctx context.Context, q Query) ([]Record, int64, error) {
	if !sqlstore.Storable(q.RequestID, q.ModelName, q.ModelVersion) {
		return nil, 0, nil
	}
	db := s.db.WithContext(ctx).Where(&row{RequestID: q.RequestID, ModelName: q.ModelName, ModelVersion: q.ModelVersion}) // gorm leaves out what is empty
	if q.Before > 0 {
		db = db.Where("id < ?", q.Before)
	}
	var rows []row
	if err := db.Order("id DESC").Limit(q.Limit + 1).Find(&rows).Error; err != nil {
		return nil, 0, sqlstore.Translate(err, "predictions")
	}
	var next int64
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		next = rows[q.Limit-1].ID
	}
	records, err := s.recordsOf(ctx, rows)
	return records, next, err
}

// ByRequest returns the predictions of a request, oldest first.
func (s *Store) ByRequest(ctx context.Context, requestID string) ([]Record, error) {
	var rows []row
	if !sqlstore.Storable(requestID) {
		return nil, nil
	}
	err := s.db.WithContext(ctx).Where("request_id = ?", requestID).Order("id").Find(&rows).Error
	if err != nil {
		return nil, sqlstore.Translate(err, "the predictions of request "+requestID)
	}
	// MySQL takes no notice of blanks at the end.
	return s.recordsOf(ctx, slices.DeleteFunc(rows, func(r row) bool { return r.RequestID != requestID }))
}

func (s *Store) recordsOf(ctx context.Context, rows []row) ([]Record, error) {
	records := make([]Record, 0, len(rows))
	for _, r := range rows {
		record, err := r.record()
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, s.withSales(ctx, records)
}

// Count returns how many predictions are stored.
func (s *Store) Count(ctx context.Context) (int64, error) {
	var n int64
	err := s.db.WithContext(ctx).Model(&row{}).Count(&n).Error
	return n, sqlstore.Translate(err, "the number of predictions")
}
