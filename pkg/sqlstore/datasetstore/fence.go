package datasetstore

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
)

// Claim says for which task instance something is written. Writes of a claim are refused with FailedPrecondition once the database
// has seen a larger fence of the same task instance: its holder has lost its lease, and another try is at work.
type Claim struct {
	DAGRunID string
	TaskID   string
	Fence    int64
}

// fenceRow is a row of task_fences.
type fenceRow struct {
	DAGRunID string `gorm:"column:dag_run_id;primaryKey"`
	TaskID   string `gorm:"column:task_id;primaryKey"`
	Fence    int64  `gorm:"column:fence"`
}

// TableName names the table for gorm.
func (fenceRow) TableName() string { return "task_fences" }

// Hold records the claim in RawData and reports whether it still holds. Tasks whose effects are elsewhere ask it before each of
// them. Codes: FailedPrecondition.
func (s *Store) Hold(ctx context.Context, c Claim) error {
	return s.raw.write(ctx, c, func(sqlstore.Tx) error { return nil })
}

// write runs fn in one transaction that is refused if the claim is lost.
func (d *database) write(ctx context.Context, c Claim, fn func(tx sqlstore.Tx) error) error {
	err := sqlstore.InConnTx(ctx, d.db, func(tx sqlstore.Tx) error {
		if err := hold(tx.DB, c); err != nil {
			return err
		}
		return fn(tx)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", d.label, err)
	}
	return nil
}

// hold locks the fence of the task instance until the transaction ends, and raises it.
func hold(tx *gorm.DB, c Claim) error {
	seen := fenceRow{DAGRunID: c.DAGRunID, TaskID: c.TaskID}
	err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Take(&seen).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return tx.Create(&fenceRow{DAGRunID: c.DAGRunID, TaskID: c.TaskID, Fence: c.Fence}).Error
	case err != nil:
		return fmt.Errorf("read the fence: %w", err)
	case seen.Fence > c.Fence:
		return apperror.New(apperror.FailedPrecondition,
			"task %s of DAG run %s was taken over by a later try, so this one changes nothing more", c.TaskID, c.DAGRunID)
	case seen.Fence == c.Fence:
		return nil
	}
	return tx.Model(&seen).Update("fence", c.Fence).Error
}
