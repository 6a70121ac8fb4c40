// Package ridge fits ridge regressions from the triangular factor of the data, never from the data itself.
//
// With A = [1 X y] over n rows and p features, the (p+2)×(p+2) triangle R of A = QR is all that is kept. Rows are folded into it
// block by block, two factors merge by stacking and factoring again, and centred statistics, the fit for any alpha and the
// error of a fit on the same rows all follow from R.
//
// The triangle is kept transposed (Aᵀ = LQ, L = Rᵀ), so that the rows of the working matrix are columns of the data: long runs
// in memory, which is what makes folding fast when p is small.
package ridge

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// blockRows is how many rows are folded at once: with ten columns a block is 40 KB, about the first-level cache.
const blockRows = 512

// Factor is the triangular factor of the rows added so far. It is not safe for concurrent use.
//
// Every column is shifted by a typical value of its own, which later steps undo: a column that is constant is then exactly
// zero, and one with a large mean and a small spread keeps its digits.
type Factor struct {
	features int
	rows     int
	pending  int       // rows in work that are not folded yet
	capacity int       // rows that fit into work
	origin   []float64 // the shift of every feature and of y; nil until the first block is folded
	low, top []float64 // least and largest value of every feature and of y

	// work is (features+2) × (features+2+capacity): the triangle L, then the rows to fold, one column each: 1, x, y.
	work    blas64.General
	tau     []float64
	scratch []float64
}

// NewFactor returns the factor of no rows of p features.
func NewFactor(p int) *Factor {
	m := p + 2
	capacity := max(blockRows, 2*m)
	f := &Factor{
		features: p,
		capacity: capacity,
		low:      make([]float64, p+1),
		top:      make([]float64, p+1),
		work:     blas64.General{Rows: m, Cols: m + capacity, Stride: m + capacity, Data: make([]float64, m*(m+capacity))},
		tau:      make([]float64, m),
	}
	for i := range f.low {
		f.low[i], f.top[i] = math.Inf(1), math.Inf(-1)
	}
	f.scratch = make([]float64, 1)
	lapack64.Gelqf(f.work, f.tau, f.scratch, -1)
	f.scratch = make([]float64, int(f.scratch[0]))
	return f
}

// Features returns p.
func (f *Factor) Features() int { return f.features }

// Rows returns how many rows were added.
func (f *Factor) Rows() int { return f.rows }

// Add folds one row in: p features and the target. It keeps neither slice.
func (f *Factor) Add(x []float64, y float64) {
	at := f.features + 2 + f.pending
	data, stride := f.work.Data, f.work.Stride
	data[at] = 1
	at += stride
	for _, v := range x[:f.features] {
		data[at] = v
		at += stride
	}
	data[at] = y
	f.rows++
	if f.pending++; f.pending == f.capacity {
		f.fold()
	}
}

// fold takes the pending rows into the triangle.
func (f *Factor) fold() {
	if f.pending == 0 {
		return
	}
	m := f.features + 2
	if f.origin == nil {
		f.origin = make([]float64, m-1)
		sorted := make([]float64, f.pending)
		for j := range f.origin {
			copy(sorted, f.pendingOf(j+1))
			f.origin[j] = typical(sorted)
		}
	}
	for j, origin := range f.origin {
		values := f.pendingOf(j + 1)
		f.low[j], f.top[j] = min(f.low[j], slices.Min(values)), max(f.top[j], slices.Max(values))
		for i := range values {
			values[i] -= origin
		}
	}
	f.factorize()
}

// pendingOf returns the pending rows' values of a column of A.
func (f *Factor) pendingOf(column int) []float64 {
	from := column*f.work.Stride + f.features + 2
	return f.work.Data[from : from+f.pending]
}

// factorize makes a triangle of the triangle and the pending rows, which are shifted already.
func (f *Factor) factorize() {
	m := f.features + 2
	view := f.work
	view.Cols = m + f.pending
	lapack64.Gelqf(view, f.tau, f.scratch, len(f.scratch))
	for i := range m {
		clear(view.Data[i*view.Stride+i+1 : i*view.Stride+m])
	}
	f.pending = 0
}

// typical returns the lower median, a value of the slice itself, which it sorts.
func typical(values []float64) float64 {
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

// at returns element (i, j) of R.
func (f *Factor) at(i, j int) float64 { return f.work.Data[j*f.work.Stride+i] }

// Merge adds the rows of other, which must have as many features; other keeps its rows. The result is that of adding both
// lots of rows to one factor, up to rounding.
func (f *Factor) Merge(other *Factor) {
	if f.features != other.features {
		panic("ridge: the factors to merge have different numbers of features")
	}
	f.fold()
	other.fold()
	if other.rows == 0 {
		return
	}
	if f.origin == nil {
		f.origin = slices.Clone(other.origin)
	}
	m := f.features + 2
	ones := other.at(0, 0)
	for j := range m {
		shift := 0.0
		if j > 0 {
			shift = other.origin[j-1] - f.origin[j-1]
			f.low[j-1], f.top[j-1] = min(f.low[j-1], other.low[j-1]), max(f.top[j-1], other.top[j-1])
		}
		row := f.work.Data[j*f.work.Stride+m:]
		copy(row[:m], other.work.Data[j*other.work.Stride:])
		row[0] += shift * ones // moves the column from other's origin to ours; R's first row belongs to the ones
	}
	f.rows += other.rows
	f.pending = m
	f.factorize()
}

// Clone returns a copy that shares nothing with f.
func (f *Factor) Clone() *Factor {
	c := *f
	c.origin = slices.Clone(f.origin)
	c.low, c.top = slices.Clone(f.low), slices.Clone(f.top)
	c.work.Data = slices.Clone(f.work.Data)
	c.tau, c.scratch = slices.Clone(f.tau), slices.Clone(f.scratch)
	return &c
}
