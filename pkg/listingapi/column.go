package listingapi

import (
	"fmt"
	"math"
	"strconv"

	"tasador/pkg/property"
)

// column says where in a listing the value of a column goes: exactly one of the two is set.
type column struct {
	name   string
	number func(*property.Listing) *float64
	text   func(*property.Listing) *property.Text
}

// columns are the known columns in the order of property.Columns, which is that of list rows.
var columns = [12]column{
	{name: property.BrokeredBy, number: func(l *property.Listing) *float64 { return &l.BrokeredBy }},
	{name: property.Status, text: func(l *property.Listing) *property.Text { return &l.Status }},
	{name: property.Price, number: func(l *property.Listing) *float64 { return &l.Price }},
	{name: property.Bed, number: func(l *property.Listing) *float64 { return &l.Bed }},
	{name: property.Bath, number: func(l *property.Listing) *float64 { return &l.Bath }},
	{name: property.AcreLot, number: func(l *property.Listing) *float64 { return &l.AcreLot }},
	{name: property.Street, number: func(l *property.Listing) *float64 { return &l.Street }},
	{name: property.City, text: func(l *property.Listing) *property.Text { return &l.City }},
	{name: property.State, text: func(l *property.Listing) *property.Text { return &l.State }},
	{name: property.ZipCode, text: func(l *property.Listing) *property.Text { return &l.ZipCode }},
	{name: property.HouseSize, number: func(l *property.Listing) *float64 { return &l.HouseSize }},
	{name: property.PrevSoldDate, text: func(l *property.Listing) *property.Text { return &l.PrevSoldDate }},
}

const zipCodeIndex = 9

// columnIndex finds a known column by its exact name, or gives -1.
func columnIndex(name []byte) int {
	for i := range columns {
		if columns[i].name == string(name) {
			return i
		}
	}
	return -1
}

// assign puts a value into column i of the row and reports whether its type was right. A column that comes twice keeps the last.
func (d *decoder) assign(i int, k kind, raw []byte) bool {
	if columns[i].number != nil {
		to := columns[i].number(&d.row.Listing)
		*to = property.Null()
		if k != kindNumber {
			return k == kindNull
		}
		v, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return false // too large for a double
		}
		*to = v
		return true
	}
	to := columns[i].text(&d.row.Listing)
	*to = property.Text{}
	switch {
	case k == kindText:
		*to = property.NewText(d.intern(raw))
		return true
	case k == kindNumber && i == zipCodeIndex:
		zip, ok := zipCode(raw)
		if ok {
			*to = property.NewText(zip)
		}
		return ok
	}
	return k == kindNull
}

// zipCode turns the number 601.0 into the text 00601; a fraction, a negative or more than five digits is no zip code.
func zipCode(raw []byte) (string, bool) {
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || v != math.Trunc(v) || v < 0 || v > 99999 {
		return "", false
	}
	return fmt.Sprintf("%05d", int(v)), true
}

const (
	maxInterned     = 64   // bytes of a text that is kept
	maxInternedSize = 8192 // texts that are kept
)

// intern returns raw as a string, the same one for the same short text.
func (d *decoder) intern(raw []byte) string {
	if known, ok := d.texts[string(raw)]; ok {
		return known
	}
	s := string(raw)
	if len(s) <= maxInterned && len(d.texts) < maxInternedSize {
		d.texts[s] = s
	}
	return s
}
