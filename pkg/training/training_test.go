package training_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/training"
)

// memory is a Part that holds its rows.
type memory struct {
	columns []string
	x       [][]float64
	y       []float64
	err     error
}

func (m memory) Columns() []string { return m.columns }

func (m memory) Each(_ context.Context, fn func([]float64, float64) error) error {
	row := make([]float64, len(m.columns))
	for i, x := range m.x {
		copy(row, x) // the same slice for every row, as a part may do
		if err := fn(row, m.y[i]); err != nil {
			return err
		}
	}
	return m.err
}

func one(y ...float64) memory {
	m := memory{columns: []string{"bed"}}
	for i, v := range y {
		m.x, m.y = append(m.x, []float64{float64(i + 1)}), append(m.y, v)
	}
	return m
}

// Train: bed 1, 2, 3, price 2, 4, 9 → b = 7/(2+alpha), through (2, 5). Validation: bed 1, 2, price 1, 6.
// Train and validation: bed means 9/5, Sxx = 19-81/5 = 2.8, price mean 4.4, Sxy = 50-39.6 = 10.4 → b = 10.4/(2.8+alpha).
// Test: bed 1, price 3.
func TestRunByHand(t *testing.T) {
	result, err := training.Run(context.Background(), training.Parts{Train: one(2, 4, 9), Validation: one(1, 6), Test: one(3)},
		training.Options{Alphas: []float64{5, 1.5}})
	require.NoError(t, err)
	require.Equal(t, []string{"bed"}, result.Features)
	require.Equal(t, training.Rows{Train: 3, Validation: 2, Test: 1}, result.Rows)
	require.Equal(t, 5.0, result.ValRMSE[0].Alpha)
	require.InDelta(t, math.Sqrt((9.0+1)/2), result.ValRMSE[0].RMSE, 1e-12)                                // b = 1: predicts 4 and 5
	require.InDelta(t, math.Sqrt((2*2+1*1)/2.0), result.ValRMSE[1].RMSE, 1e-12, "b = 2: predicts 3 and 5") // errors -2 and 1
	require.Equal(t, 1.5, result.BestAlpha)
	require.Equal(t, result.ValRMSE[1].RMSE, result.BestValRMSE)
	b := 10.4 / 4.3
	require.InDelta(t, b, result.Coefficients[0], 1e-12)
	require.InDelta(t, 4.4-1.8*b, result.Intercept, 1e-12)
	require.InDelta(t, math.Abs(3-(4.4-0.8*b)), result.TestRMSE, 1e-12)
	s := result.Stats[0]
	require.Equal(t, "bed", s.Name)
	require.InDelta(t, 1.8, s.Mean, 1e-12)
	require.InDelta(t, math.Sqrt(2.8/5), s.StdDev, 1e-12)
	require.Equal(t, [2]float64{1, 3}, [2]float64{s.Min, s.Max})
	require.Equal(t, "price", result.Target.Name)
	require.InDelta(t, 4.4, result.Target.Mean, 1e-12)
}

func TestFeaturesAreTheSortedUnionAndAbsentOnesAreZero(t *testing.T) {
	wide := func(columns []string, x [][]float64, y ...float64) memory {
		return memory{columns: columns, x: x, y: y}
	}
	parts := training.Parts{
		Train:      wide([]string{"status_b", "bed"}, [][]float64{{1, 5}, {0, 6}, {1, 9}}, 10, 20, 30),
		Validation: wide([]string{"bed", "status_a"}, [][]float64{{7, 1}}, 5),
		Test:       wide([]string{"bed", "status_Z"}, [][]float64{{8, 1}}, 5),
	}
	result, err := training.Run(context.Background(), parts, training.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"bed", "status_Z", "status_a", "status_b"}, result.Features)
	require.Len(t, result.ValRMSE, 5)
	require.Zero(t, result.Coefficients[1], "only the test rows have it")
	// The same rows with every column written out.
	same := training.Parts{
		Train:      wide(result.Features, [][]float64{{5, 0, 0, 1}, {6, 0, 0, 0}, {9, 0, 0, 1}}, 10, 20, 30),
		Validation: wide(result.Features, [][]float64{{7, 0, 1, 0}}, 5),
		Test:       wide(result.Features, [][]float64{{8, 1, 0, 0}}, 5),
	}
	again, err := training.Run(context.Background(), same, training.Options{Concurrent: true})
	require.NoError(t, err)
	require.Equal(t, result, again)
}

