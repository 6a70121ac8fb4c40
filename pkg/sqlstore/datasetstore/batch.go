package datasetstore

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/killpoint"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
)

// Batch is what one DAG run collected.
type Batch struct {
	DAGRunID      string
	Number        int // as the source counts; 0 if it does not say
	Finished      bool
	Rows          int
	PayloadSHA256 string         // hexadecimal
	Columns       []string       // known columns that some row of the payload has
	Invalid       map[string]int // values of the wrong type, by column
	Profile       *dataset.Profile
	FetchedAt     time.Time
	Verdict       *Verdict      // of the gate; nil before
	Splits        SplitProfiles // of the DAG run; nil before
}

// batchRow is a row of raw_batches.
type batchRow struct {
	DAGRunID      string           `gorm:"column:dag_run_id;primaryKey"`
	BatchNumber   int              `gorm:"column:batch_number"`
	Finished      bool             `gorm:"column:finished"`
	RowCount      int              `gorm:"column:row_count"`
	PayloadSHA256 string           `gorm:"column:payload_sha256"`
	Columns       []string         `gorm:"column:columns;serializer:json"`
	Invalid       map[string]int   `gorm:"column:invalid;serializer:json"`
	Profile       *dataset.Profile `gorm:"column:profile;serializer:json"`
	FetchedAt     string           `gorm:"column:fetched_at"`
}

// TableName names the table for gorm.
func (batchRow) TableName() string { return "raw_batches" }

// instantFormat is how instants (UTC) stand in the tables, to the microsecond.
const instantFormat = "2006-01-02T15:04:05.000000Z"

func rowOf(b Batch) batchRow {
	if b.Columns == nil {
		b.Columns = []string{}
	}
	if b.Invalid == nil {
		b.Invalid = map[string]int{}
	}
	if b.Profile == nil {
		b.Profile = &dataset.Profile{}
	}
	return batchRow{
		DAGRunID: b.DAGRunID, BatchNumber: b.Number, Finished: b.Finished, RowCount: b.Rows, PayloadSHA256: b.PayloadSHA256,
		Columns: b.Columns, Invalid: b.Invalid, Profile: b.Profile, FetchedAt: b.FetchedAt.UTC().Format(instantFormat),
	}
}

func (r batchRow) batch() (*Batch, error) {
	at, err := time.Parse(instantFormat, r.FetchedAt)
	if err != nil {
		return nil, apperror.Wrap(apperror.Internal, err, "the batch of DAG run %s has no readable fetched_at", r.DAGRunID)
	}
	return &Batch{
		DAGRunID: r.DAGRunID, Number: r.BatchNumber, Finished: r.Finished, Rows: r.RowCount, PayloadSHA256: r.PayloadSHA256,
		Columns: r.Columns, Invalid: r.Invalid, Profile: r.Profile, FetchedAt: at,
	}, nil
}

// Batch returns what a DAG run collected. Codes: NotFound.
func (s *Store) Batch(ctx context.Context, dagRunID string) (*Batch, error) {
	var row batchRow
	if err := s.raw.db.WithContext(ctx).Take(&row, "dag_run_id = ?", dagRunID).Error; err != nil {
		return nil, sqlstore.Translate(err, "the batch of DAG run "+dagRunID)
	}
	b, err := row.batch()
	if err != nil {
		return nil, err
	}
	batches := []Batch{*b}
	if err := s.addNotes(ctx, batches); err != nil {
		return nil, err
	}
	return &batches[0], nil
}

// ReadBatch reads a payload: it hands every row to insert and completes b, which has the DAG run and FetchedAt, by all else but Rows,
// which are counted. What it fails with is what StoreBatch fails with, and nothing is stored.
type ReadBatch func(b *Batch, insert func(property.Listing) error) error

// StoreBatch stores a batch and its rows, and remembers them for SeenRows, all or nothing. read is called once, inside the transaction, so
// that a payload is read once; b has the DAG run, FetchedAt, and in Rows about how many there will be. Verdict and Splits are left out. If
// the DAG run has a batch already nothing is read, and that one is returned.
// Codes: FailedPrecondition (the claim is lost), or those of read.
func (s *Store) StoreBatch(ctx context.Context, c Claim, b Batch, read ReadBatch) (*Batch, error) {
	stored := &b
	err := s.raw.write(ctx, c, func(tx sqlstore.Tx) error {
		var there batchRow
		err := tx.Take(&there, "dag_run_id = ?", b.DAGRunID).Error
		switch {
		case err == nil:
			stored, err = there.batch()
			return err
		case !errors.Is(err, gorm.ErrRecordNotFound):
			return err
		}
		if err := s.insertRows(ctx, tx, &b, read); err != nil {
			return err
		}
		row := rowOf(b)
		return tx.Create(&row).Error
	})
	if err != nil {
		return nil, err
	}
	return stored, nil
}

// insertRows loads the rows in the transaction of their batch.
func (s *Store) insertRows(ctx context.Context, tx sqlstore.Tx, b *Batch, read ReadBatch) error {
	seen, err := loadSeen(tx.DB)
	if err != nil {
		return err
	}
	seen.Reserve(b.Rows)
	rows := startLoader(func() chunk { return s.raw.engine.newChunk("realtor_raw", rawColumns()) }, func(c chunk) error {
		err := c.insert(ctx, tx)
		killpoint.At(killpoint.LoadRaw)
		return err
	})
	b.Rows = 0
	number := 0            // in the rows
	var l property.Listing // one for all rows
	fetchedAt, dagRunID := property.NewText(b.FetchedAt.UTC().Format(instantFormat)), property.NewText(b.DAGRunID)
	err = read(b, func(next property.Listing) error {
		if b.Rows == 0 {
			number = b.Number
		}
		b.Rows++
		l = next
		seen.Add(dataset.RowHash(&l))
		row := rows.row()
		addListing(row, &l)
		row.text(fetchedAt)
		row.integer(int64(number))
		row.text(dagRunID)
		return rows.endRow()
	})
	if finished := rows.finish(); err == nil {
		err = finished
	}
	if err != nil {
		return err
	}
	if err := saveSeen(tx.DB, seen); err != nil || b.Rows == 0 || b.Number == number {
		return err
	}
	// The payload says its number only after the rows, which is rare: there is no index for this.
	return tx.Exec("UPDATE realtor_raw SET batch_number = ? WHERE dag_run_id = ?", b.Number, b.DAGRunID).Error
}
