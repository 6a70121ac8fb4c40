package datasetstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"unicode/utf8"

	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
)

// chunk holds rows of one table in the form that an engine loads fastest. The values of a row are added in the order of the columns, then
// end ends the row.
type chunk interface {
	integer(v int64)
	number(v float64)
	text(t property.Text)
	end()
	// len is the number of rows, full reports whether it is time to insert them.
	len() int
	full() bool
	insert(ctx context.Context, tx sqlstore.Tx) error
	reset()
}

// storable makes a text one that every database takes: PostgreSQL refuses NUL, the servers refuse what is not UTF-8. Both become U+FFFD,
// everywhere, so that the same rows give the same result on every database.
func storable(s string) string {
	if strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// statementChunk holds rows as the parameters of prepared INSERT statements of many rows each.
type statementChunk struct {
	args         []any
	width, rows  int
	perStatement int
	most         int    // rows
	insertInto   string // up to VALUES
}

// newStatementChunk makes a chunk of most rows, for a database whose statements have at most maxParams parameters and gain nothing from
// more than maxRows rows.
func newStatementChunk(e engine, table string, columns []column, most, maxRows, maxParams int) *statementChunk {
	return &statementChunk{
		width: len(columns), most: most, perStatement: max(1, min(maxRows, maxParams/len(columns))),
		insertInto: fmt.Sprintf("INSERT INTO %s (%s) VALUES ", e.quote(table), quoteAll(e, columns)),
	}
}

func (c *statementChunk) integer(v int64) { c.args = append(c.args, v) }

func (c *statementChunk) number(v float64) {
	if property.IsNull(v) {
		c.args = append(c.args, nil)
		return
	}
	c.args = append(c.args, v)
}

func (c *statementChunk) text(t property.Text) {
	if !t.Valid {
		c.args = append(c.args, nil)
		return
	}
	c.args = append(c.args, storable(t.Value))
}

func (c *statementChunk) end()       { c.rows++ }
func (c *statementChunk) len() int   { return c.rows }
func (c *statementChunk) full() bool { return c.rows >= c.most }
func (c *statementChunk) reset()     { c.args, c.rows = c.args[:0], 0 }

func (c *statementChunk) insert(ctx context.Context, tx sqlstore.Tx) error {
	conn, args := tx.Statement.ConnPool, c.args
	whole := c.perStatement * c.width
	var prepared *sql.Stmt
	if len(args) >= whole {
		stmt, err := conn.PrepareContext(ctx, c.statement(c.perStatement))
		if err != nil {
			return fmt.Errorf("prepare an insert: %w", err)
		}
		defer func() { _ = stmt.Close() }() // the transaction decides whether the rows are in
		prepared = stmt
	}
	for ; len(args) >= whole; args = args[whole:] {
		if _, err := prepared.ExecContext(ctx, args[:whole]...); err != nil {
			return fmt.Errorf("insert rows: %w", err)
		}
	}
	if len(args) > 0 {
		if _, err := conn.ExecContext(ctx, c.statement(len(args)/c.width), args...); err != nil {
			return fmt.Errorf("insert rows: %w", err)
		}
	}
	return nil
}

func (c *statementChunk) statement(rows int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", c.width), ", ") + ")"
	return c.insertInto + strings.TrimSuffix(strings.Repeat(row+", ", rows), ", ")
}
