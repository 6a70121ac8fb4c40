package datasetstore

import (
	"context"
	"fmt"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/features"
	"tasador/pkg/killpoint"
	"tasador/pkg/property"
	"tasador/pkg/realtor"
	"tasador/pkg/sqlstore"
)

// cleanColumn is a row of clean_columns.
type cleanColumn struct {
	Table      string `gorm:"column:table_name;primaryKey"`
	Ordinal    int    `gorm:"column:ordinal;primaryKey;autoIncrement:false"`
	ColumnName string `gorm:"column:column_name"`
	Feature    string `gorm:"column:feature"`
}

// TableName names the table for gorm.
func (cleanColumn) TableName() string { return "clean_columns" }

// cleaning is the cleaning of one split.
type cleaning struct {
	split    dataset.SplitName
	table    string
	features []string
	columns  []string
	cleaner  *features.Cleaner
}

// Clean replaces train_clean, validation_clean and test_clean by the encoded splits, in the order of the splits, and returns how
// many rows each has. An empty status counts as a missing one. Codes: FailedPrecondition (the claim is lost, or the splits are not
// of this DAG run), Invalid (too many statuses).
func (s *Store) Clean(ctx context.Context, c Claim, asOf time.Time, progress Progress) (map[dataset.SplitName]int, error) {
	splits, err := s.raw.made(ctx, splitSet, c.DAGRunID, realtor.TaskSplit)
	if err != nil {
		return nil, err
	}
	parts := make(map[dataset.SplitName]*cleaning)
	for _, split := range dataset.Splits() {
		if parts[split], err = newCleaning(split, splits.Statuses[string(split)], asOf); err != nil {
			return nil, err
		}
	}
	load, err := s.clean.beginLoad(ctx, c, cleanSet, func(split dataset.SplitName, table string) string {
		return s.clean.engine.createClean(table, parts[split].columns)
	})
	if err != nil {
		return nil, err
	}
	rows := make(map[dataset.SplitName]int)
	done := 0
	for _, split := range dataset.Splits() {
		n, err := s.cleanSplit(ctx, load, parts[split], func(n int) { progress(done+n, splits.RowCount) })
		if err != nil {
			return nil, err
		}
		rows[split] = n
		done += n
	}
	if err := s.stillSplit(ctx, c, splits.RowCount, done); err != nil {
		return nil, err
	}
	progress(splits.RowCount, splits.RowCount)
	killpoint.At(killpoint.BeforeCleanSwap)
	made := madeRow{RowCount: splits.RowCount, Statuses: map[string][]string{}}
	describe := func(tx sqlstore.Tx) error { return describeColumns(tx, load.aside(cleanColumn{}.TableName()), parts) }
	if err := load.swap(ctx, made, describe); err != nil {
		return nil, err
	}
	killpoint.At(killpoint.AfterCleanSwap)
	return rows, nil
}

func (s *Store) stillSplit(ctx context.Context, c Claim, total, done int) error {
	now, err := s.raw.made(ctx, splitSet, c.DAGRunID, realtor.TaskSplit)
	if err != nil {
		return err
	}
	if now.RowCount != total || done != total {
		return apperror.New(apperror.FailedPrecondition, "the splits were replaced while they were read; run the task again")
	}
	return nil
}

// newCleaning tells what columns the statuses of a split make. Codes: Invalid for more statuses than can be trained on.
func newCleaning(split dataset.SplitName, statuses []string, asOf time.Time) (*cleaning, error) {
	if len(statuses) > features.MaxStatusColumns+1 {
		return nil, apperror.New(apperror.Invalid,
			"status has more than %d values in %s, which would make more than %d columns; check that the column holds statuses",
			features.MaxStatusColumns+1, split, features.MaxStatusColumns)
	}
	cleaner, err := features.NewCleaner(property.Columns(), statuses, asOf)
	if err != nil {
		return nil, fmt.Errorf("clean %s: %w", split, err)
	}
	c := &cleaning{split: split, table: cleanSet.table(split), features: cleaner.Columns(), cleaner: cleaner}
	c.columns = tableColumns(c.features)
	return c, nil
}

// readForCleaning are the columns of a split that the recipe needs.
func readForCleaning() []column {
	return []column{
		{"position", integer}, {property.Status, text}, {property.Bed, number}, {property.Bath, number}, {property.AcreLot, number},
		{property.HouseSize, number}, {property.Price, number}, {property.PrevSoldDate, text},
	}
}

// cleanSplit streams a split through its cleaner into the table aside.
func (s *Store) cleanSplit(ctx context.Context, load *load, c *cleaning, progress func(done int)) (int, error) {
	columns := readForCleaning()
	query := fmt.Sprintf("SELECT %s FROM %s ORDER BY position", quoteAll(s.raw.engine, columns), s.raw.engine.quote(splitSet.table(c.split)))
	rows := load.rows(ctx, c.split, cleanColumns(c.columns), killpoint.LoadClean)
	done := 0
	var encoded []float64
	err := s.raw.engine.stream(ctx, s.raw, query, kindsOf(columns), func(v *values) error {
		raw := features.Raw{
			Status: v.texts[1], Bed: v.numbers[2], Bath: v.numbers[3], AcreLot: v.numbers[4],
			HouseSize: v.numbers[5], Price: v.numbers[6], PrevSoldDate: v.texts[7],
		}
		if raw.Status.Value == "" {
			raw.Status = property.Text{}
		}
		encoded = c.cleaner.Clean(raw, encoded[:0])
		to := rows.row()
		to.integer(v.integers[0])
		for _, x := range encoded {
			to.number(x)
		}
		if done++; done%progressRows == 0 {
			progress(done)
		}
		return rows.endRow()
	})
	if finished := rows.finish(); err == nil {
		err = finished
	}
	return done, err
}

func describeColumns(tx sqlstore.Tx, table string, parts map[dataset.SplitName]*cleaning) error {
	for _, split := range dataset.Splits() {
		c := parts[split]
		rows := make([]cleanColumn, len(c.columns))
		for i := range rows {
			rows[i] = cleanColumn{Table: c.table, Ordinal: i, ColumnName: c.columns[i], Feature: c.features[i]}
		}
		if err := tx.Table(table).Create(&rows).Error; err != nil {
			return fmt.Errorf("describe the columns of %s: %w", c.table, err)
		}
	}
	return nil
}
