// Package predictionstore keeps every prediction that serving answered, before it is answered. Requests that arrive together are
// committed together.
package predictionstore

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
)

// migrationsName is the folder of migrations.
const migrationsName = "prediction"

// maxGroup is how many predictions one transaction takes; 20 values each stay below every dialect's limit of parameters.
const maxGroup = 100

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
}

// Store keeps predictions. It is safe for concurrent use.
type Store struct {
	db     *gorm.DB
	probe  *sqlstore.Probe
	log    *slog.Logger
	queue  chan *pending
	stop   chan struct{}
	done   chan struct{}
	failed atomic.Bool // whether the last transaction failed
}

// pending is a record on its way; its outcome is sent once.
type pending struct {
	row     row
	outcome chan error
}

// Open opens the database that url names and brings its schema up to date. Codes: as sqlstore.Open and sqlstore.Migrate.
func Open(ctx context.Context, url string, log *slog.Logger) (*Store, error) {
	db, err := sqlstore.Open(ctx, url, log)
	if err != nil {
		return nil, err
	}
	columns, err := columnsOf(db)
	if err == nil {
		err = sqlstore.RefuseForeign(ctx, db, row{}.TableName(), columns...)
	}
	if err == nil {
		err = sqlstore.Migrate(ctx, db, migrationsName)
	}
	if err != nil {
		_ = sqlstore.Close(db) // the first error says more
		return nil, err
	}
	probe := sqlstore.NewProbe(db, row{}.TableName(), columns...)
	s := &Store{db: db, probe: probe, log: log, queue: make(chan *pending, maxGroup), stop: make(chan struct{}), done: make(chan struct{})}
	go s.write()
	return s, nil
}

// Close commits what is on its way and closes the database. Nothing may be recorded after it.
func (s *Store) Close() error {
	close(s.stop)
	<-s.done
	return sqlstore.Close(s.db)
}

// Record stores a prediction and returns once it is committed. If ctx ends before, it may be stored all the same.
// Codes: Unavailable if it cannot be stored.
func (s *Store) Record(ctx context.Context, r Record) error {
	p := &pending{row: rowOf(r), outcome: make(chan error, 1)}
	select {
	case s.queue <- p:
	case <-ctx.Done():
		return unrecorded(ctx.Err())
	case <-s.done:
		return unrecorded(sql.ErrConnDone)
	}
	select {
	case err := <-p.outcome:
		return unrecorded(err)
	case <-ctx.Done():
		return unrecorded(ctx.Err())
	case <-s.done:
	}
	select { // the last group is answered before done
	case err := <-p.outcome:
		return unrecorded(err)
	default:
		return unrecorded(sql.ErrConnDone)
	}
}

func unrecorded(err error) error {
	if err == nil {
		return nil
	}
	if apperror.CodeOf(err) == apperror.Unavailable {
		return apperror.Wrap(apperror.Unavailable, err, "the prediction cannot be recorded, so it is not given: %s", apperror.SentenceOf(err))
	}
	return apperror.Wrap(apperror.Unavailable, err, "the prediction cannot be recorded, so it is not given; check that the predictions database answers, is writable and not full")
}

// write commits groups of what is queued until the store is closed.
func (s *Store) write() {
	defer close(s.done)
	for {
		select {
		case first := <-s.queue:
			s.commit(s.group(first))
		case <-s.stop:
			for {
				select {
				case last := <-s.queue:
					s.commit(s.group(last))
				default:
					return
				}
			}
		}
	}
}

// group takes what is queued right now.
func (s *Store) group(first *pending) []*pending {
	group := []*pending{first}
	for len(group) < maxGroup {
		select {
		case next := <-s.queue:
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

// commitTimeout bounds one transaction, whoever waits for it.
const commitTimeout = 10 * time.Second

func (s *Store) commit(group []*pending) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	rows := make([]row, len(group))
	for i, p := range group {
		rows[i] = p.row
	}
	err := sqlstore.InPlace(s.db)
	if err == nil { // one statement is one transaction
		err = s.db.WithContext(ctx).Create(&rows).Error
	}
	s.note(err)
	for _, p := range group {
		p.outcome <- err
	}
}

// note logs when recording begins to fail and when it works again, and not each time.
func (s *Store) note(err error) {
	switch failedBefore := s.failed.Swap(err != nil); {
	case err != nil && !failedBefore:
		s.log.Error("predictions cannot be recorded", "error", err)
	case err == nil && failedBefore:
		s.log.Info("predictions are recorded again")
	}
}

// errUndone undoes a transaction that was only tried.
var errUndone = errors.New("undone")

// Ping reports whether predictions can be stored: whether the database can be written, its table is there, and nobody keeps the write lock of an SQLite file.
// After a failure it stores and removes a row as well. Codes: Unavailable.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.probe.Check(ctx); err != nil {
		return err
	}
	err := sqlstore.InTx(ctx, s.db, func(tx *gorm.DB) error {
		if !s.failed.Load() {
			if err := tx.Where("id < 0").Find(&[]row{}).Error; err != nil {
				return err
			}
			return errUndone
		}
		probe := rowOf(Record{})
		if err := tx.Create(&probe).Error; err != nil {
			return err
		}
		return tx.Delete(&probe).Error
	})
	switch {
	case errors.Is(err, errUndone):
		return nil
	case apperror.CodeOf(err) == apperror.Unavailable:
		return apperror.Wrap(apperror.Unavailable, err, "predictions cannot be recorded: %s", apperror.MessageOf(err))
	case err != nil:
		return apperror.Wrap(apperror.Unavailable, err, "predictions cannot be recorded; check that the predictions database is writable and not full")
	}
	s.note(nil)
	return nil
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
	records, err := recordsOf(rows)
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
	return recordsOf(slices.DeleteFunc(rows, func(r row) bool { return r.RequestID != requestID }))
}

func recordsOf(rows []row) ([]Record, error) {
	records := make([]Record, 0, len(rows))
	for _, r := range rows {
		record, err := r.record()
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

// Count returns how many predictions are stored.
func (s *Store) Count(ctx context.Context) (int64, error) {
	var n int64
	err := s.db.WithContext(ctx).Model(&row{}).Count(&n).Error
	return n, sqlstore.Translate(err, "the number of predictions")
}