// With a price that never varies every alpha predicts it: a tie, and the first listed wins. So does one that is better only by
// what rounding leaves.
func TestTheFirstListedAlphaWinsATie(t *testing.T) {
	flat := training.Parts{Train: one(1e6, 1e6, 1e6), Validation: one(1e6, 1e6), Test: one(1e6)}
	for _, alphas := range [][]float64{{10, 0.01, 1}, {0.01, 10}, {100, 0.1}} {
		result, err := training.Run(context.Background(), flat, training.Options{Alphas: alphas})
		require.NoError(t, err)
		require.Equal(t, alphas[0], result.BestAlpha)
	}
	// The errors differ by about 1e-14 of the price, and 0.02 is the better one by that.
	nearly := training.Parts{Train: one(1e6, 1e6+1e-6, 1e6), Validation: one(1e6, 1e6+3e-7), Test: one(1e6)}
	result, err := training.Run(context.Background(), nearly, training.Options{Alphas: []float64{0.01, 0.02}})
	require.NoError(t, err)
	require.Equal(t, 0.01, result.BestAlpha)
}

func TestAnEmptyPartIsOneSentence(t *testing.T) {
	full := one(1, 2, 3)
	for name, c := range map[string]struct {
		parts training.Parts
		says  string
	}{
		"train":      {training.Parts{Train: one(), Validation: full, Test: full}, "6 rows are too few: train, validation and test each need one"},
		"validation": {training.Parts{Train: one(1), Validation: one(), Test: one(1)}, "2 rows are too few"},
		"test":       {training.Parts{Train: full, Validation: full, Test: one()}, "6 rows are too few"},
	} {
		_, err := training.Run(context.Background(), c.parts, training.Options{})
		require.EqualError(t, err, c.says+cut(c.says), name)
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
	}
	require.NoError(t, training.Check(3))
	require.EqualError(t, training.Check(2), "2 rows are too few: train, validation and test each need one")
	require.Error(t, training.Check(0))
}

// cut completes the sentence that a case may begin.
func cut(says string) string {
	if len(says) > len("2 rows are too few") {
		return ""
	}
	return ": train, validation and test each need one"
}

func TestRunRefuses(t *testing.T) {
	full := one(1, 2, 4)
	parts := training.Parts{Train: full, Validation: full, Test: full}
	for _, alpha := range []float64{0, -1, math.NaN()} {
		_, err := training.Run(context.Background(), parts, training.Options{Alphas: []float64{alpha}})
		require.ErrorContains(t, err, "positive number")
	}
	parts.Train = one(1e308, -1e308, 1e308)
	_, err := training.Run(context.Background(), parts, training.Options{})
	require.ErrorContains(t, err, "too large")
	parts.Train = full
	parts.Validation = one(1e308, -1e308)
	_, err = training.Run(context.Background(), parts, training.Options{})
	require.ErrorContains(t, err, "absurd")
}

func TestAPartsErrorEndsTheRun(t *testing.T) {
	lost := errors.New("the database is gone")
	bad := one(1, 2)
	bad.err = lost
	for _, concurrent := range []bool{false, true} {
		parts := training.Parts{Train: one(1, 2, 3), Validation: bad, Test: one(3)}
		_, err := training.Run(context.Background(), parts, training.Options{Concurrent: concurrent})
		require.ErrorIs(t, err, lost)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := training.Run(ctx, training.Parts{Train: one(1, 2, 3), Validation: one(1), Test: one(3)}, training.Options{})
	require.ErrorIs(t, err, context.Canceled)
}

// sized is a memory that knows its length.
type sized struct{ memory }

func (s sized) Len() int { return len(s.y) }

func TestProgressCountsEveryRow(t *testing.T) {
	long := make([]float64, 40_000)
	for i := range long {
		long[i] = float64(i)
	}
	parts := training.Parts{Train: sized{one(long...)}, Validation: sized{one(long[:20_000]...)}, Test: sized{one(long[:7]...)}}
	last, calls := 0, 0
	_, err := training.Run(context.Background(), parts, training.Options{OnProgress: func(done, total int) {
		require.Equal(t, 60_007, total)
		require.GreaterOrEqual(t, done, last)
		last = done
		calls++
	}})
	require.NoError(t, err)
	require.Equal(t, 60_007, last)
	require.Greater(t, calls, 3)
}

// A sample is the first rows of its split, over all features, and never more than its limit.
func TestTheFirstRowsOfTrainAndTestAreKept(t *testing.T) {
	long := make([]float64, training.SampleRows+500)
	for i := range long {
		long[i] = float64(i % 1000)
	}
	test := one(7, 8)
	test.columns = []string{"status_sold"}
	parts := training.Parts{Train: one(long...), Validation: one(1, 2), Test: test}
	result, err := training.Run(context.Background(), parts, training.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"bed", "status_sold"}, result.Features)
	require.Equal(t, training.SampleRows, result.TrainSample.Rows())
	for _, i := range []int{0, 1, training.SampleRows - 1} {
		x, price := result.TrainSample.Row(i)
		require.Equal(t, []float64{float64(i + 1), 0}, x)
		require.Equal(t, long[i], price)
	}
	require.Equal(t, 2, result.TestSample.Rows())
	x, price := result.TestSample.Row(1)
	require.Equal(t, []float64{0, 2}, x)
	require.Equal(t, 8.0, price)
	require.Zero(t, (*training.Sample)(nil).Rows())
}
