package datasetstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/apperror"
	"tasador/pkg/killpoint"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
)

// Imports is the part of RawData that files are loaded into. A pipeline may be at work on the same database: a chunk of rows is one
// transaction, and its rows get larger ids than all that were stored before.
type Imports struct{ store *Store }

// OpenImports opens RawData alone and brings its schema up to date. Codes: those of Open.
func OpenImports(ctx context.Context, rawURL string, log *slog.Logger) (*Imports, error) {
	raw, err := open(ctx, rawURL, "RawData", rawMigrations, rawTable(), log)
	if err != nil {
		return nil, err
	}
	return &Imports{&Store{raw: raw}}, nil
}

// Close closes the connections.
func (s *Imports) Close() error { return s.store.raw.close() }

// Import is how far the import of a file has come. Its Batch counts the rows that are stored, which are the first ones of the file;
// the id of the DAG run in it is that of the import.
type Import struct {
	Source      string // path or address of the file
	Fingerprint string // differs once the file has changed
	Finished    bool
	Batch       Batch
	Nulls       map[string]int // values that were missing, by column
	UpdatedAt   time.Time
}

// importRow is a row of raw_imports.
type importRow struct {
	SourceKey   string         `gorm:"column:source_key;primaryKey"`
	Source      string         `gorm:"column:source"`
	Fingerprint string         `gorm:"column:fingerprint"`
	DAGRunID    string         `gorm:"column:dag_run_id"`
	Finished    bool           `gorm:"column:finished"`
	Nulls       map[string]int `gorm:"column:nulls;serializer:json"`
	UpdatedAt   string         `gorm:"column:updated_at"`
}

// TableName names the table for gorm.
func (importRow) TableName() string { return "raw_imports" }

func importRowOf(i Import) importRow {
	if i.Nulls == nil {
		i.Nulls = map[string]int{}
	}
	return importRow{
		SourceKey: sourceKey(i.Source), Source: i.Source, Fingerprint: i.Fingerprint, DAGRunID: i.Batch.DAGRunID, Finished: i.Finished,
		Nulls: i.Nulls, UpdatedAt: i.UpdatedAt.UTC().Format(instantFormat),
	}
}

// sourceKey is short where a path or an address may be too long for an index.
func sourceKey(source string) string {
	sum := sha256.Sum256([]byte(source))
	return hex.EncodeToString(sum[:])
}

// Find returns the newest import of a source. Codes: NotFound.
func (s *Imports) Find(ctx context.Context, source string) (*Import, error) {
	var found *Import
	err := sqlstore.InTx(ctx, s.store.raw.db, func(tx *gorm.DB) (err error) {
		found, err = findImport(tx, source)
		return err
	})
	if err != nil {
		return nil, sqlstore.Translate(err, "the import of "+source)
	}
	return found, nil
}

// findImport reads an import and keeps others from changing it until the transaction ends.
func findImport(tx *gorm.DB, source string) (*Import, error) {
	var row importRow
	locked := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	if err := locked.Take(&row, "source_key = ?", sourceKey(source)).Error; err != nil {
		return nil, err
	}
	var stored batchRow
	if err := tx.Take(&stored, "dag_run_id = ?", row.DAGRunID).Error; err != nil {
		return nil, err
	}
	batch, err := stored.batch()
	if err != nil {
		return nil, err
	}
	at, err := time.Parse(instantFormat, row.UpdatedAt)
	if err != nil {
		return nil, apperror.Wrap(apperror.Internal, err, "the import of %s has no readable updated_at", source)
	}
	return &Import{Source: row.Source, Fingerprint: row.Fingerprint, Finished: row.Finished, Batch: *batch, Nulls: row.Nulls, UpdatedAt: at}, nil
}

// Begin records an import without rows. It takes the place of the earlier import of the same source, if there is one, whose rows
// stay if it was finished and are deleted if it was not. Codes: FailedPrecondition if the import that is there is not the earlier one.
func (s *Imports) Begin(ctx context.Context, i Import, earlier *Import) error {
	return s.write(ctx, i.Source, earlier, func(tx sqlstore.Tx, there *Import) error {
		if err := forget(tx.DB, i.Source, there); err != nil {
			return err
		}
		row, batch := importRowOf(i), rowOf(i.Batch)
		return errors.Join(tx.Create(&row).Error, tx.Create(&batch).Error)
	})
}

// forget makes room for a new import of a source. An import without a batch is left over from tables that were emptied one by one.
func forget(tx *gorm.DB, source string, i *Import) error {
	if i == nil {
		return tx.Where("NOT EXISTS (SELECT 1 FROM raw_batches WHERE raw_batches.dag_run_id = raw_imports.dag_run_id)").
			Delete(&importRow{SourceKey: sourceKey(source)}).Error
	}
	if err := tx.Delete(&importRow{SourceKey: sourceKey(source)}).Error; err != nil || i.Finished {
		return err
	}
	err := tx.Exec("DELETE FROM realtor_raw WHERE dag_run_id = ?", i.Batch.DAGRunID).Error
	return errors.Join(err, tx.Delete(&batchRow{DAGRunID: i.Batch.DAGRunID}).Error)
}

// Add stores more rows of an import, and where it stands with them, all or nothing. from is where it stood before.
// Codes: FailedPrecondition if the import does not stand there: another process is at work on it, or the tables were emptied.
func (s *Imports) Add(ctx context.Context, from, to Import, rows []property.Listing) error {
	err := s.write(ctx, to.Source, &from, func(tx sqlstore.Tx, _ *Import) error {
		row, batch := importRowOf(to), rowOf(to.Batch)
		if err := errors.Join(tx.Save(&row).Error, tx.Save(&batch).Error); err != nil {
			return err
		}
		chunk := to.Batch
		chunk.Rows = len(rows)
		return s.store.insertRows(ctx, tx, &chunk, func(_ *Batch, insert func(property.Listing) error) error {
			for i := range rows {
				if err := insert(rows[i]); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err == nil {
		killpoint.At(killpoint.AfterImportChunk)
	}
	return err
}

// write runs fn in one transaction if the import of the source stands where from says; nil means that there is none.
func (s *Imports) write(ctx context.Context, source string, from *Import, fn func(tx sqlstore.Tx, there *Import) error) error {
	err := sqlstore.InConnTx(ctx, s.store.raw.db, func(tx sqlstore.Tx) error {
		there, err := findImport(tx.DB, source)
		if errors.Is(err, gorm.ErrRecordNotFound) {
			there, err = nil, nil
		}
		if err != nil {
			return err
		}
		if err := sameImport(from, there); err != nil {
			return err
		}
		return fn(tx, there)
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return errOtherImport(source)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.store.raw.label, err)
	}
	return nil
}

func sameImport(from, there *Import) error {
	switch {
	case from == nil && there == nil:
		return nil
	case there == nil:
		return apperror.New(apperror.FailedPrecondition,
			"the tables of listings were emptied while %s was imported; run the command again to import it from its first row", from.Source)
	case from == nil || from.Batch.DAGRunID != there.Batch.DAGRunID || from.Batch.Rows != there.Batch.Rows || from.Finished != there.Finished:
		return errOtherImport(there.Source)
	}
	return nil
}

func errOtherImport(source string) error {
	return apperror.New(apperror.FailedPrecondition, "another process imports %s at this moment; let it end, or end it, then run the command again", source)
}
