package ridge

import "math"

// Column describes one column of the rows of a factor: a feature, or the target.
type Column struct {
	Mean   float64
	StdDev float64 // of the rows as they are: the mean squared deviation is over n, not n-1
	Min    float64
	Max    float64
}

// Describe returns the statistics of every feature and, last, of the target. They are NaN while there are no rows.
func (f *Factor) Describe() []Column {
	f.fold()
	columns := make([]Column, f.features+1)
	for j := range columns {
		if f.rows == 0 {
			columns[j] = Column{math.NaN(), math.NaN(), math.NaN(), math.NaN()}
			continue
		}
		columns[j] = Column{Mean: f.mean(j), StdDev: f.deviation(j) / math.Sqrt(float64(f.rows)), Min: f.low[j], Max: f.top[j]}
	}
	return columns
}

// mean returns the mean of feature j, or of the target for j = p.
func (f *Factor) mean(j int) float64 {
	return f.origin[j] + f.at(0, j+1)/f.at(0, 0)
}

// deviation returns the length of the centred column j: what R holds of it under the first row.
func (f *Factor) deviation(j int) float64 {
	length := 0.0
	for i := 1; i <= j+1; i++ {
		length = math.Hypot(length, f.at(i, j+1))
	}
	return length
}

// Span returns the largest absolute value of the target, 0 while there are no rows.
func (f *Factor) Span() float64 {
	f.fold()
	if f.rows == 0 {
		return 0
	}
	return max(math.Abs(f.low[f.features]), math.Abs(f.top[f.features]))
}
