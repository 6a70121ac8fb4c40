package training

// SampleRows is how many rows of train and of test are kept as a sample.
const SampleRows = 20_000

// Sample holds the first rows of a split, at most SampleRows, as the model sees them. A split is in shuffled order, so its first rows are
// drawn from all rows at random and without replacement.
type Sample struct {
	features int
	x        []float64 // row after row
	prices   []float64
}

// NewSample returns an empty sample of rows of that many features.
func NewSample(features int) *Sample { return &Sample{features: features} }

// Add keeps a copy of a row, unless the sample is full.
func (s *Sample) Add(x []float64, price float64) {
	if len(s.prices) == SampleRows {
		return
	}
	s.x = append(s.x, x[:s.features]...)
	s.prices = append(s.prices, price)
}

// Rows returns how many rows the sample has; a nil sample has none.
func (s *Sample) Rows() int {
	if s == nil {
		return 0
	}
	return len(s.prices)
}

// Row returns the features and the price (dollars) of a row. The slice must not be changed.
func (s *Sample) Row(i int) (x []float64, price float64) {
	return s.x[i*s.features : (i+1)*s.features], s.prices[i]
}
