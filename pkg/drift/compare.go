package drift

import (
	"math"
	"sync"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

// The sketches of differences (C. Masson, J. E. Rim, H. K. Lee: DDSketch, VLDB 2019): a quantile is within SketchAccuracy of the true one,
// relative to it. 2048 bins hold numbers that lie 17 powers of ten apart; the least are merged first.
const (
	SketchAccuracy = 0.01
	sketchBins     = 2048
)

// Comparison measures how far the prices of one model are from those of another. It is safe for concurrent use.
type Comparison struct {
	mu                 sync.Mutex
	count              uint64
	signed             float64
	absolute, relative spread
}

// spread describes numbers that are not negative.
type spread struct {
	sum    float64
	most   float64
	sketch *ddsketch.DDSketch
	limit  float64 // the largest that the sketch takes
}

// NewComparison returns one that has seen nothing.
func NewComparison() *Comparison {
	return &Comparison{absolute: newSpread(), relative: newSpread()}
}

func newSpread() spread {
	// It is made from a constant that it accepts.
	index, _ := mapping.NewCubicallyInterpolatedMapping(SketchAccuracy)
	sketch := ddsketch.NewDDSketch(index, store.NewCollapsingLowestDenseStore(sketchBins), store.NewCollapsingLowestDenseStore(sketchBins))
	return spread{sketch: sketch, limit: index.MaxIndexableValue()}
}

func (s *spread) add(v float64) {
	s.sum += v
	s.most = max(s.most, v)
	_ = s.sketch.Add(min(v, s.limit)) // it refuses only what is larger, or negative
}

// Add compares two prices of one listing, in dollars. Prices that are not finite are left out.
func (c *Comparison) Add(price, other float64) {
	off := other - price
	if math.IsNaN(off) || math.IsInf(off, 0) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	c.signed += off
	c.absolute.add(math.Abs(off))
	c.relative.add(math.Abs(off) / max(math.Abs(price), 1))
}

// Differences is what a Comparison found: the other price minus the price. Absolute ones are in dollars, relative ones shares of the price (of
// a dollar, where it is less). Means and quantiles are 0 as long as Count is.
type Differences struct {
	Count     uint64
	Mean      float64 // signed, dollars
	Absolute  Spread
	Relative  Spread
	Quantiles []float64 // which ones the spreads hold, between 0 and 1
}

// Spread is how large differences are. Values are those of the quantiles.
type Spread struct {
	Mean, Max float64
	Values    []float64
}

// Quantiles are those that Differences holds.
func Quantiles() []float64 { return []float64{0.5, 0.9, 0.99} }

// Differences returns what was found so far.
func (c *Comparison) Differences() Differences {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := Differences{Count: c.count, Quantiles: Quantiles()}
	d.Absolute, d.Relative = c.absolute.describe(c.count), c.relative.describe(c.count)
	if c.count > 0 {
		d.Mean = c.signed / float64(c.count)
	}
	return d
}

func (s *spread) describe(count uint64) Spread {
	out := Spread{Max: s.most, Values: make([]float64, len(Quantiles()))}
	if count == 0 {
		return out
	}
	out.Mean = s.sum / float64(count)
	for i, q := range Quantiles() {
		v, _ := s.sketch.GetValueAtQuantile(q) // there are values, and q is a share
		out.Values[i] = min(v, s.most)
	}
	return out
}
