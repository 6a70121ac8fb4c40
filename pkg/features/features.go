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

// Indexes of Numbers.
const (
	Bed = iota
	Bath
	AcreLot
	HouseSize
	Price
	numberCount
)

// Numbers holds the number columns of a row, NaN where missing.
type Numbers [numberCount]float64

// NoStatus is the code of a missing status and of one that a cleaner does not know.
const NoStatus = -1

// Coded is a Raw whose texts are resolved: 48 bytes, all that is kept of a row when millions of them are held in memory.
type Coded struct {
	Numbers Numbers
	Days    int32 // see Clock.Since
	Status  int32 // as Cleaner.StatusCode gives it
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
	index  int32 // of Numbers, or the code of the status
}

// slotOf returns how the feature of that name is computed; codeOf resolves a status.
func slotOf(name string, codeOf func(status string) int32) (slot, bool) {
	switch name {
	case property.Bed:
		return slot{source: fromNumber, index: Bed}, true
	case property.Bath:
		return slot{source: fromNumber, index: Bath}, true
	case property.AcreLot:
		return slot{source: fromNumber, index: AcreLot}, true
	case property.HouseSize:
		return slot{source: fromNumber, index: HouseSize}, true
	case property.Price:
		return slot{source: fromNumber, index: Price}, true
	case DaysSinceLastSale:
		return slot{source: fromDays}, true
	}
	status, ok := strings.CutPrefix(name, StatusPrefix)
	if !ok {
		return slot{}, false
	}
	return slot{source: fromStatus, index: codeOf(status)}, true
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
