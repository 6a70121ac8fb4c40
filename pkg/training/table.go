package training

import (
	"context"
	"time"

	"tasador/pkg/dataset"
	"tasador/pkg/features"
)

// segmentRows is how many rows one piece of a Table holds: a table grows without ever being copied.
const (
	segmentBits = 16
	segmentRows = 1 << segmentBits
)

// Table keeps raw rows in memory for training, 48 bytes each. A row's values stand together, because rows are read in shuffled order:
// one place in memory to fetch for each, not seven.
type Table struct {
	columns  []string
	asOf     time.Time
	statuses []string
	codes    map[string]int32
	segments [][]features.Coded
	rows     int
}

// NewTable returns an empty table. columns are the raw columns that the rows come with, in raw order.
func NewTable(columns []string, asOf time.Time) *Table {
	return &Table{columns: columns, asOf: asOf, codes: make(map[string]int32)}
}

// Len returns the number of rows.
func (t *Table) Len() int { return t.rows }

// Chunk takes rows aside for a Table. Several can be filled at the same time, each by one goroutine.
type Chunk struct {
	clock    features.Clock
	rows     []features.Coded
	statuses []string
	codes    map[string]int32
}

// NewChunk returns an empty chunk for rows of t.
func (t *Table) NewChunk() *Chunk {
	return &Chunk{clock: features.NewClock(t.asOf), codes: make(map[string]int32)}
}

// AddRow adds a row. status and date are nil where missing, and not kept.
func (c *Chunk) AddRow(numbers features.Numbers, status, date []byte) {
	row := features.Coded{Numbers: numbers, Days: features.NoDays, Status: features.NoStatus}
	if date != nil {
		row.Days = c.clock.SinceBytes(date)
	}
	if status != nil {
		code, ok := c.codes[string(status)]
		if !ok {
			code = addStatus(string(status), &c.statuses, c.codes)
		}
		row.Status = code
	}
	c.rows = append(c.rows, row)
}

func addStatus(status string, statuses *[]string, codes map[string]int32) int32 {
	code := int32(len(*statuses)) // #nosec G115 -- no more of them than rows
	*statuses = append(*statuses, status)
	codes[status] = code
	return code
}

// Reset empties the chunk for its next use.
func (c *Chunk) Reset() {
	c.rows = c.rows[:0]
	c.statuses = c.statuses[:0]
	clear(c.codes)
}

// Append adds the rows of a chunk behind those that the table has.
func (t *Table) Append(c *Chunk) {
	codeOf := make([]int32, len(c.statuses))
	for i, status := range c.statuses {
		code, ok := t.codes[status]
		if !ok {
			code = addStatus(status, &t.statuses, t.codes)
		}
		codeOf[i] = code
	}
	for rows := c.rows; len(rows) > 0; {
		if t.rows%segmentRows == 0 {
			t.segments = append(t.segments, make([]features.Coded, segmentRows))
		}
		n := copy(t.segments[len(t.segments)-1][t.rows%segmentRows:], rows)
		for i, row := range rows[:n] {
			if row.Status != features.NoStatus {
				t.segments[len(t.segments)-1][t.rows%segmentRows+i].Status = codeOf[row.Status]
			}
		}
		t.rows += n
		rows = rows[n:]
	}
}

// at returns the row at a raw position.
func (t *Table) at(position uint32) *features.Coded {
	return &t.segments[position>>segmentBits][position%segmentRows]
}

// Split returns the parts that the shuffled order cuts the table into, as dataset.Positions gives it for Len rows. They may be walked
// at the same time. It fails where a part would be empty, or cannot be cleaned.
func (t *Table) Split(positions []uint32) (TableParts, error) {
	if err := Check(t.rows); err != nil {
		return TableParts{}, err
	}
	part := func(split dataset.SplitName) *TablePart {
		from, to := dataset.Range(split, t.rows)
		return &TablePart{table: t, positions: positions[from:to]}
	}
	parts := TableParts{part(dataset.Train), part(dataset.Validation), part(dataset.Test)}
	for _, p := range []*TablePart{parts.Train, parts.Validation, parts.Test} {
		if err := p.prepare(); err != nil {
			return TableParts{}, err
		}
	}
	return parts, nil
}

// TableParts holds the three splits of a Table.
type TableParts struct{ Train, Validation, Test *TablePart }

// Parts returns them as Run takes them.
func (p TableParts) Parts() Parts {
	return Parts{Train: p.Train, Validation: p.Validation, Test: p.Test}
}

// TablePart is the Part of one split of a Table.
type TablePart struct {
	table     *Table
	positions []uint32
	statuses  []string
	codeOf    []int32 // from the table's code of a status to its place in statuses
	columns   []string
	sums      []sum
}

// prepare finds the statuses of the split and its clean columns.
func (p *TablePart) prepare() error {
	seen := make([]bool, len(p.table.statuses))
	missing := len(seen)
	for _, position := range p.positions {
		code := p.table.at(position).Status
		if code == features.NoStatus || seen[code] {
			continue
		}
		seen[code] = true
		if missing--; missing == 0 {
			break
		}
	}
	p.codeOf = make([]int32, len(seen))
	for code, status := range p.table.statuses {
		p.codeOf[code] = features.NoStatus
		if seen[code] {
			p.codeOf[code] = int32(len(p.statuses)) // #nosec G115 -- as in addStatus
			p.statuses = append(p.statuses, status)
		}
	}
	cleaner, err := p.cleaner()
	if err != nil {
		return err
	}
	p.columns = cleaner.Columns()
	return nil
}

func (p *TablePart) cleaner() (*features.Cleaner, error) {
	return features.NewCleaner(p.table.columns, p.statuses, p.table.asOf)
}

// Len returns the number of rows.
func (p *TablePart) Len() int { return len(p.positions) }

// Positions returns the raw positions of the rows in shuffled order. The slice must not be changed.
func (p *TablePart) Positions() []uint32 { return p.positions }

// CleanColumns returns the names of the clean columns in their order, price last.
func (p *TablePart) CleanColumns() []string { return p.columns }

// Columns implements Part.
func (p *TablePart) Columns() []string { return p.columns[:len(p.columns)-1] }

// ColumnSums returns the sums of the clean columns, in the order of CleanColumns, once Each went over all rows.
func (p *TablePart) ColumnSums() []float64 {
	sums := make([]float64, len(p.sums))
	for i, s := range p.sums {
		sums[i] = s.value()
	}
	return sums
}

// gatherRows is how many rows Each fetches at once: the processor then waits for many of them together.
const gatherRows = 128

// Each implements Part.
func (p *TablePart) Each(ctx context.Context, fn func(x []float64, price float64) error) error {
	cleaner, err := p.cleaner()
	if err != nil {
		return err
	}
	p.sums = make([]sum, len(p.columns))
	last := len(p.columns) - 1
	values := make([]float64, 0, len(p.columns))
	gathered := make([]features.Coded, gatherRows)
	for positions := p.positions; len(positions) > 0; {
		n := min(gatherRows, len(positions))
		for i, position := range positions[:n] {
			gathered[i] = *p.table.at(position)
		}
		positions = positions[n:]
		for i := range gathered[:n] {
			row := &gathered[i]
			if row.Status != features.NoStatus {
				row.Status = p.codeOf[row.Status]
			}
			values = cleaner.CleanCoded(row, values[:0])
			for j, v := range values {
				p.sums[j].add(v)
			}
			if err := fn(values[:last], values[last]); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
