package datasetstore

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"tasador/pkg/killpoint"
)

// Reset empties realtor_raw, the batches, the splits and the clean tables, where they exist. What was collected is gone then; it can
// be repeated. Codes: FailedPrecondition (the claim is lost).
func (s *Store) Reset(ctx context.Context, c Claim) error {
	err := s.raw.write(ctx, c, func(tx *gorm.DB) error {
		return s.raw.empty(ctx, tx, splitSet, append([]string{"realtor_raw", "raw_batches"}, tables(splitSet)...))
	})
	if err != nil {
		return err
	}
	killpoint.At(killpoint.BetweenResets)
	return s.clean.write(ctx, c, func(tx *gorm.DB) error {
		return s.clean.empty(ctx, tx, cleanSet, tables(cleanSet))
	})
}

// empty empties tables and ends any loading of the set.
func (d *database) empty(ctx context.Context, tx *gorm.DB, set string, list []string) error {
	for _, table := range list {
		if !tx.Migrator().HasTable(table) {
			continue
		}
		if err := exec(ctx, tx.Statement.ConnPool, "DELETE FROM "+d.dialect.quote(table)); err != nil {
			return err
		}
	}
	if err := tx.Where("name = ?", set).Delete(&setRow{}).Error; err != nil {
		return fmt.Errorf("forget who made the %s tables: %w", set, err)
	}
	return nil
}
