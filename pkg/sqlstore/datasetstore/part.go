package datasetstore

import (
	"context"
	"fmt"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/property"
	"tasador/pkg/realtor"
)

// Part is one clean table as training reads it.
type Part struct {
	store    *Store
	dagRunID string
	split    dataset.SplitName
	features []string
	columns  []string // of the table, price last
	rows     int
}

// Part returns the clean rows of one split as the DAG run made them. Codes: FailedPrecondition (the clean tables are not of this
// DAG run).
func (s *Store) Part(ctx context.Context, dagRunID string, split dataset.SplitName) (*Part, error) {
	made, err := s.clean.made(ctx, cleanSet, dagRunID, realtor.TaskPreprocess)
	if err != nil {
		return nil, err
	}
	from, to := dataset.Range(split, made.RowCount)
	p := &Part{store: s, dagRunID: dagRunID, split: split, rows: to - from}
	var list []cleanColumn
	err = s.clean.db.WithContext(ctx).Where("table_name = ?", cleanSet.table(split)).Order("ordinal").Find(&list).Error
	if err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", cleanSet.table(split), err)
	}
	for _, c := range list {
		p.features = append(p.features, c.Feature)
		p.columns = append(p.columns, c.ColumnName)
	}
	if n := len(p.features); n == 0 || p.features[n-1] != property.Price {
		return nil, apperror.New(apperror.FailedPrecondition, "the columns of %s are not known; run the task %s again", cleanSet.table(split), realtor.TaskPreprocess)
	}
	return p, nil
}

// Columns returns the features, without price.
func (p *Part) Columns() []string { return p.features[:len(p.features)-1] }

// Len returns how many rows the part has.
func (p *Part) Len() int { return p.rows }

// Each calls fn with the features and the price of every row, in shuffled order. fn keeps neither. Codes: FailedPrecondition (the
// table was replaced meanwhile).
func (p *Part) Each(ctx context.Context, fn func(x []float64, price float64) error) error {
	d := p.store.clean
	columns := cleanColumns(p.columns)[1:]
	query := fmt.Sprintf("SELECT %s FROM %s ORDER BY position", quoteAll(d.engine, columns), d.engine.quote(cleanSet.table(p.split)))
	last, seen := len(columns)-1, 0
	err := d.engine.stream(ctx, d, query, kindsOf(columns), func(v *values) error {
		seen++
		return fn(v.numbers[:last], v.numbers[last])
	})
	if err != nil {
		return err
	}
	if _, err := d.made(ctx, cleanSet, p.dagRunID, realtor.TaskPreprocess); err != nil {
		return err
	}
	if seen != p.rows {
		return apperror.New(apperror.FailedPrecondition, "%s has %d rows instead of %d; run the task %s again",
			cleanSet.table(p.split), seen, p.rows, realtor.TaskPreprocess)
	}
	return nil
}
