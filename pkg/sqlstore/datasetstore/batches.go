package datasetstore

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm/clause"

	"tasador/pkg/dataset"
	"tasador/pkg/sqlstore"
)

// Verdict is what the gate said about a batch, and the limits that it had then.
type Verdict struct {
	Decision string       `json:"decision"` // the task that the DAG run went on with
	Reason   string       `json:"reason"`
	Gate     dataset.Gate `json:"gate"`
	RunID    string       `json:"-"` // of the decision run in tracking; has a column of its own
}

// SplitProfiles holds the profile of each split.
type SplitProfiles map[dataset.SplitName]*dataset.Profile

// Batches lists batches, those collected last first, without the profiles of their splits, and counts them all.
func (s *Store) Batches(ctx context.Context, limit, offset int) ([]Batch, int, error) {
	db := s.raw.db.WithContext(ctx)
	var total int64
	if err := db.Model(&batchRow{}).Count(&total).Error; err != nil {
		return nil, 0, fmt.Errorf("count the batches: %w", err)
	}
	var rows []batchRow
	if err := db.Order("fetched_at DESC, dag_run_id DESC").Limit(limit).Offset(offset).Find(&rows).Error; err != nil {
		return nil, 0, fmt.Errorf("list the batches: %w", err)
	}
	out := make([]Batch, len(rows))
	for i, r := range rows {
		b, err := r.batch()
		if err != nil {
			return nil, 0, err
		}
		out[i] = *b
	}
	return out, int(total), s.addNotes(ctx, out, "splits")
}

// noteRow is a row of batch_notes.
type noteRow struct {
	DAGRunID string        `gorm:"column:dag_run_id;primaryKey"`
	Verdict  *Verdict      `gorm:"column:decision;serializer:json"`
	RunID    *string       `gorm:"column:run_id"`
	Splits   SplitProfiles `gorm:"column:splits;serializer:json"`
}

// TableName names the table for gorm.
func (noteRow) TableName() string { return "batch_notes" }

// addNotes completes batches with what was noted of them; omit names columns that are left out.
func (s *Store) addNotes(ctx context.Context, list []Batch, omit ...string) error {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].DAGRunID
	}
	var notes []noteRow
	if err := s.raw.db.WithContext(ctx).Omit(omit...).Where("dag_run_id IN ?", ids).Find(&notes).Error; err != nil {
		return fmt.Errorf("read what was noted of the batches: %w", err)
	}
	for _, note := range notes {
		at := slices.Index(ids, note.DAGRunID)
		list[at].Verdict, list[at].Splits = note.Verdict, note.Splits
		if note.Verdict != nil && note.RunID != nil {
			note.Verdict.RunID = *note.RunID
		}
	}
	return nil
}

// SetVerdict keeps with the batch of the DAG run what the gate said. Codes: FailedPrecondition (the claim is lost).
func (s *Store) SetVerdict(ctx context.Context, c Claim, v Verdict) error {
	return s.note(ctx, c, noteRow{DAGRunID: c.DAGRunID, Verdict: &v, RunID: &v.RunID}, "decision", "run_id")
}

// SetSplits keeps the profiles of its splits with the batch of the DAG run. Codes: FailedPrecondition (the claim is lost).
func (s *Store) SetSplits(ctx context.Context, c Claim, splits SplitProfiles) error {
	return s.note(ctx, c, noteRow{DAGRunID: c.DAGRunID, Splits: splits}, "splits")
}

// note sets columns of the note on the batch of the DAG run, if it has one still.
func (s *Store) note(ctx context.Context, c Claim, row noteRow, columns ...string) error {
	return s.raw.write(ctx, c, func(tx sqlstore.Tx) error {
		var batches int64
		err := tx.Model(&batchRow{}).Where("dag_run_id = ?", c.DAGRunID).Count(&batches).Error
		if err == nil && batches > 0 {
			err = tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "dag_run_id"}}, DoUpdates: clause.AssignmentColumns(columns)}).Create(&row).Error
		}
		if err != nil {
			return fmt.Errorf("keep the %s of DAG run %s: %w", columns[0], c.DAGRunID, err)
		}
		return nil
	})
}
