package training

import "math"

// sum adds numbers and keeps what rounding drops (Neumaier), so that a sum of millions is exact to the last digit.
type sum struct{ total, dropped float64 }

func (s *sum) add(v float64) {
	total := s.total + v
	if math.Abs(s.total) >= math.Abs(v) {
		s.dropped += s.total - total + v
	} else {
		s.dropped += v - total + s.total
	}
	s.total = total
}

func (s *sum) value() float64 { return s.total + s.dropped }
