package features

import (
	"math"
	"slices"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/property"
)

// MaxStatusColumns is how many status columns a clean table may have.
const MaxStatusColumns = 100

// Cleaner cleans the rows of one split in shuffled order. It carries the last value seen of every number column, so each split
// needs its own, and one that is not used twice. It is not safe for concurrent use.
type Cleaner struct {
	clock   Clock
	columns []string
	slots   []slot
	codes   map[string]int32
	last    Numbers
}

// NewCleaner returns a cleaner for one split. rawColumns are the raw columns present, in raw order (unknown ones are ignored);
// statuses are the values of status in that split, in any order. It fails if a column that the recipe needs is missing or if
// there are more than MaxStatusColumns status columns.
func NewCleaner(rawColumns, statuses []string, asOf time.Time) (*Cleaner, error) {
	if err := CheckColumns(rawColumns); err != nil {
		return nil, err
	}
	c := &Cleaner{clock: NewClock(asOf), codes: make(map[string]int32, len(statuses))}
	for i, status := range statuses {
		c.codes[status] = int32(i) // #nosec G115 -- a table has far fewer values
	}
	if n := len(c.codes) - 1; n > MaxStatusColumns {
		return nil, apperror.New(apperror.Invalid,
			"status has %d values, which would make %d columns: at most %d can be trained on; check that the column holds statuses",
			n+1, n, MaxStatusColumns)
	}
	c.columns = cleanColumns(rawColumns, statuses)
	for _, name := range c.columns {
		s, _ := slotOf(name, c.StatusCode)
		c.slots = append(c.slots, s)
	}
	for i := range c.last {
		c.last[i] = math.NaN()
	}
	return c, nil
}

// CheckColumns refuses raw columns that lack one that the recipe needs, naming all that are missing.
func CheckColumns(rawColumns []string) error {
	var missing []string
	for _, name := range property.Required() {
		if !slices.Contains(rawColumns, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return apperror.New(apperror.Invalid, "the rows lack what training needs; add the missing columns: %s", strings.Join(missing, ", "))
}

// cleanColumns orders the clean columns: the raw number columns in raw order, the days, the statuses but the first by code
// point, price last.
func cleanColumns(rawColumns, statuses []string) []string {
	var columns []string
	for _, name := range rawColumns {
		switch name {
		case property.Bed, property.Bath, property.AcreLot, property.HouseSize:
			if !slices.Contains(columns, name) {
				columns = append(columns, name)
			}
		}
	}
	columns = append(columns, DaysSinceLastSale)
	sorted := slices.Compact(slices.Sorted(slices.Values(statuses)))
	for _, status := range sorted[min(1, len(sorted)):] {
		columns = append(columns, StatusPrefix+status)
	}
	return append(columns, property.Price)
}

// Columns returns the names of the clean columns, price last. The slice must not be changed.
func (c *Cleaner) Columns() []string { return c.columns }

// StatusCode returns the code by which Coded rows name a status, or NoStatus for a value that was not given to NewCleaner: the
// index of the value in that slice (the last one, if it was given twice).
func (c *Cleaner) StatusCode(status string) int32 {
	if code, ok := c.codes[status]; ok {
		return code
	}
	return NoStatus
}

// Clean appends the clean values of the next row to dst, in the order of Columns, and returns the extended slice.
func (c *Cleaner) Clean(r Raw, dst []float64) []float64 {
	coded := Coded{Numbers: numbersOf(&r), Days: daysOf(r.PrevSoldDate, c.clock), Status: NoStatus}
	if r.Status.Valid {
		coded.Status = c.StatusCode(r.Status.Value)
	}
	return c.CleanCoded(&coded, dst)
}

// CleanCoded is Clean for a row whose texts are resolved. It fills r's gaps in place.
func (c *Cleaner) CleanCoded(r *Coded, dst []float64) []float64 {
	for i, v := range r.Numbers {
		if math.IsNaN(v) {
			r.Numbers[i] = c.last[i]
		} else {
			c.last[i] = v
		}
	}
	for _, s := range c.slots {
		dst = append(dst, s.value(r))
	}
	return dst
}

func numbersOf(r *Raw) Numbers {
	return Numbers{Bed: r.Bed, Bath: r.Bath, AcreLot: r.AcreLot, HouseSize: r.HouseSize, Price: r.Price}
}
