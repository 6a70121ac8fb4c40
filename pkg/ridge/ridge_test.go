package ridge_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/ridge"
)

// rows is a small data set.
type rows struct {
	x [][]float64
	y []float64
}

func factorOf(r rows) *ridge.Factor {
	f := ridge.NewFactor(len(r.x[0]))
	for i, x := range r.x {
		f.Add(x, r.y[i])
	}
	return f
}

// random makes n rows of p features, whose columns may differ in size by powers of ten, and outliers in the first of them.
func random(seed uint64, n, p int, spread float64, outlier float64) rows {
	rng := rand.New(rand.NewPCG(seed, 1)) // #nosec G404 -- test data
	var r rows
	for i := range n {
		x := make([]float64, p)
		for j := range x {
			x[j] = math.Round(rng.NormFloat64()*1000) / 1000 * math.Pow(spread, float64(j))
		}
		y := 1000 * rng.NormFloat64()
		for j, v := range x {
			y += v * float64(j+1)
		}
		if outlier != 0 && i%50 == 3 {
			x[0] = outlier
		}
		r.x, r.y = append(r.x, x), append(r.y, y)
	}
	return r
}

func rmse(r rows, fit ridge.Fit) float64 {
	sum := 0.0
	for i, x := range r.x {
		e := r.y[i] - fit.Predict(x)
		sum += e * e
	}
	return math.Sqrt(sum / float64(len(r.y)))
}

func requireClose(t *testing.T, want, got, tolerance float64, what string) {
	t.Helper()
	require.LessOrEqual(t, math.Abs(got-want), tolerance*max(math.Abs(want), 1e-300), "%s: %v, want %v", what, got, want)
}

// One feature: b = Sxy/(Sxx+alpha). With x = 1, 2, 3 and y = 2, 4, 9: means 2 and 5, Sxx = 2, Sxy = 7, Syy = 26.
func TestOneFeatureByHand(t *testing.T) {
	f := factorOf(rows{x: [][]float64{{1}, {2}, {3}}, y: []float64{2, 4, 9}})
	for alpha, b := range map[float64]float64{0.01: 7 / 2.01, 1: 7.0 / 3, 5: 1, 12: 0.5} {
		fit, err := f.Fit(alpha)
		require.NoError(t, err)
		requireClose(t, b, fit.Coefficients[0], 1e-15, "coefficient")
		requireClose(t, 5-2*b, fit.Intercept, 1e-14, "intercept")
		requireClose(t, math.Sqrt((26-2*b*7+b*b*2)/3), f.RMSE(fit), 1e-14, "RMSE")
	}
}

// Two features: x = (1,0), (0,1), (0,0), (1,1), y = 1, 2, 0, 6: centred XᵀX is the identity, Xᵀy = (2.5, 3.5), so b = Xᵀy/(1+alpha).
func TestTwoFeaturesByHand(t *testing.T) {
	f := factorOf(rows{x: [][]float64{{1, 0}, {0, 1}, {0, 0}, {1, 1}}, y: []float64{1, 2, 0, 6}})
	fit, err := f.Fit(1)
	require.NoError(t, err)
	requireClose(t, 1.25, fit.Coefficients[0], 1e-15, "first")
	requireClose(t, 1.75, fit.Coefficients[1], 1e-15, "second")
	requireClose(t, 0.75, fit.Intercept, 1e-14, "intercept") // 2.25 - 0.5*(1.25+1.75)
}

func TestStatisticsByHand(t *testing.T) {
	f := factorOf(rows{x: [][]float64{{2, 7}, {4, 7}, {9, 7}}, y: []float64{-3, 0, 3}})
	c := f.Describe()
	require.Len(t, c, 3)
	requireClose(t, 5, c[0].Mean, 1e-15, "mean")
	requireClose(t, math.Sqrt(26.0/3), c[0].StdDev, 1e-15, "deviation") // (9+1+16)/3
	require.Equal(t, [2]float64{2, 9}, [2]float64{c[0].Min, c[0].Max})
	require.Equal(t, ridge.Column{Mean: 7, StdDev: 0, Min: 7, Max: 7}, c[1], "a constant is exact")
	requireClose(t, math.Sqrt(6), c[2].StdDev, 1e-15, "deviation of the target")
	require.Equal(t, 3.0, f.Span())
	require.Equal(t, 3, f.Rows())
}

