package dataset

import "math"

// Histogram counts values in bins of equal width from Start on. It spans the values from the 1 % to the 99 % quantile, of whole numbers all if
// they are near to each other; those outside are counted in Below and Above, so that one wild value does not press all others into one bin.
type Histogram struct {
	Start  float64 `json:"start"`
	Width  float64 `json:"width"`
	Counts []int   `json:"counts"`
	Below  int     `json:"below"`
	Above  int     `json:"above"`
}

// A histogram has at least so many bins, unless its numbers are whole and few, and at most so many.
const (
	aboutBins = 16
	maxBins   = 48
)

// newHistogram returns an empty histogram of the values low to high, both finite, whose edges are round numbers. Whole numbers stand
// in the middle of their bins.
func newHistogram(low, high float64, whole bool) Histogram {
	width := roundWidth(high/aboutBins - low/aboutBins)
	if whole {
		width = max(1, width)
	}
	if width <= 0 || math.IsInf(width, 0) || low+width == low || high+width == high {
		return Histogram{Start: low, Width: 0, Counts: make([]int, 1)} // one value
	}
	h := Histogram{Start: math.Floor(low/width) * width, Width: width}
	if whole {
		h.Start -= width / 2
	}
	bins := math.Floor(high/width-h.Start/width) + 1
	h.Counts = make([]int, int(max(1, min(bins, maxBins))))
	return h
}

// roundWidth returns the largest of 1, 2 and 5 times a power of ten that is not above v; 0 for what is not positive.
func roundWidth(v float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return 0
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, times := range []float64{5, 2} {
		if times*power <= v {
			return times * power
		}
	}
	return power
}

func (h *Histogram) add(v float64, count int) {
	if h.Width == 0 {
		switch {
		case v < h.Start:
			h.Below += count
		case v > h.Start:
			h.Above += count
		default:
			h.Counts[0] += count
		}
		return
	}
	at := math.Floor(v/h.Width - h.Start/h.Width) // divided first, so that no difference overflows
	switch {
	case at < 0:
		h.Below += count
	case at >= float64(len(h.Counts)):
		h.Above += count
	default:
		h.Counts[int(at)] += count
	}
}
