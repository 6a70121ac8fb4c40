package datasetstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/features"
	"tasador/pkg/killpoint"
	"tasador/pkg/property"
	"tasador/pkg/realtor"
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
	total, err := s.raw.made(ctx, splitSet, c.DAGRunID, realtor.TaskSplit)
	if err != nil {
		return nil, err
	}
	parts := make(map[dataset.SplitName]*cleaning)
	for _, split := range dataset.Splits() {
		if parts[split], err = s.newCleaning(ctx, split, asOf); err != nil {
			return nil, err
		}
	}
	load, err := s.clean.beginLoad(ctx, c, cleanSet, func(split dataset.SplitName, table string) string {
		return s.clean.dialect.createClean(table, parts[split].columns)
	})
	if err != nil {
		return nil, err
	}
	rows := make(map[dataset.SplitName]int)
	done := 0
	for _, split := range dataset.Splits() {
		n, err := s.cleanSplit(ctx, load, parts[split], func(n int) { progress(done+n, total) })
		if err != nil {
			return nil, err
		}
		rows[split] = n
		done += n
	}
	if err := s.stillSplit(ctx, c, total, done); err != nil {
		return nil, err
	}
	killpoint.At(killpoint.BeforeCleanSwap)
	if err := load.swap(ctx, total, func(tx *gorm.DB) error { return describeColumns(tx, parts) }); err != nil {
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
	if now != total || done != total {
		return apperror.New(apperror.FailedPrecondition, "the splits were replaced while they were read; run the task again")
	}
	return nil
}

// newCleaning looks up the statuses of a split and what columns they make.
func (s *Store) newCleaning(ctx context.Context, split dataset.SplitName, asOf time.Time) (*cleaning, error) {
	statuses, err := s.statuses(ctx, split)
	if err != nil {
		return nil, err
	}
	cleaner, err := features.NewCleaner(property.Columns(), statuses, asOf)
	if err != nil {
		return nil, fmt.Errorf("clean %s: %w", split, err)
	}
	c := &cleaning{split: split, table: tableOf(cleanSet, split), features: cleaner.Columns(), cleaner: cleaner}
	c.columns = tableColumns(c.features)
	return c, nil
}

// statuses lists the statuses of a split. Codes: Invalid for more than can be trained on: they are not even read, because there
// may be as many as rows.
func (s *Store) statuses(ctx context.Context, split dataset.SplitName) ([]string, error) {
	var out []string
	err := s.raw.db.WithContext(ctx).Table(tableOf(splitSet, split)).
		Where("status <> ''").Distinct().Limit(features.MaxStatusColumns+2).Pluck("status", &out).Error
	if err != nil {
		return nil, fmt.Errorf("read the statuses of %s: %w", split, err)
	}
	if len(out) > features.MaxStatusColumns+1 {
		return nil, apperror.New(apperror.Invalid,
			"status has more than %d values in %s, which would make more than %d columns; check that the column holds statuses",
			features.MaxStatusColumns+1, split, features.MaxStatusColumns)
	}
	return out, nil
}

// cleanChunk is how many rows one transaction loads.
const cleanChunk = 20_000

// cleanSplit streams a split through its cleaner into the staged table.
func (s *Store) cleanSplit(ctx context.Context, load *load, c *cleaning, progress func(done int)) (int, error) {
	var position int64
	var status, date sql.NullString
	var bed, bath, acreLot, houseSize, price sql.NullFloat64
	query := "SELECT position, nullif(status, ''), bed, bath, acre_lot, house_size, price, prev_sold_date FROM " +
		s.raw.dialect.quote(tableOf(splitSet, c.split)) + " ORDER BY position"
	dests := []any{&position, &status, &bed, &bath, &acreLot, &houseSize, &price, &date}
	chunk := cleanRows{width: len(c.columns)}
	done := 0
	flush := func() error {
		if err := load.write(ctx, func(tx *gorm.DB) error { return s.insertClean(ctx, tx, c, &chunk) }); err != nil {
			return err
		}
		done += len(chunk.positions)
		chunk.reset()
		progress(done)
		return nil
	}
	err := s.raw.stream(ctx, query, nil, dests, func() error {
		raw := features.Raw{
			Status: textOf(status), Bed: numberOf(bed), Bath: numberOf(bath), AcreLot: numberOf(acreLot),
			HouseSize: numberOf(houseSize), Price: numberOf(price), PrevSoldDate: textOf(date),
		}
		chunk.positions = append(chunk.positions, position)
		chunk.values = c.cleaner.Clean(raw, chunk.values)
		if len(chunk.positions) < cleanChunk {
			return nil
		}
		return flush()
	})
	if err == nil && len(chunk.positions) > 0 {
		err = flush()
	}
	return done, err
}

// cleanRows is a chunk of clean rows, width values each.
type cleanRows struct {
	width     int
	positions []int64
	values    []float64
}

func (r *cleanRows) reset() { r.positions, r.values = r.positions[:0], r.values[:0] }

func (s *Store) insertClean(ctx context.Context, tx *gorm.DB, c *cleaning, rows *cleanRows) error {
	columns := append([]string{"position"}, c.columns...)
	b := newBulk(ctx, tx.Statement.ConnPool, s.clean.dialect, staged(c.table), columns)
	defer b.close()
	for i, position := range rows.positions {
		args := append(b.next(), position)
		for _, v := range rows.values[i*rows.width : (i+1)*rows.width] {
			args = append(args, v)
		}
		killpoint.At(killpoint.LoadClean)
		if err := b.added(args); err != nil {
			return err
		}
	}
	return b.flush()
}

func describeColumns(tx *gorm.DB, parts map[dataset.SplitName]*cleaning) error {
	if err := tx.Where("1 = 1").Delete(&cleanColumn{}).Error; err != nil {
		return fmt.Errorf("forget the old clean columns: %w", err)
	}
	for _, split := range dataset.Splits() {
		c := parts[split]
		rows := make([]cleanColumn, len(c.columns))
		for i := range rows {
			rows[i] = cleanColumn{Table: c.table, Ordinal: i, ColumnName: c.columns[i], Feature: c.features[i]}
		}
		if err := tx.Create(&rows).Error; err != nil {
			return fmt.Errorf("describe the columns of %s: %w", c.table, err)
		}
	}
	return nil
}