func TestOneRowFitsItsTarget(t *testing.T) {
	f := factorOf(rows{x: [][]float64{{3, 1e9, 0}}, y: []float64{250000}})
	fit, err := f.Fit(0.01)
	require.NoError(t, err)
	require.Equal(t, []float64{0, 0, 0}, fit.Coefficients)
	require.Equal(t, 250000.0, fit.Intercept)
	require.Zero(t, f.RMSE(fit))
}

func TestConstantFeatureGetsNoCoefficient(t *testing.T) {
	r := random(1, 700, 3, 10, 0)
	for i := range r.x {
		r.x[i][1] = 1000000007.5
	}
	fit, err := factorOf(r).Fit(0.01)
	require.NoError(t, err)
	require.Zero(t, fit.Coefficients[1])
	require.False(t, math.Signbit(fit.Coefficients[1]))
}

// Every fit must agree with the normal equations solved in 200 bits, however the columns are scaled and whatever the rank is.
func TestFitIsExactToTheLastDigits(t *testing.T) {
	for name, c := range map[string]struct {
		r         rows
		tolerance float64
	}{
		"tidy":                       {random(2, 300, 5, 1, 0), 1e-14},
		"columns 1 to 1e8":           {random(3, 200, 5, 100, 0), 1e-14},
		"columns 1 to 1e-8":          {random(4, 200, 5, 0.01, 0), 1e-14},
		"outliers of 1e9":            {random(5, 400, 6, 3, 1e9), 1e-14},
		"outliers of 1e12":           {random(6, 400, 6, 3, 1e12), 1e-14},
		"fewer rows than features":   {random(7, 4, 9, 5, 0), 1e-14},
		"few rows, an outlier":       {random(8, 5, 7, 10, 2147483647), 1e-13},
		"two rows":                   {random(9, 2, 6, 30, 0), 1e-14},
		"a feature twice":            {twice(random(10, 150, 4, 10, 0)), 1e-14},
		"almost a feature twice":     {almostTwice(random(11, 150, 4, 1, 0)), 1e-8}, // its condition is above 1e6
		"large means, small spreads": {shifted(random(12, 150, 4, 1, 0), 1e6), 1e-12},
	} {
		t.Run(name, func(t *testing.T) {
			f := factorOf(c.r)
			columns := f.Describe()
			spread := columns[len(columns)-1].StdDev
			for _, alpha := range []float64{0.01, 1, 100} {
				fit, err := f.Fit(alpha)
				require.NoError(t, err)
				b, b0 := exactRidge(c.r.x, c.r.y, alpha)
				for j := range b { // what the error of a coefficient does to a typical prediction
					effect := math.Abs(fit.Coefficients[j]-b[j]) * columns[j].StdDev
					require.LessOrEqual(t, effect, c.tolerance*spread, "alpha %v: coefficient %v, want %v", alpha, fit.Coefficients[j], b[j])
				}
				want := rmse(c.r, ridge.Fit{Coefficients: b, Intercept: b0})
				require.InDelta(t, want, f.RMSE(fit), 1e-12*(want+spread))
			}
		})
	}
}

func twice(r rows) rows {
	for i := range r.x {
		r.x[i] = append(r.x[i], r.x[i][0])
	}
	return r
}

func almostTwice(r rows) rows {
	for i := range r.x {
		r.x[i] = append(r.x[i], r.x[i][0]+1e-6*float64(i%7))
	}
	return r
}

func shifted(r rows, by float64) rows {
	for i := range r.x {
		for j := range r.x[i] {
			r.x[i][j] += by
		}
		r.y[i] += by
	}
	return r
}

func TestRMSEIsThatOfTheResiduals(t *testing.T) {
	train, other := random(13, 2000, 6, 4, 0), shifted(random(14, 1300, 6, 4, 1e5), 50)
	fit, err := factorOf(train).Fit(1)
	require.NoError(t, err)
	requireClose(t, rmse(train, fit), factorOf(train).RMSE(fit), 1e-12, "on its own rows")
	requireClose(t, rmse(other, fit), factorOf(other).RMSE(fit), 1e-12, "on other rows")
}

