package datasetstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5/stdlib"

	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
)

// The binary format of COPY: a header, rows, and a trailer; see "COPY, Binary Format" in PostgreSQL's documentation.
const (
	copyHeader  = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" // signature, flags, length of the extension
	copyTrailer = "\xff\xff"
)

// copyChunk holds rows in the binary format of COPY.
type copyChunk struct {
	b         []byte
	width     uint16
	rows      int
	atStart   bool // of a row
	statement string
}

func newCopyChunk(e engine, table string, columns []column) *copyChunk {
	c := &copyChunk{
		width:     uint16(len(columns)), // #nosec G115 -- a table has far fewer columns
		statement: fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary)", e.quote(table), quoteAll(e, columns)),
	}
	c.reset()
	return c
}

// field begins a value of n bytes.
func (c *copyChunk) field(n int) {
	if c.atStart {
		c.b = binary.BigEndian.AppendUint16(c.b, c.width)
		c.atStart = false
	}
	c.b = binary.BigEndian.AppendUint32(c.b, uint32(n)) // #nosec G115 -- -1 for NULL is meant to wrap; values are far shorter than 2 GiB
}

func (c *copyChunk) integer(v int64) {
	c.field(8)
	c.b = binary.BigEndian.AppendUint64(c.b, uint64(v)) // #nosec G115 -- the two's complement is what is sent
}

func (c *copyChunk) number(v float64) {
	if property.IsNull(v) {
		c.field(-1)
		return
	}
	c.field(8)
	c.b = binary.BigEndian.AppendUint64(c.b, math.Float64bits(v))
}

func (c *copyChunk) text(t property.Text) {
	if !t.Valid {
		c.field(-1)
		return
	}
	s := storable(t.Value)
	c.field(len(s))
	c.b = append(c.b, s...)
}

func (c *copyChunk) end() {
	c.rows++
	c.atStart = true
}

func (c *copyChunk) len() int   { return c.rows }
func (c *copyChunk) full() bool { return len(c.b) >= chunkBytes }

func (c *copyChunk) reset() {
	c.b = append(c.b[:0], copyHeader...)
	c.rows, c.atStart = 0, true
}

func (c *copyChunk) insert(ctx context.Context, tx sqlstore.Tx) error {
	c.b = append(c.b, copyTrailer...)
	return tx.Conn.Raw(func(driverConn any) error {
		conn, ok := driverConn.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the connection is a %T", driverConn)
		}
		if _, err := conn.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(c.b), c.statement); err != nil {
			return fmt.Errorf("copy rows: %w", err)
		}
		return nil
	})
}
