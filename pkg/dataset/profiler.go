package dataset

import (
	"slices"
	"time"

	"tasador/pkg/property"
)

// Profiler makes the Profile of a batch or a split, one row at a time. Its memory does not grow with the rows, whatever they hold:
// it takes less than a megabyte. It is for one goroutine.
type Profiler struct {
	rows    int
	clean   int // without defects
	present uint8
	defects map[defects]int

	columns     [property.NumColumns]columnCounts
	numbers     [len(described)]numbers
	status      categories
	state       categories
	city        categories
	first, last time.Time // days of sale; zero without any

	earlier    *SeenFilter
	hashes     []uint64 // of rows that are not looked up yet
	seenBefore int
}

// columnCounts counts what is not a value. Nulls of required columns are in defects.
type columnCounts struct{ nulls, wrongType int }

// described are the columns whose values are described as numbers, in the order of Profiler.numbers. brokered_by and street are
// numbers that only name something.
var described = [...]struct {
	column string
	whole  bool // counts of rooms
}{{property.Price, false}, {property.Bed, true}, {property.Bath, true}, {property.AcreLot, false}, {property.HouseSize, false}}

// The places of the columns that are not required, in the order of property.Columns.
const (
	columnBrokeredBy = 0
	columnStreet     = 6
	columnCity       = 7
	columnState      = 8
	columnZipCode    = 9
)

// NewProfiler returns a profiler of no rows. Rows are compared with those that earlier holds; nil compares none.
func NewProfiler(earlier *SeenFilter) *Profiler {
	return &Profiler{defects: make(map[defects]int), earlier: earlier}
}

// Add counts one row. wrongTyped names the columns whose value had the wrong type: it is NULL in the listing, yet the gate counts
// it as out of range, because something inadmissible was there. A column with a value counts as present (see AddColumns for the others).
func (p *Profiler) Add(l *property.Listing, wrongTyped ...string) { p.add(l, columnsOf(wrongTyped)) }

// columnSet has a bit for each column, in the order of property.Columns.
type columnSet uint16

func columnsOf(names []string) columnSet {
	var set columnSet
	for _, name := range names {
		if i := slices.Index(property.Columns(), name); i >= 0 {
			set |= 1 << i
		}
	}
	return set
}

func (p *Profiler) add(l *property.Listing, wrong columnSet) {
	p.rows++
	d, soldAt := judge(l)
	if wrong != 0 {
		p.countWrongTypes(&d, wrong)
	}
	if d == (defects{}) {
		p.clean++
	} else {
		p.defects[d]++
	}
	p.present |= allRequired &^ d.null
	p.countNulls(l, wrong)
	p.describe(l, soldAt)
	if p.earlier == nil {
		return
	}
	p.hashes = append(p.hashes, RowHash(l))
	if len(p.hashes) == chunkRows {
		p.lookUp()
	}
}

// lookUp asks the filter about many rows at once, which waits less for memory than one after the other.
func (p *Profiler) lookUp() {
	p.seenBefore += p.earlier.countSeen(p.hashes)
	p.hashes = p.hashes[:0]
}

func (p *Profiler) countWrongTypes(d *defects, wrong columnSet) {
	for i, name := range property.Columns() {
		if wrong&(1<<i) == 0 {
			continue
		}
		p.columns[i].wrongType++
		if r := requiredIndex(name); r >= 0 {
			d.null &^= 1 << r
			d.bad |= 1 << r
		}
	}
}

func (p *Profiler) describe(l *property.Listing, soldAt time.Time) {
	p.numbers[0].add(l.Price)
	p.numbers[1].add(l.Bed)
	p.numbers[2].add(l.Bath)
	p.numbers[3].add(l.AcreLot)
	p.numbers[4].add(l.HouseSize)
	p.status.add(l.Status)
	p.state.add(l.State)
	p.city.add(l.City)
	if soldAt.IsZero() {
		return
	}
	if p.first.IsZero() || soldAt.Before(p.first) {
		p.first = soldAt
	}
	if p.last.IsZero() || soldAt.After(p.last) {
		p.last = soldAt
	}
}

// countNulls counts the nulls of the columns that are not required; a value of the wrong type is none.
func (p *Profiler) countNulls(l *property.Listing, wrong columnSet) {
	count := func(column int, null bool) {
		if null && wrong&(1<<column) == 0 {
			p.columns[column].nulls++
		}
	}
	count(columnBrokeredBy, property.IsNull(l.BrokeredBy))
	count(columnStreet, property.IsNull(l.Street))
	count(columnCity, !l.City.Valid)
	count(columnState, !l.State.Valid)
	count(columnZipCode, !l.ZipCode.Valid)
}

// AddColumns records that the batch has these columns, also if all their values are null. Others than the required ones do not matter.
func (p *Profiler) AddColumns(names ...string) { p.present |= columnBits(names) }

// Profile returns what is known of the rows so far.
func (p *Profiler) Profile() *Profile {
	out := &Profile{rows: p.rows, present: p.present, defects: make(map[defects]int, len(p.defects)+1)}
	for d, n := range p.defects {
		out.defects[d] = n
	}
	if p.clean > 0 {
		out.defects[defects{}] = p.clean
	}
	nulls, bads := out.counts(allRequired, allRequired)
	for i, name := range property.Columns() {
		c := ColumnStatistics{Column: name, Nulls: p.columns[i].nulls, WrongType: p.columns[i].wrongType}
		if r := requiredIndex(name); r >= 0 {
			c.Nulls, c.OutOfRange = nulls[r], bads[r]-c.WrongType
		}
		p.describeColumn(&c)
		out.Statistics = append(out.Statistics, c)
	}
	if p.earlier != nil {
		p.lookUp()
		out.SeenBefore = &SeenBefore{Rows: p.seenBefore, ComparedWith: p.earlier.Rows(), FalsePositiveRate: p.earlier.FalsePositiveRate()}
	}
	return out
}

func (p *Profiler) describeColumn(c *ColumnStatistics) {
	switch c.Column {
	case property.Status:
		c.Categories = p.status.statistics()
	case property.State:
		c.Categories = p.state.statistics()
	case property.City:
		c.Categories = p.city.statistics()
	case property.PrevSoldDate:
		if !p.first.IsZero() {
			c.Dates = &DateRange{First: p.first.Format(time.DateOnly), Last: p.last.Format(time.DateOnly)}
		}
	default:
		for i, d := range described {
			if d.column == c.Column {
				c.Numbers = p.numbers[i].statistics(d.whole)
			}
		}
	}
}
