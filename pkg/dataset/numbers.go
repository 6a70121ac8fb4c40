package dataset

import (
	"math"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"

	"tasador/pkg/property"
)

// The accuracy of quantiles: the value that a sketch gives lies within this share of the one at that rank (DDSketch, Masson et al.,
// VLDB 2019). It holds while the largest size of a value is less than 10^16 times the smallest, which is what so many bins reach; beyond
// that the values nearest to zero are taken for larger ones.
const (
	sketchAccuracy = 0.01
	sketchBins     = 2048
)

// NumberStatistics describes the finite values of a column, those that are out of range among them. Min, Max and Mean are exact, up to
// rounding; quantiles and the histogram come from a sketch, whose values are within 1 % of the true ones.
type NumberStatistics struct {
	Values    int        `json:"values"`
	Infinite  int        `json:"infinite,omitempty"`
	Min       float64    `json:"min"`
	Max       float64    `json:"max"`
	Mean      float64    `json:"mean"`
	Quantiles []Quantile `json:"quantiles"`
	Histogram Histogram  `json:"histogram"`
}

// Quantile is the value below which a share Q of the n values lies: that of rank Q (n − 1), counted from 0, or between two ranks the value
// of one of them.
type Quantile struct {
	Q     float64 `json:"q"`
	Value float64 `json:"value"`
}

// quantiles are those that a profile keeps.
var quantiles = []float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99}

// Quantile returns the value of one of the quantiles kept, false if it is not kept.
func (s *NumberStatistics) Quantile(q float64) (float64, bool) {
	for _, have := range s.Quantiles {
		if have.Q == q {
			return have.Value, true
		}
	}
	return 0, false
}

// numbers accumulates the values of one column.
type numbers struct {
	sketch         *ddsketch.DDSketch // nil before the first value
	largest        float64            // that the sketch takes
	count          int
	infinite       int
	fraction       bool // some value is not whole
	min, max, mean float64
}

func (n *numbers) add(v float64) {
	switch {
	case property.IsNull(v):
		return
	case math.IsInf(v, 0):
		n.infinite++
		return
	case n.sketch == nil:
		n.begin(v)
	}
	n.count++
	n.min, n.max = min(n.min, v), max(n.max, v)
	n.fraction = n.fraction || v != math.Trunc(v)
	n.mean += v/float64(n.count) - n.mean/float64(n.count) // no sum that could overflow
	// It refuses only what is larger than it can hold, which it is not given.
	_ = n.sketch.Add(max(-n.largest, min(n.largest, v)))
}

func (n *numbers) begin(first float64) {
	// It is made from constants that it accepts.
	index, _ := mapping.NewCubicallyInterpolatedMapping(sketchAccuracy)
	n.sketch = ddsketch.NewDDSketch(index, store.NewCollapsingLowestDenseStore(sketchBins), store.NewCollapsingLowestDenseStore(sketchBins))
	n.largest = index.MaxIndexableValue()
	n.min, n.max = first, first
}

// statistics describes the values so far, nil if there are none. The histogram of whole numbers has bins of at least 1 around them.
func (n *numbers) statistics(whole bool) *NumberStatistics {
	if n.count == 0 {
		if n.infinite == 0 {
			return nil
		}
		return &NumberStatistics{Infinite: n.infinite, Quantiles: []Quantile{}, Histogram: Histogram{Counts: []int{}}}
	}
	out := &NumberStatistics{Values: n.count, Infinite: n.infinite, Min: n.min, Max: n.max, Mean: n.mean}
	for _, q := range quantiles {
		v, _ := n.sketch.GetValueAtQuantile(q) // there are values, and q is a share
		out.Quantiles = append(out.Quantiles, Quantile{Q: q, Value: n.within(v)})
	}
	low, high := out.Quantiles[0].Value, out.Quantiles[len(quantiles)-1].Value
	if whole && n.max/2-n.min/2 < maxBins/2 {
		low, high = n.min, n.max // each number has a bin of its own
	}
	out.Histogram = newHistogram(low, high, whole)
	n.sketch.ForEach(func(v, count float64) bool {
		out.Histogram.add(n.within(v), int(count))
		return false
	})
	return out
}

// within corrects a value of the sketch to what can be: small whole numbers are exact then.
func (n *numbers) within(v float64) float64 {
	const told = 0.49 / sketchAccuracy // up to here the sketch tells whole numbers apart
	if !n.fraction && math.Abs(v) < told {
		v = math.Round(v)
	}
	return max(n.min, min(n.max, v))
}
