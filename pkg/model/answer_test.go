package model_test

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/drift"
	"tasador/pkg/model"
	"tasador/pkg/property"
	"tasador/pkg/testkit/modeltest"
	"tasador/pkg/training"
)

func priceOf(m *model.Model, x []float64) float64 {
	sum := 0.0
	for i, c := range m.Coefficients {
		sum += c * x[i]
	}
	return sum + m.Intercept
}

// calibrated is a model that says 100 for everything, whose test rows lie -k … k dollars around that.
func calibrated(t *testing.T, k int) *model.Model {
	t.Helper()
	r := handmade()
	clear(r.Coefficients)
	r.Intercept = 100
	r.TrainSample, r.TestSample = training.NewSample(6), training.NewSample(6)
	for i := -k; i <= k; i++ {
		r.TrainSample.Add(make([]float64, 6), 100)
		r.TestSample.Add(make([]float64, 6), 100+float64(i))
	}
	m, err := model.New(r, "run", modeltest.AsOf())
	require.NoError(t, err)
	return m
}

// With 199 residuals -99 … 99 an interval of 90 % leaves out 5 % on either side: rank ⌈200·0.95⌉ = 190 of 199, which is 90. One of 91 % has
// rank 191, and so has every level above 90 % up to there.
func TestAnIntervalByHand(t *testing.T) {
	m := calibrated(t, 99)
	for level, reach := range map[float64]float64{0.5: 50, 0.8: 80, 0.9: 90, 0.91: 91, 0.902: 91, 0.95: 95, 0.99: 99} {
		got, err := m.Interval(100, level)
		require.NoError(t, err)
		require.Equal(t, model.Interval{Level: level, Low: 100 - reach, High: 100 + reach}, got, level)
	}
	got, err := m.Interval(10, 0.9)
	require.NoError(t, err)
	require.Equal(t, model.Interval{Level: 0.9, Low: 0, High: 100}, got, "no price is negative")
	for _, level := range []float64{0, 0.499, 0.991, 1, math.NaN(), math.Inf(1)} {
		_, err := m.Interval(100, level)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
	}
	// 19 rows are enough for 90 %, whose rank is 19, and for no more.
	few := calibrated(t, 9)
	got, err = few.Interval(100, 0.9)
	require.NoError(t, err)
	require.Equal(t, model.Interval{Level: 0.9, Low: 91, High: 109}, got)
	_, err = few.Interval(100, 0.905)
	require.ErrorContains(t, err, "too few rows")
}

// TestNewPricesLieInTheIntervalAsOftenAsItSays leaves out every fifth row in turn, trains and calibrates on the others and counts how many of
// those left out lie in their interval: of all, and of each fifth by predicted price.
func TestNewPricesLieInTheIntervalAsOftenAsItSays(t *testing.T) {
	const folds = 5
	listings := readListings(t, modeltest.File(t, 3, 12_000))
	rand.New(rand.NewPCG(8, 8)).Shuffle(len(listings), func(i, j int) { listings[i], listings[j] = listings[j], listings[i] })
	type outcome struct{ prediction, low, high, price float64 }
	for _, level := range []float64{0.5, 0.9, 0.95} {
		var all []outcome
		for fold := range folds {
			var used, left []property.Listing
			for i, l := range listings {
				if i%folds == fold {
					left = append(left, l)
				} else {
					used = append(used, l)
				}
			}
			m := modeltest.TrainOn(t, used, "run")
			x, prices := modeltest.Encode(t, m.Schema.Features, left)
			for i := range x {
				o := outcome{prediction: priceOf(m, x[i]), price: prices[i]}
				interval, err := m.Interval(o.prediction, level)
				require.NoError(t, err)
				o.low, o.high = interval.Low, interval.High
				all = append(all, o)
			}
		}
		slices.SortFunc(all, func(a, b outcome) int {
			if a.prediction < b.prediction {
				return -1
			}
			return 1
		})
		share := func(of []outcome) float64 {
			inside := 0
			for _, o := range of {
				if o.low <= o.price && o.price <= o.high {
					inside++
				}
			}
			return float64(inside) / float64(len(of))
		}
		var parts []float64
		for k := range 5 {
			parts = append(parts, share(all[k*len(all)/5:(k+1)*len(all)/5]))
		}
		t.Logf("%.0f %% interval: %.4f of %d rows, by fifths %.3f", 100*level, share(all), len(all), parts)
		require.InDelta(t, level, share(all), 0.02)
		for _, p := range parts {
			require.InDelta(t, level, p, 0.05)
		}
	}
}

