// Package features turns raw listings into the numbers that the model sees, by the recipe `classic`: gaps in number columns are
// filled forward and then with 0, prev_sold_date becomes whole days up to the as-of instant, status becomes one column for each
// of its values but the first. Training and serving go through the same code.
package features

import (
	"math"
	"strings"

	"tasador/pkg/property"
)

// DaysSinceLastSale is the clean column that prev_sold_date becomes.
const DaysSinceLastSale = "days_since_last_sale"

// StatusPrefix begins the name of every clean column that a value of status becomes.
const StatusPrefix = property.Status + "_"

// Recipe names the recipe of this package, with its version.
const Recipe = "classic"

// Raw holds the values of a listing that the recipe reads. Numbers are NaN where missing.
type Raw struct {
	Status       property.Text
	Bed          float64
	Bath         float64
	AcreLot      float64
	HouseSize    float64
	Price        float64
	PrevSoldDate property.Text
}

// RawOf takes from a listing what the recipe reads.
func RawOf(l property.Listing) Raw {
	return Raw{
		Status: l.Status, Bed: l.Bed, Bath: l.Bath, AcreLot: l.AcreLot, HouseSize: l.HouseSize, Price: l.Price,
		PrevSoldDate: l.PrevSoldDate,
	}
}

// Indexes of Coded.Numbers.
const (
	bed = iota
	bath
	acreLot
	houseSize
	price
	numbers
)

// NoStatus is the code of a missing status and of one that a cleaner does not know.
const NoStatus = -1

// Coded is a Raw whose texts are resolved: what is kept of a row when millions of them are held in memory.
type Coded struct {
	Numbers [numbers]float64 // bed, bath, acre_lot, house_size, price; NaN where missing
	Days    int              // see DaysSince
	Status  int              // index into the statuses of the cleaner (as StatusCode gives it), or NoStatus
}

// source says where a feature's value comes from.
type source int

const (
	fromNumber source = iota
	fromDays
	fromStatus
)

// slot computes one feature from a coded listing.
type slot struct {
	source source
	index  int    // of Coded.Numbers, or the code of the status
	status string // the value that a status column stands for
}

// slotOf returns how the feature of that name is computed; codeOf resolves a status.
func slotOf(name string, codeOf func(status string) int) (slot, bool) {
	switch name {
	case property.Bed:
		return slot{source: fromNumber, index: bed}, true
	case property.Bath:
		return slot{source: fromNumber, index: bath}, true
	case property.AcreLot:
		return slot{source: fromNumber, index: acreLot}, true
	case property.HouseSize:
		return slot{source: fromNumber, index: houseSize}, true
	case property.Price:
		return slot{source: fromNumber, index: price}, true
	case DaysSinceLastSale:
		return slot{source: fromDays}, true
	}
	status, ok := strings.CutPrefix(name, StatusPrefix)
	if !ok {
		return slot{}, false
	}
	return slot{source: fromStatus, index: codeOf(status), status: status}, true
}

// value is the one place where a feature gets its number.
func (s slot) value(c *Coded) float64 {
	switch s.source {
	case fromNumber:
		if v := c.Numbers[s.index]; !math.IsNaN(v) {
			return v
		}
		return 0
	case fromDays:
		return float64(c.Days)
	default:
		if c.Status == s.index {
			return 1
		}
		return 0
	}
}
