package datasetstore

import (
	"database/sql"

	"tasador/pkg/property"
)

// listingColumn says where in a listing a column of realtor_raw is: exactly one of the two is set.
type listingColumn struct {
	name   string
	number func(*property.Listing) *float64
	text   func(*property.Listing) *property.Text
}

// listingColumns are the columns of a listing in the order of the tables.
var listingColumns = []listingColumn{
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

// appendListing appends the values of a listing as the driver takes them.
func appendListing(args []any, l *property.Listing) []any {
	for _, c := range listingColumns {
		if c.number != nil {
			args = append(args, numberArg(*c.number(l)))
		} else {
			args = append(args, textArg(*c.text(l)))
		}
	}
	return args
}

func numberArg(v float64) any {
	if property.IsNull(v) {
		return nil
	}
	return v
}

func textArg(t property.Text) any {
	if !t.Valid {
		return nil
	}
	return t.Value
}

// listingTarget receives the columns of a listing from a query.
type listingTarget struct {
	numbers [12]sql.NullFloat64
	texts   [12]sql.NullString
}

// dests are the places for Scan, in the order of listingColumns.
func (t *listingTarget) dests() []any {
	var out []any
	for i, c := range listingColumns {
		if c.number != nil {
			out = append(out, &t.numbers[i])
		} else {
			out = append(out, &t.texts[i])
		}
	}
	return out
}

func (t *listingTarget) listing() property.Listing {
	var l property.Listing
	for i, c := range listingColumns {
		if c.number != nil {
			*c.number(&l) = numberOf(t.numbers[i])
		} else {
			*c.text(&l) = textOf(t.texts[i])
		}
	}
	return l
}

func numberOf(v sql.NullFloat64) float64 {
	if !v.Valid {
		return property.Null()
	}
	return v.Float64
}

func textOf(v sql.NullString) property.Text { return property.Text{Value: v.String, Valid: v.Valid} }
