package dataset

import (
	"encoding/json"
	"fmt"
	"slices"

	"tasador/pkg/property"
)

// Profile is what is known of the rows of a batch or a split; a Profiler makes it. It holds the counts that the gate judges and
// the statistics that people look at. Rows are counted by their combination of defects, so that the gate can excuse columns afterwards.
// Its size does not grow with the rows. The zero value is an empty batch.
//
// As JSON it is kept with its batch and logged to tracking. Profiles that were stored before there were statistics are read, too; they
// have none.
type Profile struct {
	rows    int
	present uint8 // required columns that some row has
	defects map[defects]int

	Statistics []ColumnStatistics // in the order of property.Columns; empty for old profiles
	SeenBefore *SeenBefore        // nil if nobody looked
}

// ColumnStatistics describes one column. A value is null, of the wrong type or there; what is there is out of range if the gate says
// so. One of Numbers, Categories and Dates is set where the column has values of that kind to describe.
type ColumnStatistics struct {
	Column     string            `json:"column"`
	Nulls      int               `json:"nulls"`
	WrongType  int               `json:"wrong_type"`
	OutOfRange int               `json:"out_of_range"`
	Numbers    *NumberStatistics `json:"numbers,omitempty"`
	Categories *Categories       `json:"categories,omitempty"`
	Dates      *DateRange        `json:"dates,omitempty"`
}

// DateRange holds the first and the last day of dates that parse, as YYYY-MM-DD (UTC).
type DateRange struct {
	First string `json:"first"`
	Last  string `json:"last"`
}

// SeenBefore says how many rows equal a row that was collected earlier, in all twelve columns. A row that is new counts as seen with
// the probability FalsePositiveRate, which grows with the rows collected; one that was seen always counts.
type SeenBefore struct {
	Rows              int     `json:"rows"`
	ComparedWith      int     `json:"compared_with"` // rows collected earlier
	FalsePositiveRate float64 `json:"false_positive_rate"`
}

// Rows is the number of rows.
func (p *Profile) Rows() int { return p.rows }

// Of returns the statistics of a column, nil if there are none.
func (p *Profile) Of(column string) *ColumnStatistics {
	for i := range p.Statistics {
		if p.Statistics[i].Column == column {
			return &p.Statistics[i]
		}
	}
	return nil
}

// profileJSON is the stored form of a Profile: names instead of bits, so that it outlives a change of their order.
type profileJSON struct {
	Rows       int                `json:"rows"`
	Columns    []string           `json:"columns"`
	Defects    []defectsJSON      `json:"defects"`
	Statistics []ColumnStatistics `json:"statistics,omitempty"`
	SeenBefore *SeenBefore        `json:"seen_before,omitempty"`
}

type defectsJSON struct {
	Null []string `json:"null,omitempty"`
	Bad  []string `json:"out_of_range,omitempty"`
	Rows int      `json:"rows"`
}

// MarshalJSON writes the profile; rows without defects are what is left of rows.
func (p *Profile) MarshalJSON() ([]byte, error) {
	out := profileJSON{Rows: p.rows, Columns: columnNames(p.present), Defects: []defectsJSON{}, Statistics: p.Statistics, SeenBefore: p.SeenBefore}
	for d, n := range p.defects {
		if d != (defects{}) {
			out.Defects = append(out.Defects, defectsJSON{Null: columnNames(d.null), Bad: columnNames(d.bad), Rows: n})
		}
	}
	slices.SortFunc(out.Defects, func(a, b defectsJSON) int {
		if c := slices.Compare(a.Null, b.Null); c != 0 {
			return c
		}
		return slices.Compare(a.Bad, b.Bad)
	})
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote, now or in an earlier version.
func (p *Profile) UnmarshalJSON(data []byte) error {
	var in profileJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("read the profile of a batch: %w", err)
	}
	*p = Profile{
		rows: in.Rows, present: columnBits(in.Columns), defects: make(map[defects]int), Statistics: in.Statistics, SeenBefore: in.SeenBefore,
	}
	for _, d := range in.Defects {
		p.defects[defects{null: columnBits(d.Null), bad: columnBits(d.Bad)}] += d.Rows
	}
	return nil
}

// MissingColumns lists the required columns that no row has.
func (p *Profile) MissingColumns() []string { return columnNames(allRequired &^ p.present) }

// counts returns how many rows have each required column null, and how many out of range or of the wrong type.
func (p *Profile) counts(null, bad uint8) (nulls, bads [requiredLen]int) {
	for d, n := range p.defects {
		addCounts(&nulls, d.null&null, n)
		addCounts(&bads, d.bad&bad, n)
	}
	return nulls, bads
}

func addCounts(counts *[requiredLen]int, mask uint8, n int) {
	for i := range counts {
		if mask&(1<<i) != 0 {
			counts[i] += n
		}
	}
}

// requiredIndex is the place of a column in property.Required, -1 if it is not one.
func requiredIndex(column string) int { return slices.Index(property.Required(), column) }
