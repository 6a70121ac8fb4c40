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

// Encode returns the features of one listing in the order of the schema, len(Features) numbers. There is no row before it, so
// what is missing counts 0 (days: -1). It fails if the schema names a feature that the recipe does not make.
func (s Schema) Encode(listing property.Listing, asOf time.Time) ([]float64, error) {
	e, err := s.Compile()
	if err != nil {
		return nil, err
	}
	return e.Append(make([]float64, 0, len(s.Features)), &listing, NewClock(asOf)), nil
}

// Encoder is a schema whose names are resolved: where each feature comes from, and the code of each status. It is never changed.
type Encoder struct {
	slots    []slot
	statuses []string // code → status
}

// Compile resolves the names of the schema. It fails if one is of a feature that the recipe does not make.
func (s Schema) Compile() (*Encoder, error) {
	e := &Encoder{slots: make([]slot, 0, len(s.Features))}
	codeOf := func(status string) int32 {
		e.statuses = append(e.statuses, status)
		return int32(len(e.statuses) - 1) // #nosec G115 -- a model has at most a few hundred features
	}
	for _, name := range s.Features {
		slot, ok := slotOf(name, codeOf)
		if !ok || name == property.Price {
			return nil, apperror.New(apperror.FailedPrecondition,
				"the model asks for the feature %q, which this version of tasador cannot make", name)
		}
		e.slots = append(e.slots, slot)
	}
	return e, nil
}

// Statuses are those that have a feature of their own, in the order of the schema. The slice must not be changed.
func (e *Encoder) Statuses() []string { return e.statuses }

// Append appends the features of a listing at the instant of the clock to dst, in the order of the schema, and returns the extended slice. It is Schema.Encode
// without its look-ups.
func (e *Encoder) Append(dst []float64, l *property.Listing, clock Clock) []float64 {
	coded := Coded{
		Numbers: Numbers{Bed: l.Bed, Bath: l.Bath, AcreLot: l.AcreLot, HouseSize: l.HouseSize, Price: l.Price},
		Days:    daysOf(l.PrevSoldDate, clock), Status: e.code(l.Status),
	}
	for i := range e.slots {
		dst = append(dst, e.slots[i].value(&coded))
	}
	return dst
}

// code looks through the statuses: there are few, and most differ in their first letters or length.
func (e *Encoder) code(status property.Text) int32 {
	if !status.Valid {
		return NoStatus
	}
	for i, s := range e.statuses {
		if s == status.Value {
			return int32(i) // #nosec G115 -- as in Compile
		}
	}
	return NoStatus
}
