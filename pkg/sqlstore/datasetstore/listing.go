package datasetstore

import (
	"database/sql"

	"tasador/pkg/property"
)

// listingColumns are the columns of a listing in the order of the tables.
var listingColumns = property.Fields()

// appendListing appends the values of a listing as the driver takes them.
func appendListing(args []any, l *property.Listing) []any {
	for _, c := range listingColumns {
		if c.Number != nil {
			args = append(args, numberArg(*c.Number(l)))
		} else {
			args = append(args, textArg(*c.Text(l)))
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
	numbers [property.NumColumns]sql.NullFloat64
	texts   [property.NumColumns]sql.NullString
}

// dests are the places for Scan, in the order of listingColumns.
func (t *listingTarget) dests() []any {
	var out []any
	for i, c := range listingColumns {
		if c.Number != nil {
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
		if c.Number != nil {
			*c.Number(&l) = numberOf(t.numbers[i])
		} else {
			*c.Text(&l) = textOf(t.texts[i])
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
