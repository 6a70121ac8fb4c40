package datasetstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"gorm.io/gorm"
)

// bulkRows is how many rows one INSERT takes; more do not make it faster.
const bulkRows = 64

// bulk inserts many rows into one table through prepared statements of many rows each.
type bulk struct {
	ctx    context.Context //nolint:containedctx // a bulk lives for one transaction
	conn   gorm.ConnPool
	insert string // up to VALUES
	width  int
	rows   int // of one statement
	args   []any
	full   *sql.Stmt
}

// newBulk prepares inserts of the columns, which need not be quoted. Call flush at the end, then close.
func newBulk(ctx context.Context, conn gorm.ConnPool, d dialect, table string, columns []string) *bulk {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = d.quote(c)
	}
	return &bulk{
		ctx: ctx, conn: conn, width: len(columns), rows: max(1, min(bulkRows, d.maxParams()/len(columns))),
		insert: fmt.Sprintf("INSERT INTO %s (%s) VALUES ", d.quote(table), strings.Join(quoted, ", ")),
	}
}

// next returns where the values of the next row are appended; give the result to added.
func (b *bulk) next() []any { return b.args }

// added takes the extended slice and sends the rows when there are enough.
func (b *bulk) added(args []any) error {
	b.args = args
	if len(b.args) < b.rows*b.width {
		return nil
	}
	if b.full == nil {
		stmt, err := b.conn.PrepareContext(b.ctx, b.statement(b.rows))
		if err != nil {
			return fmt.Errorf("prepare an insert: %w", err)
		}
		b.full = stmt
	}
	_, err := b.full.ExecContext(b.ctx, b.args...)
	b.args = b.args[:0]
	if err != nil {
		return fmt.Errorf("insert rows: %w", err)
	}
	return nil
}

func (b *bulk) statement(rows int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", b.width), ", ") + ")"
	return b.insert + strings.TrimSuffix(strings.Repeat(row+", ", rows), ", ")
}

// flush sends the rows that are left.
func (b *bulk) flush() error {
	if len(b.args) == 0 {
		return nil
	}
	_, err := b.conn.ExecContext(b.ctx, b.statement(len(b.args)/b.width), b.args...)
	b.args = b.args[:0]
	if err != nil {
		return fmt.Errorf("insert rows: %w", err)
	}
	return nil
}

func (b *bulk) close() {
	if b.full != nil {
		_ = b.full.Close() // the transaction decides whether the rows are in
	}
}
