package datasetstore

import (
	"context"
	"fmt"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
)

// mysqlEngine keeps listings in MySQL or MariaDB. Statements that make, rename or empty tables commit by themselves there, so they run on a
// connection of their own while the transaction of the caller keeps others away.
type mysqlEngine struct {
	local bool // the server takes LOAD DATA LOCAL
}

// Without LOAD DATA, the driver writes the values of a statement into its text as long as the server's packets take it.
const (
	mysqlChunk     = 20_000
	mysqlRows      = 1000
	mysqlMaxParams = 65_535
)

// minPacket is the least max_allowed_packet of a server, in bytes: a layer of seen_rows goes in whole, and the driver may write each of its bytes as two.
const minPacket = 8 << 20

const (
	mysqlTail         = " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
	mysqlPositionType = "BIGINT NOT NULL PRIMARY KEY"
)

func newMySQLEngine(ctx context.Context, d *database) (engine, error) {
	var server struct {
		Local  bool
		Packet int
	}
	if err := d.db.WithContext(ctx).Raw("SELECT @@local_infile AS local, @@max_allowed_packet AS packet").Scan(&server).Error; err != nil {
		return nil, fmt.Errorf("%s: ask whether the server takes LOAD DATA LOCAL: %w", d.label, err)
	}
	if server.Packet < minPacket {
		return nil, apperror.New(apperror.FailedPrecondition,
			"the server of %s takes statements of at most %d bytes; set its max_allowed_packet to %d or more, such as 16M, its default", d.label, server.Packet, minPacket)
	}
	return mysqlEngine{local: server.Local}, nil
}

func (mysqlEngine) types() types {
	return types{integer: "BIGINT", number: "DOUBLE", text: "MEDIUMTEXT", key: "VARCHAR(250)"}
}

func (mysqlEngine) quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func (e mysqlEngine) createSplit(table string) string {
	return e.types().createSplit(e, table, mysqlPositionType, mysqlTail)
}

func (e mysqlEngine) createClean(table string, columns []string) string {
	return e.types().createClean(e, table, columns, mysqlPositionType, mysqlTail)
}

func (e mysqlEngine) createMade(table string) string {
	return e.types().createMade(e, table, mysqlTail)
}

func (e mysqlEngine) createCleanColumns(table string) string {
	return e.types().createCleanColumns(e, table, mysqlTail)
}

func (e mysqlEngine) newChunk(table string, columns []column) chunk {
	if e.local {
		return newLoadDataChunk(e, table, columns)
	}
	return newStatementChunk(e, table, columns, mysqlChunk, mysqlRows, mysqlMaxParams)
}

func (mysqlEngine) finish(string) []string { return nil }

// swap renames all tables in one statement, which is atomic for readers and, in InnoDB, for a crash.
func (e mysqlEngine) swap(ctx context.Context, d *database, _ sqlstore.Tx, pairs []swapped) error {
	var renames, old []string
	for _, p := range pairs {
		there, err := d.hasTable(ctx, p.table)
		if err != nil {
			return err
		}
		if there {
			before := p.table + asideMark + "old"
			old = append(old, "DROP TABLE IF EXISTS "+e.quote(before))
			renames = append(renames, e.quote(p.table)+" TO "+e.quote(before))
		}
		renames = append(renames, e.quote(p.next)+" TO "+e.quote(p.table))
	}
	statements := append(append([]string{}, old...), "RENAME TABLE "+strings.Join(renames, ", "))
	return d.exec(ctx, append(statements, old...)...)
}

func (e mysqlEngine) empty(ctx context.Context, d *database, _ sqlstore.Tx, tables []string) error {
	var statements []string
	for _, table := range tables {
		statements = append(statements, "TRUNCATE TABLE "+e.quote(table))
	}
	return d.exec(ctx, statements...)
}

func (mysqlEngine) tablesLike(ctx context.Context, d *database, prefix string) ([]string, error) {
	return d.names(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_name LIKE ? ESCAPE '!'",
		likePattern(prefix))
}

func (mysqlEngine) stream(ctx context.Context, d *database, query string, kinds []kind, each func(*values) error) error {
	return d.scan(ctx, query, kinds, each)
}
