// Package drift measures how far what a model is asked, and what it answers, has moved from what it was trained on: the population stability
// index, the Kolmogorov–Smirnov statistic and the Wasserstein distance over sliding windows, in memory that does not grow with the traffic.
package drift

import (
	"math"
	"slices"
	"strings"

	"tasador/pkg/apperror"
)

// edgesAt are the shares, in thousandths, at which edges cut the values of a number: percentiles, finer in the tails, where bins are wide.
func edgesAt() []int {
	at := []int{0, 1, 2, 5}
	for percent := 1; percent < 100; percent++ {
		at = append(at, 10*percent)
	}
	return append(at, 995, 998, 999, 1000)
}

// Reference is how the fields of a model were distributed when it was trained.
type Reference struct {
	Rows   int     `json:"rows"` // that the counts are of
	Fields []Field `json:"fields"`
}

// Field is the distribution of one field: a number has edges, a category has names.
//
// With k edges, the k+2 counts of a number are those of the values below the first edge, equal to it, above edge i-1 and at most edge i, and
// above the last. The counts of a category with k names are those of each, and of every other value.
type Field struct {
	Name       string    `json:"name"`
	Edges      []float64 `json:"edges,omitempty"`    // ascending, each once
	Discrete   bool      `json:"discrete,omitempty"` // the edges are all values that there were
	Deciles    []int     `json:"deciles,omitempty"`  // places of the edges that are deciles, each once
	StdDev     float64   `json:"std_dev,omitempty"`  // over n, not n-1
	Categories []string  `json:"categories,omitempty"`
	Counts     []int     `json:"counts"`
}

// IsCategory reports whether the field has names instead of numbers.
func (f Field) IsCategory() bool { return len(f.Edges) == 0 }

// NewNumber describes the values of a number. Those that are not finite are left out. It sorts the slice.
func NewNumber(name string, values []float64) Field {
	values = slices.DeleteFunc(values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	slices.Sort(values)
	f := Field{Name: name, Edges: slices.Compact(slices.Clone(values)), Discrete: true, StdDev: stdDev(values)}
	n := len(values)
	at := func(share int) float64 { return values[max(0, (share*n+999)/1000-1)] } // the least value that such a share does not exceed
	if shares := edgesAt(); len(f.Edges) > len(shares) {
		f.Edges, f.Discrete = nil, false
		for _, share := range shares {
			f.Edges = append(f.Edges, at(share))
		}
		f.Edges = slices.Compact(f.Edges)
	}
	for share := 100; n > 0 && share < 1000; share += 100 {
		place, _ := slices.BinarySearch(f.Edges, at(share))
		if k := len(f.Deciles); k == 0 || f.Deciles[k-1] != place {
			f.Deciles = append(f.Deciles, place)
		}
	}
	f.Counts = make([]int, len(f.Edges)+2)
	for _, v := range values {
		f.Counts[binOf(f.Edges, v)]++
	}
	return f
}

// NewCategory describes a category by how often each name and, last, any other value came.
func NewCategory(name string, categories []string, counts []int) Field {
	return Field{Name: name, Categories: categories, Counts: counts}
}

func stdDev(values []float64) float64 {
	mean, squares := 0.0, 0.0
	for i, v := range values { // Welford's
		step := v - mean
		mean += step / float64(i+1)
		squares += step * (v - mean)
	}
	if len(values) == 0 {
		return 0
	}
	return math.Sqrt(squares / float64(len(values)))
}

// binOf returns the place of a value in the counts of a number with these edges.
func binOf(edges []float64, v float64) int {
	from, to := 0, len(edges)
	for from < to { // the first edge that v does not exceed
		middle := int(uint(from+to) >> 1) // #nosec G115 -- neither is negative
		if edges[middle] < v {
			from = middle + 1
		} else {
			to = middle
		}
	}
	if from == 0 && len(edges) > 0 && v < edges[0] {
		return 0
	}
	return from + 1
}

// Check refuses a reference that cannot be used. Codes: FailedPrecondition.
func (r Reference) Check() error {
	seen := map[string]bool{}
	for _, f := range r.Fields {
		if f.Name == "" || seen[f.Name] {
			return apperror.New(apperror.FailedPrecondition, "a distribution has no name of its own")
		}
		seen[f.Name] = true
		if err := f.check(r.Rows); err != nil {
			return err
		}
	}
	return nil
}

func (f Field) check(rows int) error {
	bins := len(f.Edges) + 2
	if f.IsCategory() {
		bins = len(f.Categories) + 1
	}
	total, least := 0, 0
	for _, c := range f.Counts {
		total, least = total+c, min(least, c)
	}
	outside := func(place int) bool { return place < 0 || place >= len(f.Edges) }
	switch {
	case len(f.Counts) != bins:
		return apperror.New(apperror.FailedPrecondition, "the counts of %s do not fit its bins", f.Name)
	case least < 0 || total > rows:
		return apperror.New(apperror.FailedPrecondition, "the counts of %s are not those of its rows", f.Name)
	case !ascending(f.Edges) || !slices.IsSorted(f.Deciles) || len(f.Deciles) > 0 && (outside(f.Deciles[0]) || outside(f.Deciles[len(f.Deciles)-1])):
		return apperror.New(apperror.FailedPrecondition, "the bins of %s are not in order", f.Name)
	}
	return nil
}

// ascending reports whether every number is finite and larger than the one before.
func ascending(edges []float64) bool {
	for i, v := range edges {
		if math.IsNaN(v) || math.IsInf(v, 0) || i > 0 && v <= edges[i-1] {
			return false
		}
	}
	return true
}

// CategoryColumns returns the places of a category's columns among a model's features, which are named prefix and name, in the order of the
// names; -1 where there is none.
func (f Field) CategoryColumns(features []string, prefix string) []int {
	columns := make([]int, len(f.Categories))
	for i, name := range f.Categories {
		columns[i] = slices.IndexFunc(features, func(feature string) bool {
			rest, ok := strings.CutPrefix(feature, prefix)
			return ok && rest == name
		})
	}
	return columns
}