// The base and all contributions add up to the price, each computed as it stands in the definition.
func TestContributionsAddUpToThePrice(t *testing.T) {
	m := modeltest.Train(t, 5)
	for _, l := range modeltest.Listings(6, 500) {
		p, err := m.Predict(l, modeltest.AsOf())
		require.NoError(t, err)
		parts := m.Contributions(p.Features, nil)
		sum, scale := m.Base(), math.Abs(m.Base())
		for i, part := range parts {
			require.InDelta(t, m.Coefficients[i]*(p.Features[i]-float64(m.Training.Statistics[i].Mean)), part, 1e-12*math.Abs(part))
			sum += part
			scale = max(scale, math.Abs(part))
		}
		require.InDelta(t, p.Price, sum, 1e-12*scale)
	}
	// At the means everything is the base: by hand 100000 + (1000+200+30-4+0.5+7)·1.
	h, err := model.New(handmade(), "run", modeltest.AsOf())
	require.NoError(t, err)
	require.InDelta(t, 101233.5, h.Base(), 1e-9)
	require.Equal(t, []float64{2000, 0, -30, 0, 0.5, 7}, h.Contributions([]float64{3, 1, 0, 1, 2, 2}, nil))
}

func TestWarningsSayWhatIsUnusual(t *testing.T) {
	r := handmade()
	for i, limits := range [][2]float64{{0.1, 2}, {1, 3}, {1, 5}, {-1, 9000}, {500, 4000}, {0, 1}} {
		r.Stats[i].Min, r.Stats[i].Max = limits[0], limits[1]
	}
	m, err := model.New(r, "run", modeltest.AsOf())
	require.NoError(t, err)
	warnings := func(change func(*property.Listing)) []string {
		l := model.Example()
		change(&l)
		x, err := m.Schema.Encode(l, modeltest.AsOf())
		require.NoError(t, err)
		var said []string
		for _, w := range m.Warnings(&l, x, nil) {
			said = append(said, string(w.Kind)+": "+w.Sentence().String())
		}
		return said
	}
	for name, c := range map[string]struct {
		change func(*property.Listing)
		says   []string
	}{
		"nothing":  {func(*property.Listing) {}, nil},
		"too many": {func(l *property.Listing) { l.Bed, l.AcreLot = 6, 0.01 }, []string{"outside_training: acre_lot is 0.01; the model was trained on values from 0.1 to 2", "outside_training: bed is 6; the model was trained on values from 1 to 5"}},
		"on time":  {func(l *property.Listing) { l.Bed, l.Bath = 1, 3 }, nil},
		"old":      {func(l *property.Listing) { l.PrevSoldDate = property.NewText("1900-01-01") }, []string{"outside_training: days_since_last_sale is 46021; the model was trained on values from -1 to 9000"}},
		"missing":  {func(l *property.Listing) { l.HouseSize = property.Null() }, []string{"missing_filled: house_size is missing and was counted as 0"}},
		"no date":  {func(l *property.Listing) { l.PrevSoldDate = property.Text{} }, []string{"missing_sold_date: prev_sold_date is missing; the house was counted as never sold"}},
		"status":   {func(l *property.Listing) { l.Status = property.NewText("to_build") }, []string{"unseen_status: the model was trained on no listing with the status to_build"}},
		"seen":     {func(l *property.Listing) { l.Status = property.NewText("sold") }, nil},
		"first":    {func(l *property.Listing) { l.Status = property.NewText("ready_to_build") }, nil}, // it may be the one without a column
	} {
		require.Equal(t, c.says, warnings(c.change), name)
	}
}

