package datasetstore

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/dataset"
)

// seenRow is a row of seen_rows.
type seenRow struct {
	Layer      int    `gorm:"column:layer;primaryKey;autoIncrement:false"`
	RowCount   int    `gorm:"column:row_count"`
	EntryCount int    `gorm:"column:entry_count"`
	Bits       []byte `gorm:"column:bits"`
}

// TableName names the table for gorm.
func (seenRow) TableName() string { return "seen_rows" }

// SeenRows returns a filter of the rows of all batches that are stored.
func (s *Store) SeenRows(ctx context.Context) (*dataset.SeenFilter, error) {
	return loadSeen(s.raw.db.WithContext(ctx))
}

func loadSeen(db *gorm.DB) (*dataset.SeenFilter, error) {
	var rows []seenRow
	if err := db.Order("layer").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read which rows were seen before: %w", err)
	}
	layers := make([]dataset.SeenLayer, len(rows))
	for i, r := range rows {
		layers[i] = dataset.SeenLayer{Rows: r.RowCount, Entries: r.EntryCount, Bits: r.Bits}
	}
	return dataset.NewSeenFilter(layers), nil
}

// saveSeen keeps the layers that have changed.
func saveSeen(tx *gorm.DB, filter *dataset.SeenFilter) error {
	for i, l := range filter.Layers() {
		if !l.Changed {
			continue
		}
		row := seenRow{Layer: i, RowCount: l.Rows, EntryCount: l.Entries, Bits: l.Bits}
		if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error; err != nil {
			return fmt.Errorf("keep which rows were seen: %w", err)
		}
	}
	return nil
}