func TestMergedFactorsAreThatOfAllRows(t *testing.T) {
	all := random(15, 3000, 5, 6, 1e6)
	part := func(from, to int) *ridge.Factor { return factorOf(rows{all.x[from:to], all.y[from:to]}) }
	whole := factorOf(all)
	left := part(0, 700) // (a + b) + c
	left.Merge(part(700, 703))
	left.Merge(part(703, 3000))
	tail := part(700, 703) // a + (b + c)
	tail.Merge(part(703, 3000))
	right := part(0, 700)
	right.Merge(tail)
	intoEmpty := ridge.NewFactor(5)
	intoEmpty.Merge(whole)
	whole.Merge(ridge.NewFactor(5))
	want, err := factorOf(all).Fit(0.1)
	require.NoError(t, err)
	for name, f := range map[string]*ridge.Factor{"left": left, "right": right, "into an empty one": intoEmpty, "with an empty one": whole} {
		require.Equal(t, 3000, f.Rows(), name)
		fit, err := f.Fit(0.1)
		require.NoError(t, err, name)
		for j := range fit.Coefficients {
			requireClose(t, want.Coefficients[j], fit.Coefficients[j], 1e-11, name)
		}
		requireClose(t, want.Intercept, fit.Intercept, 1e-10, name)
		requireClose(t, rmse(all, fit), f.RMSE(fit), 1e-12, name)
		requireClose(t, whole.Describe()[0].StdDev, f.Describe()[0].StdDev, 1e-12, name)
		require.Equal(t, whole.Describe()[2].Max, f.Describe()[2].Max, name)
	}
}

func TestMergeAndCloneLeaveTheOtherAlone(t *testing.T) {
	a, b := random(16, 900, 3, 2, 0), random(17, 40, 3, 2, 0)
	other := factorOf(b)
	before, err := other.Fit(1)
	require.NoError(t, err)
	f := factorOf(a)
	kept := f.Clone()
	f.Merge(other)
	after, err := other.Fit(1)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Equal(t, 900, kept.Rows())
	fit, err := kept.Fit(1)
	require.NoError(t, err)
	requireClose(t, rmse(a, fit), kept.RMSE(fit), 1e-12, "the clone")
}

func TestRowsCanBeAddedAfterAFit(t *testing.T) {
	r := random(18, 1500, 4, 2, 0)
	f := ridge.NewFactor(4)
	for i, x := range r.x {
		f.Add(x, r.y[i])
		if i == 10 || i == 1000 {
			_, err := f.Fit(1)
			require.NoError(t, err)
		}
	}
	got, err := f.Fit(1)
	require.NoError(t, err)
	want, err := factorOf(r).Fit(1)
	require.NoError(t, err)
	for j := range want.Coefficients {
		requireClose(t, want.Coefficients[j], got.Coefficients[j], 1e-12, "coefficient")
	}
}

func TestAHundredFeatures(t *testing.T) {
	r := random(19, 200, 105, 1, 0)
	f := factorOf(r)
	fit, err := f.Fit(0.01)
	require.NoError(t, err)
	b, _ := exactRidge(r.x, r.y, 0.01)
	for j := range b {
		requireClose(t, b[j], fit.Coefficients[j], 1e-10, "coefficient")
	}
}

func TestFitRefuses(t *testing.T) {
	f := factorOf(rows{x: [][]float64{{1}, {2}}, y: []float64{1, 2}})
	for _, alpha := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		_, err := f.Fit(alpha)
		require.ErrorContains(t, err, "positive")
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
	}
	_, err := ridge.NewFactor(1).Fit(1)
	require.ErrorContains(t, err, "no rows")
	require.True(t, math.IsNaN(ridge.NewFactor(1).RMSE(ridge.Fit{Coefficients: []float64{1}})))
	huge := factorOf(rows{x: [][]float64{{1e308}, {-1e308}, {1e308}, {1}}, y: []float64{1e308, -1e308, 5, 1}})
	_, err = huge.Fit(1)
	require.ErrorContains(t, err, "too large")
}

func BenchmarkFactor(b *testing.B) {
	for _, p := range []int{8, 105} {
		b.Run(map[int]string{8: "8 features", 105: "105 features"}[p], func(b *testing.B) {
			r := random(20, 1024, p, 1, 0)
			f := ridge.NewFactor(p)
			b.ReportAllocs()
			rows := 0
			for b.Loop() {
				for i, x := range r.x {
					f.Add(x, r.y[i])
				}
				rows += len(r.x)
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkFiveAlphas(b *testing.B) {
	f := factorOf(random(21, 5000, 8, 1, 0))
	for b.Loop() {
		for _, alpha := range []float64{0.01, 0.1, 1, 10, 100} {
			if _, err := f.Fit(alpha); err != nil {
				b.Fatal(err)
			}
		}
	}
}
