package datasetstore

import (
	"context"
	"strings"

	"tasador/pkg/sqlstore"
)

// sqliteEngine keeps listings in a file: prepared inserts, everything in transactions.
type sqliteEngine struct{}

// A transaction keeps other writers away, so chunks are small; a statement of more than 64 rows is not faster.
const (
	sqliteChunk        = 10_000
	sqliteRows         = 64
	sqliteMaxParams    = 32_766
	sqlitePositionType = "INTEGER PRIMARY KEY"
)

func (sqliteEngine) types() types {
	return types{integer: "INTEGER", number: "REAL", text: "TEXT", key: "TEXT"}
}

func (sqliteEngine) quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (e sqliteEngine) createSplit(table string) string {
	return e.types().createSplit(e, table, sqlitePositionType, "")
}

func (e sqliteEngine) createClean(table string, columns []string) string {
	return e.types().createClean(e, table, columns, sqlitePositionType, "")
}

func (e sqliteEngine) createMade(table string) string { return e.types().createMade(e, table, "") }

func (e sqliteEngine) createCleanColumns(table string) string {
	return e.types().createCleanColumns(e, table, "")
}

func (e sqliteEngine) newChunk(table string, columns []column) chunk {
	return newStatementChunk(e, table, columns, sqliteChunk, sqliteRows, sqliteMaxParams)
}

func (sqliteEngine) finish(string) []string { return nil }

func (e sqliteEngine) swap(ctx context.Context, _ *database, tx sqlstore.Tx, pairs []swapped) error {
	return exec(ctx, tx.Statement.ConnPool, dropAndRename(e, pairs)...)
}

// dropAndRename replaces tables where that can be part of a transaction.
func dropAndRename(e engine, pairs []swapped) []string {
	var out []string
	for _, p := range pairs {
		out = append(out, "DROP TABLE IF EXISTS "+e.quote(p.table), "ALTER TABLE "+e.quote(p.next)+" RENAME TO "+e.quote(p.table))
	}
	return out
}

func (e sqliteEngine) empty(ctx context.Context, _ *database, tx sqlstore.Tx, tables []string) error {
	for _, table := range tables {
		if err := exec(ctx, tx.Statement.ConnPool, "DELETE FROM "+e.quote(table)); err != nil {
			return err
		}
	}
	return nil
}

func (sqliteEngine) tablesLike(ctx context.Context, d *database, prefix string) ([]string, error) {
	return d.names(ctx, "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE ? ESCAPE '!'", likePattern(prefix))
}

func (sqliteEngine) stream(ctx context.Context, d *database, query string, kinds []kind, each func(*values) error) error {
	return d.scan(ctx, query, kinds, each)
}
