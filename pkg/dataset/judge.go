package dataset

import (
	"math"
	"slices"
	"time"

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

// allRequired has the bit of every required column.
const allRequired = uint8(1<<requiredLen - 1)

// The bits of the required columns, in the order of property.Required.
const (
	bitStatus uint8 = 1 << iota
	bitBed
	bitBath
	bitAcreLot
	bitHouseSize
	bitPrevSoldDate
	bitPrice
)

// defects says what is wrong with one row: one bit for each required column. A column is in null or in bad, never in both.
type defects struct{ null, bad uint8 }

// judge checks the required columns of a row. soldAt is the zero time unless the date parses.
func judge(l *property.Listing) (d defects, soldAt time.Time) {
	d.number(bitBed, l.Bed, isRoomCount(l.Bed))
	d.number(bitBath, l.Bath, isRoomCount(l.Bath))
	d.number(bitAcreLot, l.AcreLot, l.AcreLot > 0 && l.AcreLot <= maxAcreLot)
	d.number(bitHouseSize, l.HouseSize, isPositive(l.HouseSize))
	d.number(bitPrice, l.Price, isPositive(l.Price))
	switch {
	case !l.Status.Valid:
		d.null |= bitStatus
	case !isStatus(l.Status.Value):
		d.bad |= bitStatus
	}
	if !l.PrevSoldDate.Valid {
		d.null |= bitPrevSoldDate
		return d, time.Time{}
	}
	soldAt, parsed := features.ParseSoldAt(l.PrevSoldDate.Value)
	if !parsed {
		d.bad |= bitPrevSoldDate
	}
	return d, soldAt
}

func (d *defects) number(bit uint8, v float64, fine bool) {
	switch {
	case property.IsNull(v):
		d.null |= bit
	case !fine:
		d.bad |= bit
	}
}

// isStatus is whether Statuses has s; it is asked for every row.
func isStatus(s string) bool {
	switch s {
	case "for_sale", "ready_to_build", "to_build", "sold":
		return true
	}
	return false
}

func isRoomCount(v float64) bool { return v >= 0 && v <= maxRooms && v == math.Trunc(v) }

func isPositive(v float64) bool { return v > 0 && !math.IsInf(v, 1) }

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
