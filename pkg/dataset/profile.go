package dataset

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"tasador/pkg/features"
	"tasador/pkg/property"
)

// Statuses lists the values of status that the gate lets through, compared by bytes.
func Statuses() []string { return []string{"for_sale", "ready_to_build", "to_build", "sold"} }

// The limits of the gate.
const (
	maxRooms    = 10   // bed and bath are whole and at most this
	maxAcreLot  = 1000 // acres
	requiredLen = 7    // len(property.Required())
)

// defects says what is wrong with one row: one bit for each required column, in the order of property.Required.
type defects struct{ null, bad uint8 }

// Profile accumulates what the gate must know of one batch. It counts rows by their combination of defects, so that its size
// does not grow with the rows and the gate can excuse columns afterwards. The zero value is an empty batch.
type Profile struct {
	rows    int
	present uint8 // required columns that some row has
	seen    map[defects]int
}

// Add counts one row. wrongTyped names the columns whose value had the wrong type: it is NULL in the listing, yet counts as out
// of range, because something inadmissible was there. A column with a value counts as present (see AddColumns for the others).
func (p *Profile) Add(l property.Listing, wrongTyped ...string) {
	var d defects
	for i, c := range checks {
		bit := uint8(1) << i
		switch c(&l) {
		case isNull:
			d.null |= bit
		case isBad:
			d.bad |= bit
		case isFine:
		}
	}
	for _, name := range wrongTyped {
		if i := slices.Index(property.Required(), name); i >= 0 {
			d.null &^= 1 << i
			d.bad |= 1 << i
		}
	}
	p.present |= ^d.null & (1<<requiredLen - 1)
	if p.seen == nil {
		p.seen = make(map[defects]int)
	}
	p.seen[d]++
	p.rows++
}

// AddColumns records that the batch has these columns, also if all their values are null. Others than the required ones do not matter.
func (p *Profile) AddColumns(names ...string) {
	for i, name := range property.Required() {
		if slices.Contains(names, name) {
			p.present |= 1 << i
		}
	}
}

// Rows is the number of rows added.
func (p *Profile) Rows() int { return p.rows }

type finding int

const (
	isFine finding = iota
	isNull
	isBad
)

// checks judges the required columns, in the order of property.Required.
var checks = [requiredLen]func(l *property.Listing) finding{
	func(l *property.Listing) finding {
		return judgeText(l.Status, func(s string) bool { return slices.Contains(Statuses(), s) })
	},
	func(l *property.Listing) finding { return judgeNumber(l.Bed, isRoomCount(l.Bed)) },
	func(l *property.Listing) finding { return judgeNumber(l.Bath, isRoomCount(l.Bath)) },
	func(l *property.Listing) finding {
		return judgeNumber(l.AcreLot, l.AcreLot > 0 && l.AcreLot <= maxAcreLot)
	},
	func(l *property.Listing) finding { return judgeNumber(l.HouseSize, isPositive(l.HouseSize)) },
	func(l *property.Listing) finding {
		return judgeText(l.PrevSoldDate, func(s string) bool { _, ok := features.ParseSoldAt(s); return ok })
	},
	func(l *property.Listing) finding { return judgeNumber(l.Price, isPositive(l.Price)) },
}

func isRoomCount(v float64) bool { return v >= 0 && v <= maxRooms && v == math.Trunc(v) }

func isPositive(v float64) bool { return v > 0 && !math.IsInf(v, 1) }

func judgeNumber(v float64, fine bool) finding {
	switch {
	case property.IsNull(v):
		return isNull
	case fine:
		return isFine
	}
	return isBad
}

func judgeText(t property.Text, fine func(string) bool) finding {
	switch {
	case !t.Valid:
		return isNull
	case fine(t.Value):
		return isFine
	}
	return isBad
}

// profileJSON is the stored form of a Profile: names instead of bits, so that it outlives a change of their order.
type profileJSON struct {
	Rows    int           `json:"rows"`
	Columns []string      `json:"columns"`
	Defects []defectsJSON `json:"defects"`
}

type defectsJSON struct {
	Null []string `json:"null,omitempty"`
	Bad  []string `json:"out_of_range,omitempty"`
	Rows int      `json:"rows"`
}

// MarshalJSON writes the profile so that it can be kept with its batch; rows without defects are what is left of rows.
func (p *Profile) MarshalJSON() ([]byte, error) {
	out := profileJSON{Rows: p.rows, Columns: columnNames(p.present), Defects: []defectsJSON{}}
	for d, n := range p.seen {
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

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *Profile) UnmarshalJSON(data []byte) error {
	var in profileJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("read the profile of a batch: %w", err)
	}
	*p = Profile{rows: in.Rows, present: columnBits(in.Columns), seen: make(map[defects]int)}
	for _, d := range in.Defects {
		p.seen[defects{null: columnBits(d.Null), bad: columnBits(d.Bad)}] += d.Rows
	}
	return nil
}

func columnNames(mask uint8) []string {
	out := []string{}
	for i, name := range property.Required() {
		if mask&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

func columnBits(columns []string) uint8 {
	var mask uint8
	for i, name := range property.Required() {
		if slices.Contains(columns, name) {
			mask |= 1 << i
		}
	}
	return mask
}
