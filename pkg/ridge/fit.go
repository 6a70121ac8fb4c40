package ridge

import (
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
	system := f.system(alpha)
	b, err := system.solve(system.observed)
	if err != nil {
		return Fit{}, err
	}
	fit := Fit{Coefficients: b, Intercept: f.mean(f.features)}
	for j, v := range b {
		fit.Intercept -= v * f.mean(j)
	}
	if !finite(fit.Intercept) || slices.ContainsFunc(b, func(v float64) bool { return !finite(v) }) {
		return Fit{}, apperror.New(apperror.FailedPrecondition,
			"the rows hold numbers too large to fit a model on; check the number columns for absurd values")
	}
	return fit, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// rows is a least-squares system without intercept.
type rows struct {
	variables [][]float64
	observed  []float64
}

// system returns [Rxx; √alpha·I] and [rxy; 0]: ridge as plain least squares on the factor of the centred rows.
func (f *Factor) system(alpha float64) rows {
	var s rows
	for i := range f.features {
		row := make([]float64, f.features)
		for j := i; j < f.features; j++ {
			row[j] = f.at(i+1, j+1)
		}
		s.add(row, f.at(i+1, f.features+1))
	}
	for i := range f.features {
		row := make([]float64, f.features)
		row[i] = math.Sqrt(alpha)
		s.add(row, 0)
	}
	return s
}

func (s *rows) add(variables []float64, observed float64) {
	s.variables = append(s.variables, variables)
	s.observed = append(s.observed, observed)
}

// solve returns the b that makes ‖observed − variables·b‖ least. Every row goes in with its negative: the regression's built-in
// intercept is then zero up to rounding, and ignored.
func (s rows) solve(observed []float64) ([]float64, error) {
	if len(s.variables) == 0 {
		return nil, nil
	}
	var r regression.Regression
	for i, row := range s.variables {
		negative := make([]float64, len(row))
		for j, v := range row {
			negative[j] = -v
		}
		r.Train(regression.DataPoint(observed[i], row), regression.DataPoint(-observed[i], negative))
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
