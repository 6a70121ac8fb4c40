package drift

import (
	"math"
	"time"
)

// Window is how far back a report looks.
type Window string

// The windows. They slide in steps, so that they hold up to one step more: five minutes of an hour, an hour of the others.
const (
	Hour Window = "1h"
	Day  Window = "24h"
	Week Window = "7d"
)

// Windows lists them, the shortest first.
func Windows() []Window { return []Window{Hour, Day, Week} }

// Span returns how long the window is.
func (w Window) Span() time.Duration {
	switch w {
	case Hour:
		return time.Hour
	case Day:
		return 24 * time.Hour
	default:
		return 7 * 24 * time.Hour
	}
}

// State is how a field's index reads.
type State string

// The states.
const (
	Few      State = "few"         // too few predictions to tell
	Stable   State = "stable"      // below Moderate
	Shifted  State = "moderate"    // below Significant
	Drifting State = "significant" // look at the model
)

// FewPredictions is how many predictions a window needs for a state. Without any drift the index over b bins is about (b−1)·(1/n + 1/rows)
// (B. Yurdakul, Statistical Properties of Population Stability Index, 2018): with ten bins and 200 predictions 0.045, well below Moderate.
const FewPredictions = 200

// Report is what happened in a window.
type Report struct {
	Window      Window
	Predictions uint64
	Fields      []FieldReport
	Errors      Errors
}

// FieldReport is how far one field is from its reference. The numbers are NaN where there is nothing to compute them from.
type FieldReport struct {
	Name        string
	Count       uint64
	PSI         float64
	KS          float64 // NaN for a category
	KSP         float64 // see KSP
	Distance    float64 // 1-Wasserstein, in the field's unit; NaN for a category
	Wasserstein float64 // Distance in standard deviations of the reference; NaN where that is 0
	State       State   // by PSI
	Bins        []Bin   // of PSI
}

// Bin is a range of values, above Low and at most High, or a category; its shares are between 0 and 1. Category is empty for every other value.
type Bin struct {
	Low, High         float64 // infinite at the ends; NaN for a category
	Category          string
	Reference, Window float64
}

// Errors is how wrong predictions were whose price is known. Error is prediction minus price, in dollars. NaN without feedback.
type Errors struct {
	Count    uint64
	MAE      float64 // mean absolute error
	RMSE     float64
	Bias     float64 // mean error
	Coverage float64 // share of the prices that lay within their interval
}

// Report adds up a window that ends at now.
func (m *Monitor) Report(w Window, now time.Time) Report {
	if m == nil {
		return Report{Window: w, Errors: errorsOf(make([]uint64, firstCounter), make([]float64, firstSum))}
	}
	from := m.week
	if w == Hour {
		from = m.hour
	}
	counts, sums := from.totals(now, w.Span())
	r := Report{Window: w, Predictions: counts[predictions], Errors: errorsOf(counts, sums)}
	for _, p := range m.fields {
		actual := counts[p.counts : p.counts+len(p.field.Counts)]
		r.Fields = append(r.Fields, p.field.compare(actual, tails{sums[p.sums], sums[p.sums+1]}))
	}
	return r
}

func errorsOf(counts []uint64, sums []float64) Errors {
	n := float64(counts[feedbacks])
	return Errors{ // 0/0 is NaN
		Count: counts[feedbacks], MAE: sums[absoluteSum] / n, RMSE: math.Sqrt(sums[squareSum] / n), Bias: sums[errorSum] / n,
		Coverage: float64(counts[covered]) / float64(counts[intervals]),
	}
}

// compare holds what a window counted against the reference.
func (f Field) compare(actual []uint64, outside tails) FieldReport {
	expected := make([]uint64, len(f.Counts))
	for i, c := range f.Counts {
		expected[i] = uint64(c) // #nosec G115 -- Check refuses negative ones
	}
	bins, before, now := f.bins(expected, actual)
	r := FieldReport{
		Name: f.Name, PSI: PSI(before, now), KS: math.NaN(), KSP: math.NaN(), Distance: math.NaN(), Wasserstein: math.NaN(), Bins: bins,
	}
	n := total(actual)
	r.Count = uint64(n)
	if !f.IsCategory() {
		r.KS = KS(expected, actual)
		r.KSP = KSP(r.KS, total(expected), n)
		r.Distance = wasserstein(f, expected, actual, outside)
		if f.StdDev > 0 {
			r.Wasserstein = r.Distance / f.StdDev
		}
	}
	r.State = stateOf(r)
	return r
}

func stateOf(r FieldReport) State {
	switch {
	case r.Count < FewPredictions || math.IsNaN(r.PSI):
		return Few
	case r.PSI < Moderate:
		return Stable
	case r.PSI < Significant:
		return Shifted
	default:
		return Drifting
	}
}

// bins cuts the counts at the deciles, or takes those of a category as they are.
func (f Field) bins(expected, actual []uint64) (bins []Bin, before, now []uint64) {
	n, m := total(expected), total(actual)
	add := func(b Bin, from, to int) {
		e, a := uint64(total(expected[from:to])), uint64(total(actual[from:to]))
		b.Reference, b.Window = float64(e)/n, float64(a)/m
		bins, before, now = append(bins, b), append(before, e), append(now, a)
	}
	if f.IsCategory() {
		for i := range expected {
			b := Bin{Low: math.NaN(), High: math.NaN()}
			if i < len(f.Categories) {
				b.Category = f.Categories[i]
			}
			add(b, i, i+1)
		}
		return bins, before, now
	}
	from, low := 0, math.Inf(-1)
	for _, at := range f.Deciles {
		add(Bin{Low: low, High: f.Edges[at]}, from, at+2)
		from, low = at+2, f.Edges[at]
	}
	add(Bin{Low: low, High: math.Inf(1)}, from, len(expected))
	return bins, before, now
}
