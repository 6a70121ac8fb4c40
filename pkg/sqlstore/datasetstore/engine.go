package datasetstore

import (
	"context"
	"fmt"
	"strings"

	"tasador/pkg/sqlstore"
)

// engine is what differs between databases: everything else is SQL that all of them take.
type engine interface {
	// quote makes any text without NUL an identifier.
	quote(name string) string
	// createSplit and createClean make an empty table whose rows are read in the order of position.
	createSplit(table string) string
	createClean(table string, columns []string) string
	// createMade and createCleanColumns make the tables that describe those of rows, as the migrations make them.
	createMade(table string) string
	createCleanColumns(table string) string
	// newChunk makes an empty chunk of rows for a table.
	newChunk(table string, columns []column) chunk
	// finish makes a table that is loaded fit for reading, in a transaction.
	finish(table string) []string
	// swap replaces the tables, all at once for whoever looks. tx holds the loading until it is done.
	swap(ctx context.Context, d *database, tx sqlstore.Tx, pairs []swapped) error
	// empty deletes all rows of tables. tx holds the claim until it is done.
	empty(ctx context.Context, d *database, tx sqlstore.Tx, tables []string) error
	// tablesLike lists the tables whose names begin so.
	tablesLike(ctx context.Context, d *database, prefix string) ([]string, error)
	// stream runs a query and calls each with every row; the row is overwritten by the next.
	stream(ctx context.Context, d *database, query string, kinds []kind, each func(*values) error) error
}

// swapped is a table and what takes its place.
type swapped struct{ table, next string }

// engineOf returns the engine of an open database.
func (d *database) engineOf(ctx context.Context) (engine, error) {
	switch name := sqlstore.EngineOf(d.db); name {
	case sqlstore.SQLite:
		return sqliteEngine{}, nil
	case sqlstore.MySQL:
		return newMySQLEngine(ctx, d)
	case sqlstore.Postgres:
		return postgresEngine{}, nil
	default:
		return nil, fmt.Errorf("listings cannot be kept in %s", name)
	}
}

// types are the names of the types of columns.
type types struct{ integer, number, text, key string }

// create writes a CREATE TABLE. position is the type of the column of that name, all others of rows may be NULL unless fixed says so.
func (t types) create(e engine, table, position string, columns []column, notNull func(column) bool, tail string) string {
	var list []string
	for _, c := range columns {
		of := map[kind]string{integer: t.integer, number: t.number, text: t.text}[c.kind]
		switch {
		case c.name == "position":
			of = position
		case notNull(c):
			of += " NOT NULL"
		}
		list = append(list, e.quote(c.name)+" "+of)
	}
	return fmt.Sprintf("CREATE TABLE %s (%s)%s", e.quote(table), strings.Join(list, ", "), tail)
}

func (t types) createSplit(e engine, table, position, tail string) string {
	fixed := func(c column) bool { return c.name == "raw_id" || c.name == "fetched_at" }
	return t.create(e, table, position, splitColumns(), fixed, tail)
}

func (t types) createClean(e engine, table string, columns []string, position, tail string) string {
	return t.create(e, table, position, cleanColumns(columns), func(column) bool { return true }, tail)
}

func (t types) createMade(e engine, table, tail string) string {
	return fmt.Sprintf("CREATE TABLE %s (dag_run_id %s NOT NULL PRIMARY KEY, row_count %s NOT NULL, statuses %s NOT NULL)%s",
		e.quote(table), t.key, t.integer, t.text, tail)
}

func (t types) createCleanColumns(e engine, table, tail string) string {
	return fmt.Sprintf("CREATE TABLE %s (table_name %s NOT NULL, ordinal %s NOT NULL, column_name %s NOT NULL, feature %s NOT NULL, "+
		"PRIMARY KEY (table_name, ordinal))%s", e.quote(table), t.key, t.integer, t.text, t.text, tail)
}

// likePattern escapes a prefix for LIKE … ESCAPE '!'.
func likePattern(prefix string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(prefix) + "%"
}

// names runs a query for names with one parameter.
func (d *database) names(ctx context.Context, query, arg string) ([]string, error) {
	var out []string
	err := d.db.WithContext(ctx).Raw(query, arg).Scan(&out).Error
	return out, err
}
