package datasetstore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync/atomic"

	"github.com/go-sql-driver/mysql"

	"tasador/pkg/apperror"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
)

// chunkBytes is the size at which a chunk for a server is inserted.
const chunkBytes = 4 << 20

// loadDataChunk holds rows as LOAD DATA reads them: fields between tabs, \N for NULL, special characters behind a backslash.
type loadDataChunk struct {
	b         []byte
	rows      int
	statement string // with %s for the name of the reader
}

func newLoadDataChunk(e engine, table string, columns []column) *loadDataChunk {
	return &loadDataChunk{statement: "LOAD DATA LOCAL INFILE 'Reader::%s' INTO TABLE " + e.quote(table) +
		` CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' (` + quoteAll(e, columns) + ")"}
}

func (c *loadDataChunk) integer(v int64) { c.b = append(strconv.AppendInt(c.b, v, 10), '\t') }

func (c *loadDataChunk) number(v float64) {
	if property.IsNull(v) {
		c.b = append(c.b, `\N`+"\t"...)
		return
	}
	c.b = append(appendNumber(c.b, v), '\t')
}

func (c *loadDataChunk) text(t property.Text) {
	if !t.Valid {
		c.b = append(c.b, `\N`+"\t"...)
		return
	}
	s := storable(t.Value)
	from := 0 // of what is not written yet
	for i := range len(s) {
		var letter byte
		switch s[i] {
		case '\t':
			letter = 't'
		case '\n':
			letter = 'n'
		case '\\':
			letter = '\\'
		default:
			continue
		}
		c.b = append(append(c.b, s[from:i]...), '\\', letter)
		from = i + 1
	}
	c.b = append(append(c.b, s[from:]...), '\t')
}

// maxWhole is well below the whole numbers that a double does not hold exactly.
const maxWhole = 1e15

// appendNumber writes the shortest text that is read back as v. Most numbers of listings are whole, which is much less work.
func appendNumber(b []byte, v float64) []byte {
	if v != 0 && v > -maxWhole && v < maxWhole && v == math.Trunc(v) {
		return strconv.AppendInt(b, int64(v), 10)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

func (c *loadDataChunk) end() {
	c.b[len(c.b)-1] = '\n'
	c.rows++
}

func (c *loadDataChunk) len() int   { return c.rows }
func (c *loadDataChunk) full() bool { return len(c.b) >= chunkBytes }
func (c *loadDataChunk) reset()     { c.b, c.rows = c.b[:0], 0 }

// readers counts the names under which the driver finds what is to be loaded: they are of the whole process.
var readers atomic.Int64

func (c *loadDataChunk) insert(ctx context.Context, tx sqlstore.Tx) error {
	name := fmt.Sprintf("chunk%d", readers.Add(1))
	mysql.RegisterReaderHandler(name, func() io.Reader { return bytes.NewReader(c.b) })
	defer mysql.DeregisterReaderHandler(name)
	conn := tx.Statement.ConnPool
	result, err := conn.ExecContext(ctx, fmt.Sprintf(c.statement, name))
	if err != nil {
		return fmt.Errorf("load rows: %w", err)
	}
	loaded, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("count the loaded rows: %w", err)
	}
	// LOCAL turns errors into warnings: rows that do not fit would be bent or left out.
	var warnings int
	if err := conn.QueryRowContext(ctx, "SELECT @@warning_count").Scan(&warnings); err != nil {
		return fmt.Errorf("count the warnings: %w", err)
	}
	if int(loaded) != c.rows || warnings != 0 {
		return apperror.New(apperror.Invalid, "the database took %d of %d rows, with %d warnings; look for texts that are too long for their column",
			loaded, c.rows, warnings)
	}
	return nil
}
