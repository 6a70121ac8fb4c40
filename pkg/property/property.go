// Package property holds one real-estate listing as the source hands it out, and the names and rules of its columns.
package property

import (
	"fmt"
	"math"
)

// Column names of a raw listing.
const (
	BrokeredBy   = "brokered_by"
	Status       = "status"
	Price        = "price"
	Bed          = "bed"
	Bath         = "bath"
	AcreLot      = "acre_lot"
	Street       = "street"
	City         = "city"
	State        = "state"
	ZipCode      = "zip_code"
	HouseSize    = "house_size"
	PrevSoldDate = "prev_sold_date"
)

// Columns lists the columns of a raw listing in the order in which the source's array rows give them.
func Columns() []string {
	return []string{BrokeredBy, Status, Price, Bed, Bath, AcreLot, Street, City, State, ZipCode, HouseSize, PrevSoldDate}
}

// Required lists the columns without which nothing can be trained, in the order in which reasons name them.
func Required() []string {
	return []string{Status, Bed, Bath, AcreLot, HouseSize, PrevSoldDate, Price}
}

// Null is the missing number; test for it with IsNull.
func Null() float64 { return math.NaN() }

// IsNull reports whether a number is missing.
func IsNull(v float64) bool { return math.IsNaN(v) }

// Text is a text that may be missing.
type Text struct {
	Value string
	Valid bool
}

// NewText returns a text that is there, also if it is empty.
func NewText(s string) Text { return Text{Value: s, Valid: true} }

// ZipCodeOf turns the number 601.0 into the zip code 00601; a fraction, a negative or more than five digits is none.
func ZipCodeOf(v float64) (string, bool) {
	if v != math.Trunc(v) || v < 0 || v > 99999 {
		return "", false
	}
	return fmt.Sprintf("%05d", int(v)), true
}

// Listing is one property as the source hands it out. Numbers are NaN where missing (see Null): prices in dollars, acre_lot in
// acres, house_size in square feet.
type Listing struct {
	BrokeredBy   float64
	Status       Text
	Price        float64
	Bed          float64
	Bath         float64
	AcreLot      float64
	Street       float64
	City         Text
	State        Text
	ZipCode      Text
	HouseSize    float64
	PrevSoldDate Text
}
