package drift

import "math"

// The usual reading of a population stability index: below Moderate there is no change to speak of, from Significant on the model should be
// looked at (N. Siddiqi, Credit Risk Scorecards, Wiley 2006; E. M. Lewis, An Introduction to Credit Scoring, 1994).
const (
	Moderate    = 0.10
	Significant = 0.25
)

// ZeroShare is what a bin's share counts at least in PSI, which would be infinite with an empty bin.
const ZeroShare = 1e-4

// PSI returns the population stability index of two counts over the same bins: the sum of (a−e)·ln(a/e) over their shares, where one below
// ZeroShare counts as ZeroShare. It is NaN if either has no counts.
func PSI(expected, actual []uint64) float64 {
	n, m := total(expected), total(actual)
	if n == 0 || m == 0 {
		return math.NaN()
	}
	index := 0.0
	for i := range expected {
		e, a := max(float64(expected[i])/n, ZeroShare), max(float64(actual[i])/m, ZeroShare)
		index += (a - e) * math.Log(a/e)
	}
	return index
}

func total(counts []uint64) float64 {
	sum := uint64(0)
	for _, c := range counts {
		sum += c
	}
	return float64(sum)
}

// KS returns the two-sample Kolmogorov–Smirnov statistic of two counts over the same ordered bins: the largest distance of their cumulative
// shares. Where bins hold several values it may fall short of that of the values by at most the larger share of one bin. NaN without counts.
func KS(expected, actual []uint64) float64 {
	n, m := total(expected), total(actual)
	if n == 0 || m == 0 {
		return math.NaN()
	}
	farthest := 0.0
	below, under := uint64(0), uint64(0)
	for i := range expected {
		below += expected[i]
		under += actual[i]
		farthest = max(farthest, math.Abs(float64(below)/n-float64(under)/m))
	}
	return farthest
}

// ksTerms are more than any argument needs for a double.
const ksTerms = 100

// KSP returns the asymptotic probability that two samples of n and m values of one continuous distribution lie at least d apart: Kolmogorov's
// 2·Σ(−1)^(k−1)·exp(−2k²λ²) with λ = d·√(nm/(n+m)) (N. Smirnov 1948). For values that repeat it is larger than the true one.
func KSP(d, n, m float64) float64 {
	if math.IsNaN(d) || n == 0 || m == 0 {
		return math.NaN()
	}
	lambda := d * math.Sqrt(n/(n+m)*m)
	if lambda < 0.2 { // 1 to the last digit, where the series is slow
		return 1
	}
	sum, sign := 0.0, 1.0
	for k := 1; k <= ksTerms; k++ {
		term := math.Exp(-2 * float64(k*k) * lambda * lambda)
		sum += sign * term
		if term < 1e-18*sum {
			break
		}
		sign = -sign
	}
	return min(1, max(0, 2*sum))
}

// tails are how far the values beyond the edges lie outside, added up.
type tails struct{ below, above float64 }

// wasserstein returns the 1-Wasserstein distance of a window from the field's reference: the area between the cumulative shares, in the
// field's unit. It is exact where the edges are all values there are; else values count as spread evenly between two edges. NaN without counts.
func wasserstein(f Field, expected, actual []uint64, outside tails) float64 {
	n, m := total(expected), total(actual)
	if n == 0 || m == 0 {
		return math.NaN()
	}
	area := outside.below/m + outside.above/m
	below, under := expected[0], actual[0]
	before := 0.0
	for i, edge := range f.Edges {
		below += expected[i+1]
		under += actual[i+1]
		gap := float64(below)/n - float64(under)/m
		if i > 0 && !f.Discrete {
			area += (edge - f.Edges[i-1]) * meanAbs(before, gap)
		}
		if f.Discrete && i+1 < len(f.Edges) {
			area += (f.Edges[i+1] - edge) * math.Abs(gap)
		}
		before = gap
	}
	return area
}

// meanAbs is the mean of |v| where v goes from a to b in a straight line.
func meanAbs(a, b float64) float64 {
	if a*b >= 0 {
		return (math.Abs(a) + math.Abs(b)) / 2
	}
	return (a*a + b*b) / (2 * math.Abs(b-a))
}
