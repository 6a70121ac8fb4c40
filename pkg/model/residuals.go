package model

import (
	"math"
	"slices"

	"tasador/pkg/apperror"
	"tasador/pkg/training"
)

// Levels of intervals: from LeastLevel to MostLevel in steps of levelStep. One between two of them is served by the next one up.
const (
	LeastLevel   = 0.5
	MostLevel    = 0.99
	DefaultLevel = 0.9
	levelStep    = 0.005
	levelCount   = 99
)

// Groups of residuals: at most maxGroups, and at least groupRows rows on average in each, since 199 rows are the fewest that have both ends of
// an interval at MostLevel.
const (
	maxGroups = 5
	groupRows = 200
)

// Residuals say how far the prices of the test rows, which the model never saw, lay from its predictions. They make split conformal intervals
// (V. Vovk, A. Gammerman, G. Shafer: Algorithmic Learning in a Random World, 2005; J. Lei and others: Distribution-Free Predictive Inference
// for Regression, JASA 113, 2018), whose coverage is at least the level for any distribution, as long as new rows come from the same one.
//
// The residuals of houses that are priced high are the larger ones. So predictions are cut into groups, each with quantiles of its own
// (Mondrian conformal prediction, Vovk and others, chapter 4): the coverage then holds within each group. On real listings an interval
// without groups covered 0.62 of the dearest fifth and 0.98 of the second instead of 0.9, and was on the median 1.8 times as wide; one in
// proportion to the prediction covered 0.82 to 0.97 and was 2.2 times as wide.
type Residuals struct {
	Rows   int             `json:"rows"`  // of test that they are of
	Edges  []float64       `json:"edges"` // between groups, dollars of the prediction; one equal to an edge is in the lower group
	Groups []ResidualGroup `json:"groups"`
}

// ResidualGroup holds what to add to a prediction, in dollars, for the low and for the high end of the interval at each level, the least first.
// It ends before the first level that would take more rows than there were.
type ResidualGroup struct {
	Rows int       `json:"rows"`
	Low  []float64 `json:"low"`
	High []float64 `json:"high"`
}

// residualsOf describes the residuals of the test sample. Where the groups lie comes from the train sample, so that no test row decides on its
// own group.
func (m *Model) residualsOf(train, test *training.Sample) *Residuals {
	r := &Residuals{Rows: test.Rows(), Edges: []float64{}}
	groups := min(maxGroups, test.Rows()/groupRows)
	if predictions := m.pricesOf(train); len(predictions) > 0 {
		slices.Sort(predictions)
		for i := 1; i < groups; i++ {
			r.Edges = append(r.Edges, predictions[i*len(predictions)/groups])
		}
		r.Edges = slices.Compact(r.Edges)
	}
	residuals := make([][]float64, len(r.Edges)+1)
	for i := range test.Rows() {
		x, price := test.Row(i)
		prediction := m.price(x)
		group := r.group(prediction)
		residuals[group] = append(residuals[group], price-prediction)
	}
	for _, values := range residuals {
		slices.Sort(values)
		r.Groups = append(r.Groups, groupOf(values))
	}
	return r
}

// groupOf describes residuals, which are sorted: with α the rest of a level, a new one lies with at least that probability between the
// ⌈(n+1)(1−α/2)⌉-th least and, counted from above, the same.
func groupOf(sorted []float64) ResidualGroup {
	n := len(sorted)
	g := ResidualGroup{Rows: n, Low: []float64{}, High: []float64{}}
	for i := range levelCount {
		level := LeastLevel + float64(i)*levelStep
		rank := int(math.Ceil(float64(n+1)*(1+level)/2 - rounding))
		if rank > n {
			break
		}
		g.Low, g.High = append(g.Low, sorted[n-rank]), append(g.High, sorted[rank-1])
	}
	return g
}

// rounding is what a computed number of levels or ranks may be too large by: levels are no exact binary fractions.
const rounding = 1e-9

// pricesOf returns the model's price of every row of a sample.
func (m *Model) pricesOf(s *training.Sample) []float64 {
	prices := make([]float64, s.Rows())
	for i := range prices {
		x, _ := s.Row(i)
		prices[i] = m.price(x)
	}
	return prices
}

// levelPlace returns the place of the least level that is not below the one asked for.
func levelPlace(level float64) int {
	return int(math.Ceil((level-LeastLevel)/levelStep - rounding))
}

// group returns the group of a prediction.
func (r *Residuals) group(prediction float64) int {
	g := 0
	for g < len(r.Edges) && prediction > r.Edges[g] {
		g++
	}
	return g
}

// Interval is where the price lies with a probability of at least Level, in dollars.
type Interval struct {
	Level float64 `json:"level"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Reasons why a prediction has no interval, besides a wrong level.
var (
	errNoResiduals = apperror.New(apperror.FailedPrecondition, "this model version was made before intervals were kept; train again to have them")
	errFewRows     = apperror.New(apperror.FailedPrecondition, "too few rows were held out for an interval at this level; ask for a lower level or train on more rows")
)

// CheckLevel refuses a level that no interval is kept for. Codes: Invalid.
func CheckLevel(level float64) error {
	if level >= LeastLevel && level <= MostLevel {
		return nil
	}
	return apperror.New(apperror.Invalid, "the level of an interval must be from %v to %v, such as %v", LeastLevel, MostLevel, DefaultLevel)
}

// Interval returns the interval of a prediction at a level. Where no price was negative in training, its ends are not either. Codes: Invalid
// for a level that CheckLevel refuses, FailedPrecondition if the model does not know its residuals.
func (m *Model) Interval(prediction, level float64) (Interval, error) {
	if m.Residuals == nil {
		return Interval{}, errNoResiduals
	}
	if err := CheckLevel(level); err != nil {
		return Interval{}, err
	}
	g := &m.Residuals.Groups[m.Residuals.group(prediction)]
	at := levelPlace(level)
	if at >= len(g.Low) {
		return Interval{}, errFewRows
	}
	i := Interval{Level: level, Low: prediction + g.Low[at], High: prediction + g.High[at]}
	if m.Training.Target.Min >= 0 {
		i.Low, i.High = max(i.Low, 0), max(i.High, 0)
	}
	return i, nil
}

// check refuses residuals that cannot be used. Codes: FailedPrecondition.
func (r *Residuals) check() error {
	if len(r.Groups) != len(r.Edges)+1 {
		return bad("its groups of residuals do not fit their edges")
	}
	for i, edge := range r.Edges {
		if !finite(edge) || i > 0 && edge <= r.Edges[i-1] {
			return bad("the edges of its groups of residuals are not in order")
		}
	}
	rows := 0
	for _, g := range r.Groups {
		rows += g.Rows
		if len(g.Low) != len(g.High) || len(g.Low) > levelCount {
			return bad("the residuals of a group do not fit the levels")
		}
		for i := range g.Low {
			narrower := i > 0 && (g.Low[i] > g.Low[i-1] || g.High[i] < g.High[i-1])
			if narrower || !(g.Low[i] <= g.High[i]) {
				return bad("the residuals of a group are not in order")
			}
		}
	}
	if rows != r.Rows {
		return bad("its groups of residuals have another number of rows in all")
	}
	return nil
}
