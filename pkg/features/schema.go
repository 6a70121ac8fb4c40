package features

import (
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/property"
)

// Schema is the order in which a model takes its features.
type Schema struct {
	Features []string `json:"features"`
}

// codes of the two kinds of status that encoding one listing knows: the listing's own, and every other.
const (
	ownStatus   = 0
	otherStatus = 1
)

// Encode returns the features of one listing in the order of the schema, len(Features) numbers. There is no row before it, so
// what is missing counts 0 (days: -1). It fails if the schema names a feature that the recipe does not make.
func (s Schema) Encode(listing property.Listing, asOf time.Time) ([]float64, error) {
	raw := RawOf(listing)
	coded := Coded{Numbers: numbersOf(&raw), Days: daysOf(raw.PrevSoldDate, NewClock(asOf)), Status: NoStatus}
	if raw.Status.Valid {
		coded.Status = ownStatus
	}
	codeOf := func(status string) int32 {
		if status == raw.Status.Value {
			return ownStatus
		}
		return otherStatus
	}
	x := make([]float64, len(s.Features))
	for i, name := range s.Features {
		slot, ok := slotOf(name, codeOf)
		if !ok || name == property.Price {
			return nil, apperror.New(apperror.FailedPrecondition,
				"the model asks for the feature %q, which this version of tasador cannot make", name)
		}
		x[i] = slot.value(&coded)
	}
	return x, nil
}