// A file that tasador wrote when there was only format 1 is served, without intervals, and says why.
func TestAModelOfTheFirstFormatGoesOn(t *testing.T) {
	m, err := model.LoadFolder("testdata/format1")
	require.NoError(t, err)
	require.Equal(t, model.FirstFormat, m.Format)
	now := modeltest.Train(t, 5)
	require.Equal(t, now.Coefficients, m.Coefficients, "the same rows give the same model")
	p, err := m.Predict(model.Example(), modeltest.AsOf())
	require.NoError(t, err)
	require.Equal(t, now.SelfTest.Prediction, p.Price)
	_, err = m.Interval(p.Price, model.DefaultLevel)
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
	require.ErrorContains(t, err, "before intervals were kept")
	require.Len(t, m.Contributions(p.Features, nil), len(m.Coefficients))
	require.False(t, math.IsNaN(m.Base()))
	watch := m.Monitor()
	watch.Observe(p.Features, p.Price, modeltest.AsOf())
	require.EqualValues(t, 1, watch.Report(drift.Hour, modeltest.AsOf()).Predictions)
	again, err := model.LoadFolder(modeltest.Folder(t, m))
	require.NoError(t, err)
	require.Equal(t, m, again)
}

// What training saw shows no drift against itself; twice as many beds do.
func TestTheReferenceIsThatOfTheTrainingRows(t *testing.T) {
	listings := modeltest.Listings(5, 3000)
	m := modeltest.TrainOn(t, listings, "run")
	x, _ := modeltest.Encode(t, m.Schema.Features, listings[:1800])
	same, more := m.Monitor(), m.Monitor()
	bed := slices.Index(m.Schema.Features, property.Bed)
	for _, row := range x {
		same.Observe(row, priceOf(m, row), modeltest.AsOf())
		row[bed] *= 2
		more.Observe(row, priceOf(m, row), modeltest.AsOf())
	}
	r := same.Report(drift.Hour, modeltest.AsOf())
	require.Len(t, r.Fields, 7) // five numbers, the status, the prediction
	for _, f := range r.Fields {
		require.InDelta(t, 0, f.PSI, 1e-9, f.Name)
		require.Equal(t, drift.Stable, f.State)
		if f.Name != property.Status {
			require.InDelta(t, 0, f.KS, 1e-9, f.Name)
			require.InDelta(t, 0, f.Wasserstein, 1e-9, f.Name)
		}
	}
	for _, f := range more.Report(drift.Hour, modeltest.AsOf()).Fields {
		if f.Name == property.Bed {
			require.Equal(t, drift.Drifting, f.State)
		}
	}
}

// A folder is written anew by a retry: it must be the same to the last byte.
func TestTheSameRowsGiveTheSameFolder(t *testing.T) {
	a, b := modeltest.Folder(t, modeltest.Train(t, 5)), modeltest.Folder(t, modeltest.Train(t, 5))
	entries, err := os.ReadDir(a)
	require.NoError(t, err)
	require.Len(t, entries, 7)
	for _, e := range entries {
		one, err := os.ReadFile(a + "/" + e.Name())
		require.NoError(t, err)
		other, err := os.ReadFile(b + "/" + e.Name())
		require.NoError(t, err)
		require.Equal(t, string(one), string(other), e.Name())
	}
}

func BenchmarkAnswer(b *testing.B) {
	m := modeltest.Train(b, 5)
	l := model.Example()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p, err := m.Predict(l, now)
	require.NoError(b, err)
	b.Run("predict", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = m.Predict(l, now)
		}
	})
	b.Run("interval", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = m.Interval(p.Price, 0.9)
		}
	})
	b.Run("contributions", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = m.Base()
			_ = m.Contributions(p.Features, make([]float64, 0, len(p.Features)))
		}
	})
	b.Run("warnings", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = m.Warnings(&l, p.Features, nil)
		}
	})
}
