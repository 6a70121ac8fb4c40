package datasetstore

import (
	"context"
	"fmt"

	"tasador/pkg/killpoint"
	"tasador/pkg/sqlstore"
)

// Reset empties realtor_raw, the batches, the imports, the splits and the clean tables, where they exist. What was collected is gone
// then; it can be repeated. Codes: FailedPrecondition (the claim is lost).
func (s *Store) Reset(ctx context.Context, c Claim) error {
	// The imports first: where each table is emptied for itself, one that is under way then stores nothing more.
	if err := s.raw.reset(ctx, c, splitSet, "raw_imports", "raw_batches", "batch_notes", "seen_rows", "realtor_raw"); err != nil {
		return err
	}
	killpoint.At(killpoint.BetweenResets)
	return s.clean.reset(ctx, c, cleanSet)
}

// reset ends any loading of the set, and empties its tables and more.
func (d *database) reset(ctx context.Context, c Claim, set tableSet, more ...string) error {
	return d.write(ctx, c, func(tx sqlstore.Tx) error {
		if err := tx.Where("name = ?", set).Delete(&loadRow{}).Error; err != nil {
			return fmt.Errorf("end the loading of the %s tables: %w", set, err)
		}
		var there []string
		for _, table := range append(more, set.tables()...) {
			has, err := d.hasTable(ctx, table)
			if err != nil {
				return err
			}
			if has {
				there = append(there, table)
			}
		}
		return d.engine.empty(ctx, d, tx, there)
	})
}
