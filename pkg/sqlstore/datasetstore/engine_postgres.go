package datasetstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/stdlib"

	"tasador/pkg/sqlstore"
)

// postgresEngine keeps listings in PostgreSQL: COPY in both directions, everything in transactions.
type postgresEngine struct{}

func (postgresEngine) types() types {
	return types{integer: "BIGINT", number: "DOUBLE PRECISION", text: `TEXT COLLATE "C"`, key: `TEXT COLLATE "C"`}
}

func (postgresEngine) quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func (e postgresEngine) createSplit(table string) string {
	return e.types().createSplit(e, table, "BIGINT NOT NULL", "")
}

func (e postgresEngine) createClean(table string, columns []string) string {
	return e.types().createClean(e, table, columns, "BIGINT NOT NULL", "")
}

func (e postgresEngine) createMade(table string) string { return e.types().createMade(e, table, "") }

func (e postgresEngine) createCleanColumns(table string) string {
	return e.types().createCleanColumns(e, table, "")
}

func (e postgresEngine) newChunk(table string, columns []column) chunk {
	return newCopyChunk(e, table, columns)
}

// finish makes the key after the rows are in, which is faster than with every row, and lets the planner know that they lie in its order.
func (e postgresEngine) finish(table string) []string {
	return []string{"ALTER TABLE " + e.quote(table) + " ADD PRIMARY KEY (position)", "ANALYZE " + e.quote(table) + " (position)"}
}

func (e postgresEngine) swap(ctx context.Context, _ *database, tx sqlstore.Tx, pairs []swapped) error {
	return exec(ctx, tx.Statement.ConnPool, dropAndRename(e, pairs)...)
}

func (e postgresEngine) empty(ctx context.Context, _ *database, tx sqlstore.Tx, tables []string) error {
	quoted := make([]string, len(tables))
	for i, table := range tables {
		quoted[i] = e.quote(table)
	}
	return exec(ctx, tx.Statement.ConnPool, "TRUNCATE TABLE "+strings.Join(quoted, ", "))
}

func (postgresEngine) tablesLike(ctx context.Context, d *database, prefix string) ([]string, error) {
	return d.names(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_name LIKE ? ESCAPE '!'",
		likePattern(prefix))
}

func (postgresEngine) stream(ctx context.Context, d *database, query string, kinds []kind, each func(*values) error) error {
	pool, err := sqlstore.Pool(d.db)
	if err != nil {
		return err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", d.label, sqlstore.Explain(d.db, err))
	}
	defer func() { _ = conn.Close() }() // it only goes back to the pool
	reader := newCopyReader(kinds, each)
	err = conn.Raw(func(driverConn any) error {
		pg, ok := driverConn.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the connection is a %T", driverConn)
		}
		_, err := pg.Conn().PgConn().CopyTo(ctx, reader, "COPY ("+query+") TO STDOUT (FORMAT binary)")
		return err
	})
	if reader.err != nil {
		return reader.err // why the copy was broken off
	}
	if err != nil {
		return fmt.Errorf("%s: read rows: %w", d.label, sqlstore.Explain(d.db, err))
	}
	return nil
}
