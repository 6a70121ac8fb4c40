package model

import (
	"math"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/features"
	"tasador/pkg/property"
)

// Base returns the price at the mean of every feature over the training rows, in dollars. NaN if a mean is not known.
func (m *Model) Base() float64 {
	sum := 0.0
	for i, c := range m.Coefficients {
		sum += c * float64(m.Training.Statistics[i].Mean)
	}
	return sum + m.Intercept
}

// Contributions appends what each feature adds to Base, in dollars and in the order of the schema: coefficient × (value − training mean). For a
// linear model that is exact, and equal to the Shapley values of independent features: Base and all of them add up to the price.
func (m *Model) Contributions(x, dst []float64) []float64 {
	for i, c := range m.Coefficients {
		dst = append(dst, c*(x[i]-float64(m.Training.Statistics[i].Mean)))
	}
	return dst
}

// WarningKind names what a warning is about.
type WarningKind string

// The kinds.
const (
	OutOfRange    WarningKind = "outside_training"  // a value outside of those that training saw
	UnknownStatus WarningKind = "unseen_status"     // a status that training never saw
	Filled        WarningKind = "missing_filled"    // a value is missing and counted as another
	NeverSold     WarningKind = "missing_sold_date" // counted as never sold
)

// Warning is a reason to trust a price less. Value, Low and High are in the unit of the feature; which of them are set depends on the kind.
type Warning struct {
	Kind      WarningKind
	Field     string // of the listing
	Text      string // the status
	Value     float64
	Low, High float64
}

// Sentence says it for people.
func (w Warning) Sentence() apperror.Sentence {
	switch w.Kind {
	case OutOfRange:
		return apperror.Sentence{Format: "%s is %v; the model was trained on values from %v to %v", Args: []any{w.Field, w.Value, w.Low, w.High}}
	case UnknownStatus:
		return apperror.Sentence{Format: "the model was trained on no listing with the status %s", Args: []any{w.Text}}
	case Filled:
		return apperror.Sentence{Format: "%s is missing and was counted as %v", Args: []any{w.Field, w.Value}}
	default:
		return apperror.Sentence{Format: "%s is missing; the house was counted as never sold", Args: []any{w.Field}}
	}
}

// Warnings appends what is unusual about a listing, given the features that it was encoded as. It allocates only where there is something.
//
// The first status in code point order has no column, so that the model cannot tell it from one that comes before its columns and was never
// seen: neither is warned of.
func (m *Model) Warnings(listing *property.Listing, x []float64, dst []Warning) []Warning {
	known := false
	first := "" // of the statuses with a column
	for i, name := range m.Schema.Features {
		if status, ok := strings.CutPrefix(name, features.StatusPrefix); ok {
			known = known || listing.Status.Valid && listing.Status.Value == status
			if first == "" {
				first = status // the schema is sorted
			}
			continue
		}
		field := name
		missing := false
		switch name {
		case features.DaysSinceLastSale:
			if !listing.PrevSoldDate.Valid {
				dst = append(dst, Warning{Kind: NeverSold, Field: property.PrevSoldDate, Value: x[i]})
				continue
			}
			field = property.PrevSoldDate
		default:
			missing = math.IsNaN(numberOf(listing, name))
		}
		if missing {
			dst = append(dst, Warning{Kind: Filled, Field: field, Value: x[i]})
			continue
		}
		low, high := float64(m.Training.Statistics[i].Min), float64(m.Training.Statistics[i].Max)
		if x[i] < low || x[i] > high {
			dst = append(dst, Warning{Kind: OutOfRange, Field: name, Value: x[i], Low: low, High: high})
		}
	}
	if listing.Status.Valid && !known && first != "" && listing.Status.Value > first {
		dst = append(dst, Warning{Kind: UnknownStatus, Field: property.Status, Text: listing.Status.Value})
	}
	return dst
}

// numberOf returns a listing's value of a number column, NaN if it is missing.
func numberOf(l *property.Listing, name string) float64 {
	switch name {
	case property.Bed:
		return l.Bed
	case property.Bath:
		return l.Bath
	case property.AcreLot:
		return l.AcreLot
	case property.HouseSize:
		return l.HouseSize
	}
	return math.NaN()
}
