package ridge

import (
	"cmp"
	"math"
	"slices"

	"github.com/sajari/regression"

	"tasador/pkg/apperror"
)

// Fit is a fitted model: the price is Intercept + Coefficients · x.
type Fit struct {
	Coefficients []float64
	Intercept    float64
}

// Predict returns the model's value for one row of features.
func (m Fit) Predict(x []float64) float64 {
	y := m.Intercept
	for j, b := range m.Coefficients {
		y += b * x[j]
	}
	return y
}

// Fit returns the b and b0 that make ‖y − Xb − b0‖² + alpha‖b‖² least over the rows added so far. Alpha must be positive; it
// fails without rows, and if the rows hold numbers too large to compute with.
func (f *Factor) Fit(alpha float64) (Fit, error) {
	f.fold()
	if !(alpha > 0) || math.IsInf(alpha, 1) {
		return Fit{}, apperror.New(apperror.Invalid, "alpha is %v: it must be a positive number", alpha)
	}
	if f.rows == 0 {
		return Fit{}, apperror.New(apperror.FailedPrecondition, "there are no rows to fit a model on")
	}
	b, err := f.solve(alpha)
	if err != nil {
		return Fit{}, err
	}
	fit := Fit{Coefficients: b, Intercept: f.mean(f.features)}
	for j := range b {
		if f.deviation(j) == 0 {
			b[j] = 0 // a constant feature explains nothing; what the solver leaves there is rounding
		}
		b[j] += 0 // no negative zero
		fit.Intercept -= b[j] * f.mean(j)
	}
	if !finite(fit.Intercept) || slices.ContainsFunc(b, func(v float64) bool { return !finite(v) }) {
		return Fit{}, apperror.New(apperror.FailedPrecondition,
			"the rows hold numbers too large to fit a model on; check the number columns for absurd values")
	}
	return fit, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// solve returns the b that makes ‖[rxy; 0] − [Rxx; √alpha·I]·b‖ least: ridge as plain least squares on the factor of the centred rows.
//
// The sizes in that system may lie far apart: √alpha is below 1, an outlier may be 1e9. Orthogonal elimination loses the small rows'
// digits to the large ones unless it meets large columns and large rows first, so both are put in that order.
func (f *Factor) solve(alpha float64) ([]float64, error) {
	if f.features == 0 {
		return nil, nil
	}
	order := f.bySize()
	equations := make([]equation, 0, 2*f.features+1)
	for i := range f.features {
		e := newEquation(f.features)
		for k, j := range order {
			if j >= i {
				e.x[k] = f.at(i+1, j+1)
			}
		}
		e.y = f.at(i+1, f.features+1)
		equations = append(equations, e)
	}
	for k := range f.features {
		e := newEquation(f.features)
		e.x[k] = math.Sqrt(alpha)
		equations = append(equations, e)
	}
	slices.SortStableFunc(equations, func(a, b equation) int { return cmp.Compare(b.size(), a.size()) })
	sorted, err := leastSquares(equations)
	if err != nil {
		return nil, err
	}
	b := make([]float64, f.features)
	for k, j := range order {
		b[j] = sorted[k]
	}
	return b, nil
}

// bySize returns the features, the one that deviates most from its mean first.
func (f *Factor) bySize() []int {
	size := make([]float64, f.features)
	order := make([]int, f.features)
	for j := range order {
		order[j], size[j] = j, f.deviation(j)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(size[b], size[a]) })
	return order
}

// equation is one row of a least-squares system without intercept.
type equation struct {
	x []float64
	y float64
}

func newEquation(p int) equation { return equation{x: make([]float64, p)} }

func (e equation) size() float64 {
	largest := 0.0
	for _, v := range e.x {
		largest = max(largest, math.Abs(v))
	}
	return largest
}

func (e equation) negative() equation {
	n := newEquation(len(e.x))
	for j, v := range e.x {
		n.x[j] = -v
	}
	n.y = -e.y
	return n
}

// leastSquares solves the equations. Every one goes in with its negative: the regression's built-in intercept is then zero up to
// rounding, and ignored. The first pair is empty, because eliminating the intercept adds a share of the first row to all others.
func leastSquares(equations []equation) ([]float64, error) {
	var r regression.Regression
	for _, e := range append([]equation{newEquation(len(equations[0].x))}, equations...) {
		n := e.negative()
		r.Train(regression.DataPoint(e.y, e.x), regression.DataPoint(n.y, n.x))
	}
	if err := r.Run(); err != nil {
		return nil, apperror.Wrap(apperror.Internal, err, "solve the ridge system")
	}
	return r.GetCoeffs()[1:], nil
}

// RMSE returns the root of the mean squared error of a fit over the rows added so far: ‖R·(b0, b, −1)‖/√n. It is NaN without
// rows.
func (f *Factor) RMSE(fit Fit) float64 {
	f.fold()
	if f.rows == 0 {
		return math.NaN()
	}
	m := f.features + 2
	v := make([]float64, m)
	v[0] = fit.Intercept - f.origin[f.features]
	for j, b := range fit.Coefficients {
		v[j+1] = b
		v[0] += b * f.origin[j]
	}
	v[m-1] = -1
	length := 0.0
	for i := range m {
		sum := 0.0
		for j := i; j < m; j++ {
			sum += f.at(i, j) * v[j]
		}
		length = math.Hypot(length, sum)
	}
	return length / math.Sqrt(float64(f.rows))
}
