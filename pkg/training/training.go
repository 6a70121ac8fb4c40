// Package training is the use case that the DAG and the offline command share: clean rows of three splits in, a chosen alpha, a
// refitted model and its errors out. It reads every row once and keeps none but a sample.
package training

import (
	"context"
	"math"
	"slices"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/ridge"
)

// Part gives one split's clean rows, in order.
type Part interface {
	// Columns returns the names of the features, without price.
	Columns() []string
	// Each calls fn with the features, in the order of Columns, and the price of every row. fn keeps neither; an error of fn
	// ends the walk and is returned.
	Each(ctx context.Context, fn func(x []float64, price float64) error) error
}

// Parts holds the three splits.
type Parts struct{ Train, Validation, Test Part }

// Options says how to train.
type Options struct {
	Alphas     []float64             // tried in this order; empty means DefaultAlphas
	OnProgress func(done, total int) // called now and then, never twice at a time, with rows read; total is 0 unless all parts are Sized
	Concurrent bool                  // walk the parts at the same time, which they must allow
}

// Sized is a Part that knows how many rows it will give.
type Sized interface{ Len() int }

// DefaultAlphas returns the alphas of the recipe.
func DefaultAlphas() []float64 { return []float64{0.01, 0.1, 1, 10, 100} }

// AlphaRMSE is the error on validation of the model fitted on train with one alpha.
type AlphaRMSE struct{ Alpha, RMSE float64 }

// FeatureStats describes one feature over the rows that the final model was fitted on. StdDev is over n, not n−1.
type FeatureStats struct {
	Name   string
	Mean   float64
	StdDev float64
	Min    float64
	Max    float64
}

// Rows counts the rows of every split.
type Rows struct{ Train, Validation, Test int }

// Result is what training finds.
type Result struct {
	Features     []string    // the union of the parts' columns, sorted by code point
	ValRMSE      []AlphaRMSE // in the order of Options.Alphas
	BestAlpha    float64
	BestValRMSE  float64
	TestRMSE     float64
	Intercept    float64
	Coefficients []float64 // of Features
	Rows         Rows
	Stats        []FeatureStats // of Features, over train and validation
	Target       FeatureStats   // of the price, over train and validation
	TrainSample  *Sample        // rows of train, over Features
	TestSample   *Sample        // rows of test, over Features: the model never saw them
}

// Run trains on the parts. An empty part, an alpha that is not positive and numbers too large to compute with are errors.
func Run(ctx context.Context, parts Parts, opt Options) (Result, error) {
	if len(opt.Alphas) == 0 {
		opt.Alphas = DefaultAlphas()
	}
	result := Result{Features: union(parts)}
	folds, err := foldAll(ctx, parts, result.Features, opt)
	if err != nil {
		return Result{}, err
	}
	train, validation, test := folds[0].factor, folds[1].factor, folds[2].factor
	result.TrainSample, result.TestSample = folds[0].sample, folds[2].sample
	result.Rows = Rows{Train: train.Rows(), Validation: validation.Rows(), Test: test.Rows()}
	if err := result.Rows.check(); err != nil {
		return Result{}, err
	}
	for _, alpha := range opt.Alphas {
		fit, err := train.Fit(alpha)
		if err != nil {
			return Result{}, err
		}
		result.ValRMSE = append(result.ValRMSE, AlphaRMSE{Alpha: alpha, RMSE: validation.RMSE(fit)})
	}
	best, err := choose(result.ValRMSE, max(train.Span(), validation.Span()))
	if err != nil {
		return Result{}, err
	}
	result.BestAlpha, result.BestValRMSE = best.Alpha, best.RMSE
	train.Merge(validation)
	final, err := train.Fit(best.Alpha)
	if err != nil {
		return Result{}, err
	}
	result.Coefficients, result.Intercept = final.Coefficients, final.Intercept
	result.TestRMSE = test.RMSE(final)
	result.describe(train)
	return result, nil
}

// check refuses an empty split.
func (r Rows) check() error {
	if r.Train > 0 && r.Validation > 0 && r.Test > 0 {
		return nil
	}
	return TooFew(r.Train + r.Validation + r.Test)
}

// TooFew is the error for n rows that leave a split empty.
func TooFew(n int) error {
	return apperror.New(apperror.FailedPrecondition, "%d rows are too few: train, validation and test each need one", n)
}

// Check refuses n rows that leave a split empty.
func Check(n int) error {
	a, b := dataset.Cuts(n)
	return Rows{Train: a, Validation: b - a, Test: n - b}.check()
}

// tie is how near to the least error another one counts as equal, relative to it or to the largest price.
const tie = 1e-12

// choose returns the first alpha whose error is the least or ties with it. scale is the largest absolute price.
func choose(tried []AlphaRMSE, scale float64) (AlphaRMSE, error) {
	least := math.Inf(1)
	for _, t := range tried {
		least = min(least, t.RMSE) // NaN if any is NaN
	}
	for _, t := range tried {
		if t.RMSE-least <= tie*max(least, scale) {
			return t, nil
		}
	}
	return AlphaRMSE{}, apperror.New(apperror.FailedPrecondition,
		"no alpha gave a finite error on validation; check the number columns for absurd values")
}

func (r *Result) describe(f *ridge.Factor) {
	for j, c := range f.Describe() {
		s := FeatureStats{Mean: c.Mean, StdDev: c.StdDev, Min: c.Min, Max: c.Max}
		if j < len(r.Features) {
			s.Name = r.Features[j]
			r.Stats = append(r.Stats, s)
			continue
		}
		s.Name = "price"
		r.Target = s
	}
}

// union returns the parts' columns sorted by code point, each once.
func union(parts Parts) []string {
	var all []string
	for _, p := range parts.list() {
		all = append(all, p.Columns()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (p Parts) list() []Part { return []Part{p.Train, p.Validation, p.Test} }
