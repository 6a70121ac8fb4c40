package model

import (
	"math"

	"tasador/pkg/apperror"
)

// PriceOf returns the price of encoded features, in the order of the schema. Codes: Invalid if they are too large to compute with.
func (m *Model) PriceOf(x []float64) (float64, error) {
	price := m.price(x)
	if math.IsNaN(price) || math.IsInf(price, 0) {
		return 0, apperror.New(apperror.Invalid, "the numbers of this listing are too large to compute a price from")
	}
	return price, nil
}
