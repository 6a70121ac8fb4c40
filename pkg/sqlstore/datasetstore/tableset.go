package datasetstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/killpoint"
	"tasador/pkg/sqlstore"
)

// loadRow is a row of table_loads: who may load the next tables of a set aside.
type loadRow struct {
	Name   string `gorm:"column:name;primaryKey"`
	Loader string `gorm:"column:loader"`
}

// TableName names the table for gorm.
func (loadRow) TableName() string { return "table_loads" }

// madeRow is the row of split_made or clean_made, which stands beside the tables of its set and is replaced with them: so it always tells
// of those that are in place.
type madeRow struct {
	DAGRunID string              `gorm:"column:dag_run_id;primaryKey"`
	RowCount int                 `gorm:"column:row_count"`
	Statuses map[string][]string `gorm:"column:statuses;serializer:json"` // of each split, not all if there are too many
}

// tableSet is a set of tables that are loaded aside and replaced together.
type tableSet string

// The sets.
const (
	splitSet tableSet = "split"
	cleanSet tableSet = "clean"
)

// table is the name of the table of a split.
func (s tableSet) table(split dataset.SplitName) string {
	if s == cleanSet {
		return string(split) + "_clean"
	}
	return string(split)
}

// rowTables lists the tables of rows, in the order of dataset.Splits.
func (s tableSet) rowTables() []string {
	var out []string
	for _, split := range dataset.Splits() {
		out = append(out, s.table(split))
	}
	return out
}

// made is the table that says who made those that are in place.
func (s tableSet) made() string { return string(s) + "_made" }

// tables lists all that is replaced together.
func (s tableSet) tables() []string {
	out := append(s.rowTables(), s.made())
	if s == cleanSet {
		out = append(out, cleanColumn{}.TableName())
	}
	return out
}

func (c Claim) loader() string { return fmt.Sprintf("%s/%s/%d", c.DAGRunID, c.TaskID, c.Fence) }

// load is one loading of a set of tables. Whoever begins later takes it over, and the chunks of the earlier one are refused: so a
// process that was paused for long cannot mix its rows with those of another DAG run. Its tables have names of their own, so that also
// a statement that the earlier one has sent already hits nothing of the later one.
type load struct {
	db    *database
	set   tableSet
	claim Claim
}

// asideMark is in the names of all tables that loadings make.
const asideMark = "__new_"

// aside is the name under which the loading keeps the next table of that name.
func (l *load) aside(table string) string {
	sum := sha256.Sum256([]byte(l.claim.loader()))
	return table + asideMark + hex.EncodeToString(sum[:4])
}

// beginLoad takes over the set, drops what earlier loadings left, and makes the tables; create gives the statement for one of rows.
func (d *database) beginLoad(ctx context.Context, c Claim, set tableSet, create func(split dataset.SplitName, table string) string) (*load, error) {
	l := &load{db: d, set: set, claim: c}
	err := d.write(ctx, c, func(tx sqlstore.Tx) error {
		onConflict := clause.OnConflict{Columns: []clause.Column{{Name: "name"}}, DoUpdates: clause.AssignmentColumns([]string{"loader"})}
		return tx.Clauses(onConflict).Create(&loadRow{Name: string(set), Loader: c.loader()}).Error
	})
	if err != nil {
		return nil, fmt.Errorf("take over the %s tables: %w", set, err)
	}
	statements, err := d.dropAsides(ctx, set)
	if err != nil {
		return nil, err
	}
	for _, split := range dataset.Splits() {
		statements = append(statements, create(split, l.aside(set.table(split))))
	}
	statements = append(statements, d.engine.createMade(l.aside(set.made())))
	if set == cleanSet {
		statements = append(statements, d.engine.createCleanColumns(l.aside(cleanColumn{}.TableName())))
	}
	// The engines differ in whether these could be part of a transaction; none needs it.
	return l, d.exec(ctx, statements...)
}

// dropAsides returns the statements that drop what earlier loadings of the set left.
func (d *database) dropAsides(ctx context.Context, set tableSet) ([]string, error) {
	var statements []string
	for _, table := range set.tables() {
		names, err := d.engine.tablesLike(ctx, d, table+asideMark)
		if err != nil {
			return nil, fmt.Errorf("%s: look for old tables: %w", d.label, err)
		}
		for _, name := range names {
			statements = append(statements, "DROP TABLE IF EXISTS "+d.engine.quote(name))
		}
	}
	return statements, nil
}

// write runs fn in one transaction that is refused if the loading was taken over.
func (l *load) write(ctx context.Context, fn func(tx sqlstore.Tx) error) error {
	return l.db.write(ctx, l.claim, func(tx sqlstore.Tx) error {
		row := loadRow{Name: string(l.set)}
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

// rows begins to load the table of a split; every chunk is a transaction that may be killed at the point.
func (l *load) rows(ctx context.Context, split dataset.SplitName, columns []column, point killpoint.Point) *loader {
	table := l.aside(l.set.table(split))
	return startLoader(func() chunk { return l.db.engine.newChunk(table, columns) }, func(c chunk) error {
		return l.write(ctx, func(tx sqlstore.Tx) error {
			if err := c.insert(ctx, tx); err != nil {
				return err
			}
			killpoint.At(point)
			return nil
		})
	})
}

// swap puts the tables in place. also writes what else describes them, into tables aside.
func (l *load) swap(ctx context.Context, made madeRow, also func(tx sqlstore.Tx) error) error {
	made.DAGRunID = l.claim.DAGRunID
	err := l.write(ctx, func(tx sqlstore.Tx) error {
		for _, table := range l.set.rowTables() {
			if err := exec(ctx, tx.Statement.ConnPool, l.db.engine.finish(l.aside(table))...); err != nil {
				return err
			}
		}
		if err := tx.Table(l.aside(l.set.made())).Create(&made).Error; err != nil {
			return fmt.Errorf("describe the %s tables: %w", l.set, err)
		}
		return also(tx)
	})
	if err != nil {
		return err
	}
	pairs := make([]swapped, 0, len(l.set.tables()))
	for _, table := range l.set.tables() {
		pairs = append(pairs, swapped{table: table, next: l.aside(table)})
	}
	return l.write(ctx, func(tx sqlstore.Tx) error { return l.db.engine.swap(ctx, l.db, tx, pairs) })
}

// made returns who made the tables of a set. It fails with FailedPrecondition unless the DAG run did.
func (d *database) made(ctx context.Context, set tableSet, dagRunID, task string) (madeRow, error) {
	var row madeRow
	err := d.db.WithContext(ctx).Table(set.made()).Take(&row).Error
	switch {
	case err != nil && !errors.Is(err, gorm.ErrRecordNotFound):
		return row, fmt.Errorf("read who made the %s tables: %w", set, err)
	case err != nil:
		return row, apperror.New(apperror.FailedPrecondition, "there are no %s tables; run the task %s first", set, task)
	case row.DAGRunID != dagRunID:
		return row, apperror.New(apperror.FailedPrecondition,
			"the %s tables hold the rows of DAG run %s by now; run the task %s of this DAG run again", set, row.DAGRunID, task)
	}
	return row, nil
}
