package datasetstore

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
)

// setRow is a row of table_sets: tables that are loaded aside and replaced together.
type setRow struct {
	Name     string `gorm:"column:name;primaryKey"`
	Loader   string `gorm:"column:loader"`
	MadeBy   string `gorm:"column:made_by"`
	RowCount int    `gorm:"column:row_count"`
}

// TableName names the table for gorm.
func (setRow) TableName() string { return "table_sets" }

// The sets.
const (
	splitSet = "split"
	cleanSet = "clean"
)

// tables lists the tables of a set, in the order of dataset.Splits.
func tables(set string) []string {
	var out []string
	for _, split := range dataset.Splits() {
		out = append(out, tableOf(set, split))
	}
	return out
}

func tableOf(set string, split dataset.SplitName) string {
	if set == cleanSet {
		return string(split) + "_clean"
	}
	return string(split)
}

func (c Claim) loader() string { return fmt.Sprintf("%s/%s/%d", c.DAGRunID, c.TaskID, c.Fence) }

// load is one loading of a set of tables. Whoever begins later takes it over, and the chunks of the earlier one are refused: so a
// process that was paused for long cannot mix its rows with those of another DAG run.
type load struct {
	db    *database
	set   string
	claim Claim
}

// beginLoad drops what an earlier loading left and makes the staged tables with create.
func (d *database) beginLoad(ctx context.Context, c Claim, set string, create func(split dataset.SplitName, table string) string) (*load, error) {
	err := d.write(ctx, c, func(tx *gorm.DB) error {
		row := setRow{Name: set, Loader: c.loader()}
		onConflict := clause.OnConflict{Columns: []clause.Column{{Name: "name"}}, DoUpdates: clause.AssignmentColumns([]string{"loader"})}
		if err := tx.Clauses(onConflict).Create(&row).Error; err != nil {
			return fmt.Errorf("take over the %s tables: %w", set, err)
		}
		for _, split := range dataset.Splits() {
			table := staged(tableOf(set, split))
			if err := exec(ctx, tx.Statement.ConnPool, "DROP TABLE IF EXISTS "+d.dialect.quote(table), create(split, table)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &load{db: d, set: set, claim: c}, nil
}

// write runs fn in one transaction that is refused if the loading was taken over.
func (l *load) write(ctx context.Context, fn func(tx *gorm.DB) error) error {
	return l.db.write(ctx, l.claim, func(tx *gorm.DB) error {
		row := setRow{Name: l.set}
		err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return apperror.New(apperror.FailedPrecondition,
				"the %s tables were emptied by another DAG run while this one loaded them; run the DAG again", l.set)
		}
		if err != nil {
			return fmt.Errorf("read who loads the %s tables: %w", l.set, err)
		}
		if row.Loader != l.claim.loader() {
			return apperror.New(apperror.FailedPrecondition,
				"the %s tables are being loaded by another task (%s), so this one changes nothing more", l.set, row.Loader)
		}
		return fn(tx)
	})
}

// swap puts the staged tables in place, with what else belongs to them.
func (l *load) swap(ctx context.Context, rows int, also func(tx *gorm.DB) error) error {
	return l.write(ctx, func(tx *gorm.DB) error {
		if err := also(tx); err != nil {
			return err
		}
		if err := exec(ctx, tx.Statement.ConnPool, l.db.dialect.swap(tables(l.set))...); err != nil {
			return err
		}
		done := setRow{Name: l.set, MadeBy: l.claim.DAGRunID, RowCount: rows}
		return tx.Select("*").Updates(&done).Error
	})
}

// made returns how many rows a set has. It fails with FailedPrecondition unless the DAG run made it.
func (d *database) made(ctx context.Context, set, dagRunID, task string) (int, error) {
	row := setRow{Name: set}
	err := d.db.WithContext(ctx).Take(&row).Error
	switch {
	case err != nil && !errors.Is(err, gorm.ErrRecordNotFound):
		return 0, fmt.Errorf("read who made the %s tables: %w", set, err)
	case err != nil || row.MadeBy == "":
		return 0, apperror.New(apperror.FailedPrecondition, "there are no %s tables; run the task %s first", set, task)
	case row.MadeBy != dagRunID:
		return 0, apperror.New(apperror.FailedPrecondition,
			"the %s tables hold the rows of DAG run %s by now; run the task %s of this DAG run again", set, row.MadeBy, task)
	}
	return row.RowCount, nil
}
