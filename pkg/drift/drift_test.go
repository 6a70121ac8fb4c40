package drift_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/drift"
	"tasador/pkg/testkit"
)

var start = time.Date(2026, 3, 1, 10, 2, 0, 0, time.UTC)

type sample struct {
	Reference []float64 `json:"reference"`
	Window    []float64 `json:"window"`
	name      string
	exact     bool // the bins hold one value each
}

type answer struct {
	PSI, KS, KSP, Distance, Std float64
	Errors                      [3]float64
}

func draw(n int, value func(r *rand.Rand) float64, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]float64, n)
	for i := range out {
		out[i] = value(r)
	}
	return out
}

func samples() []sample {
	normal := func(mean, dev float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return mean + dev*r.NormFloat64() }
	}
	rooms := func(most int) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return float64(r.IntN(most)) }
	}
	days := func(never float64) func(*rand.Rand) float64 { // most houses were never sold
		return func(r *rand.Rand) float64 {
			if r.Float64() < never {
				return -1
			}
			return math.Floor(r.ExpFloat64() * 2000)
		}
	}
	lots := func(r *rand.Rand) float64 { return math.Exp(2 * r.NormFloat64()) }
	return []sample{
		{draw(20000, normal(0, 1), 1), draw(5000, normal(0, 1), 2), "the same", false},
		{draw(20000, normal(0, 1), 1), draw(5000, normal(0.5, 1), 2), "moved", false},
		{draw(20000, normal(0, 1), 1), draw(5000, normal(0, 2), 2), "wider", false},
		{draw(20000, normal(0, 1), 1), draw(3000, normal(50, 1), 2), "far above", false},
		{draw(20000, normal(0, 1), 1), draw(3000, normal(-50, 1), 2), "far below", false},
		{draw(9000, days(0.7), 1), draw(4000, days(0.3), 2), "days", false},
		{draw(9000, lots, 1), draw(4000, lots, 2), "heavy tail", false},
		{draw(9000, rooms(10), 1), draw(4000, rooms(7), 2), "rooms", true},
		{draw(9000, rooms(7), 1), draw(700, rooms(12), 2), "more rooms", true},
		{draw(12, rooms(4), 1), draw(3, rooms(4), 2), "hardly any", true},
		{draw(9000, rooms(2), 1), draw(900, rooms(1), 2), "one of two", true},
		{[]float64{5, 5, 5, 5}, []float64{5, 5, 6}, "constant", true},
	}
}

func python(t *testing.T, cases []sample) []answer {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	in, err := json.Marshal(cases)
	require.NoError(t, err)
	cmd := exec.Command(testkit.Venv(t, "python"), "testdata/statistics.py") // #nosec G204 -- a test
	var complaints bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &complaints
	out, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	var answers []answer
	require.NoError(t, json.Unmarshal(out, &answers), string(out))
	return answers
}

// watch counts values as the only feature of a model, in a reference that went through its JSON form.
func watch(t *testing.T, reference, window []float64) drift.Report {
	t.Helper()
	ref := drift.Reference{Rows: len(reference), Fields: []drift.Field{drift.NewNumber("v", slices.Clone(reference))}}
	content, err := json.Marshal(ref)
	require.NoError(t, err)
	var again drift.Reference
	require.NoError(t, json.Unmarshal(content, &again))
	require.Equal(t, ref, again)
	require.NoError(t, again.Check())
	m := drift.NewMonitor(again, []string{"v"}, "status_")
	for _, v := range window {
		m.Observe([]float64{v}, 0, start)
		m.Learn(drift.Feedback{Predicted: v, Low: math.NaN(), High: math.NaN()}, start)
	}
	return m.Report(drift.Hour, start)
}

func TestTheStatisticsAreThoseOfScipy(t *testing.T) {
	cases := samples()
	for i, want := range python(t, cases) {
		c := cases[i]
		t.Run(c.name, func(t *testing.T) {
			r := watch(t, c.Reference, c.Window)
			got := r.Fields[0]
			require.EqualValues(t, len(c.Window), got.Count)
			require.InDelta(t, want.PSI, got.PSI, 1e-9)
			require.InDelta(t, want.Errors[0], r.Errors.MAE, 1e-9)
			require.InDelta(t, want.Errors[1], r.Errors.RMSE, 1e-9)
			require.InDelta(t, want.Errors[2], r.Errors.Bias, 1e-9)
			require.InDelta(t, want.KSP, drift.KSP(want.KS, float64(len(c.Reference)), float64(len(c.Window))), 1e-12)
			if c.exact {
				require.InDelta(t, want.KS, got.KS, 1e-12)
				require.InDelta(t, want.KSP, got.KSP, 1e-9)
				require.InDelta(t, want.Distance, got.Distance, 1e-9)
			} else {
				require.LessOrEqual(t, got.KS, want.KS+1e-12)
				require.InDelta(t, want.KS, got.KS, 0.02, "a bin holds 1 %% of the reference, of the window little more")
				require.InDelta(t, want.Distance, got.Distance, 0.02*max(want.Distance, want.Std))
			}
			if want.Std == 0 {
				require.True(t, math.IsNaN(got.Wasserstein))
			} else {
				require.InEpsilon(t, got.Distance/want.Std, got.Wasserstein, 1e-9)
			}
		})
	}
}

// Shares 0.5, 0.5 and 0.9, 0.1: (0.4)·ln(1.8) + (−0.4)·ln(0.2).
func TestTheIndexByHand(t *testing.T) {
	require.InDelta(t, 0.4*math.Log(1.8)-0.4*math.Log(0.2), drift.PSI([]uint64{50, 50}, []uint64{9, 1}), 1e-15)
	require.Zero(t, drift.PSI([]uint64{3, 0, 1}, []uint64{6, 0, 2}))
	// An empty bin counts 1e-4, on either side.
	want := (0.5-1)*math.Log(0.5) + (0.5-1e-4)*math.Log(0.5/1e-4)
	require.InDelta(t, want, drift.PSI([]uint64{7, 0}, []uint64{1, 1}), 1e-15)
	require.InDelta(t, want, drift.PSI([]uint64{1, 1}, []uint64{7, 0}), 1e-15)
	require.True(t, math.IsNaN(drift.PSI([]uint64{1, 1}, []uint64{0, 0})))
	require.True(t, math.IsNaN(drift.KS([]uint64{1, 1}, []uint64{0, 0})))
	require.True(t, math.IsNaN(drift.KSP(math.NaN(), 1, 1)))
	require.Equal(t, 1.0, drift.KSP(0, 100, 100))
}

func TestACategoryHasABinForEachName(t *testing.T) {
	ref := drift.Reference{Rows: 100, Fields: []drift.Field{drift.NewCategory("status", []string{"sold", "to_build"}, []int{50, 0, 50})}}
	require.NoError(t, ref.Check())
	m := drift.NewMonitor(ref, []string{"bed", "status_sold", "status_to_build"}, "status_")
	for range 300 {
		m.Observe([]float64{3, 1, 0}, 1, start)
	}
	for range 100 {
		m.Observe([]float64{3, 0, 0}, 1, start)
	}
	got := m.Report(drift.Hour, start).Fields[0]
	require.InDelta(t, 0.25*math.Log(1.5)-0.25*math.Log(0.5), got.PSI, 1e-12)
	require.Equal(t, drift.Drifting, got.State)
	require.Equal(t, []string{"sold", "to_build", ""}, []string{got.Bins[0].Category, got.Bins[1].Category, got.Bins[2].Category})
	require.Equal(t, [2]float64{0.5, 0.75}, [2]float64{got.Bins[0].Reference, got.Bins[0].Window})
	require.True(t, math.IsNaN(got.KS))
}

func TestWindowsSlide(t *testing.T) {
	ref := drift.Reference{Rows: 4, Fields: []drift.Field{drift.NewNumber("v", []float64{1, 2, 3, 4})}}
	m := drift.NewMonitor(ref, []string{"v"}, "status_")
	seen := func(now time.Time) [3]uint64 {
		var n [3]uint64
		for i, w := range drift.Windows() {
			r := m.Report(w, now)
			n[i] = r.Predictions
			require.Equal(t, n[i], r.Fields[0].Count)
		}
		return n
	}
	for i := range 10 { // one each hour
		m.Observe([]float64{1}, 0, start.Add(time.Duration(i)*time.Hour))
	}
	now := start.Add(9 * time.Hour)
	require.Equal(t, [3]uint64{2, 10, 10}, seen(now), "the one an hour ago lies in the step that the window begins in")
	require.Equal(t, [3]uint64{1, 10, 10}, seen(now.Add(10*time.Minute)))
	require.Equal(t, [3]uint64{0, 9, 10}, seen(start.Add(25*time.Hour)))
	require.Equal(t, [3]uint64{0, 0, 10}, seen(start.Add(7*24*time.Hour)))
	require.Equal(t, [3]uint64{0, 0, 0}, seen(start.Add(8*24*time.Hour)))
	later := start.Add(70 * 24 * time.Hour)
	m.Observe([]float64{1}, 0, later)
	require.Equal(t, [3]uint64{1, 1, 1}, seen(later), "what is long gone does not come back")
}

func TestFewPredictionsAreNoVerdict(t *testing.T) {
	ref := drift.Reference{Rows: 4, Fields: []drift.Field{drift.NewNumber("v", []float64{1, 2, 3, 4})}}
	m := drift.NewMonitor(ref, []string{"v"}, "status_")
	state := func() drift.State { return m.Report(drift.Day, start).Fields[0].State }
	require.Equal(t, drift.Few, state())
	for i := range drift.FewPredictions {
		require.Equal(t, drift.Few, state())
		m.Observe([]float64{float64(i%4 + 1)}, 0, start)
	}
	require.Equal(t, drift.Stable, state())
	for range 10 * drift.FewPredictions {
		m.Observe([]float64{9}, 0, start)
	}
	require.Equal(t, drift.Drifting, state())
}

// Errors 10 and -30; the first interval holds the price, the second not, the third feedback has none and an error of 2.
func TestErrorsByHand(t *testing.T) {
	m := drift.NewMonitor(drift.Reference{}, nil, "status_")
	require.True(t, math.IsNaN(m.Report(drift.Hour, start).Errors.MAE))
	m.Learn(drift.Feedback{Predicted: 110, Actual: 100, Low: 100, High: 120}, start)
	m.Learn(drift.Feedback{Predicted: 70, Actual: 100, Low: 60, High: 90}, start)
	m.Learn(drift.Feedback{Predicted: 102, Actual: 100, Low: math.NaN(), High: math.NaN()}, start)
	for _, w := range drift.Windows() {
		e := m.Report(w, start).Errors
		require.EqualValues(t, 3, e.Count)
		require.InDelta(t, 14, e.MAE, 1e-12)
		require.InDelta(t, -6, e.Bias, 1e-12)
		require.InDelta(t, math.Sqrt((100+900+4)/3.0), e.RMSE, 1e-12)
		require.InDelta(t, 0.5, e.Coverage, 1e-12)
	}
}

func TestNoMonitorSeesNothing(t *testing.T) {
	var m *drift.Monitor
	m.Observe([]float64{1}, 2, start)
	m.Learn(drift.Feedback{}, start)
	r := m.Report(drift.Week, start)
	require.Zero(t, r.Predictions)
	require.Empty(t, r.Fields)
	require.Zero(t, r.Errors.Count)
}

// Many writers over the turns of steps lose nothing: the reader sums to what was written.
func TestNothingIsLostBetweenWriters(t *testing.T) {
	ref := drift.Reference{Rows: 3, Fields: []drift.Field{drift.NewNumber("v", []float64{1, 2, 3}), drift.NewNumber(drift.Prediction, []float64{1, 2, 3})}}
	m := drift.NewMonitor(ref, []string{"v"}, "status_")
	const writers, each = 8, 4000
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				now := start.Add(time.Duration(i) * time.Hour / each * 2)
				m.Observe([]float64{float64(i%5 - 1)}, float64(w), now)
			}
		})
	}
	wg.Wait()
	r := m.Report(drift.Day, start.Add(2*time.Hour))
	require.EqualValues(t, writers*each, r.Predictions)
	for _, f := range r.Fields {
		require.EqualValues(t, writers*each, f.Count)
	}
	// The prediction is the writer: 0 lies 1 below the least, 4 to 7 lie 1 to 4 above the most; 1, 2, 3 hold an eighth each.
	// Shares up to 1, 2, 3: 1/4, 3/8, 1/2 against 1/3, 2/3, 1, and the tails add 1/8 and 10/8.
	require.InDelta(t, 11.0/8+(1.0/3-1.0/4)+(2.0/3-3.0/8), r.Fields[1].Distance, 1e-9)
}

func TestABrokenReferenceIsNamed(t *testing.T) {
	good := func() drift.Reference {
		return drift.Reference{Rows: 4, Fields: []drift.Field{drift.NewNumber("v", []float64{1, 2, 3, 4}), drift.NewCategory("s", []string{"a"}, []int{1, 3})}}
	}
	require.NoError(t, good().Check())
	for name, spoil := range map[string]func(*drift.Reference){
		"own":   func(r *drift.Reference) { r.Fields[1].Name = "v" },
		"rows":  func(r *drift.Reference) { r.Fields[0].Counts[1] = 2 },
		"not":   func(r *drift.Reference) { r.Fields[0].Counts[1] = -1 },
		"fit":   func(r *drift.Reference) { r.Fields[0].Counts = r.Fields[0].Counts[1:] },
		"its":   func(r *drift.Reference) { r.Fields[1].Counts = r.Fields[1].Counts[1:] },
		"order": func(r *drift.Reference) { r.Fields[0].Edges[2] = 1 },
		"in":    func(r *drift.Reference) { r.Fields[0].Deciles[0] = 9 },
	} {
		r := good()
		spoil(&r)
		require.ErrorContains(t, r.Check(), name)
	}
}

// 1000 differences of 1, 2, … 1000 dollars at a price of 1000.
func TestDifferencesByHand(t *testing.T) {
	c := drift.NewComparison()
	require.Zero(t, c.Differences().Absolute.Mean)
	for i := range 1000 {
		sign := float64(1 - 2*(i%2))
		c.Add(1000, 1000+sign*float64(i+1))
	}
	c.Add(math.Inf(1), 5)
	d := c.Differences()
	require.EqualValues(t, 1000, d.Count)
	require.InDelta(t, 500.5, d.Absolute.Mean, 1e-9)
	require.InDelta(t, -0.5, d.Mean, 1e-9)
	require.InDelta(t, 0.5005, d.Relative.Mean, 1e-12)
	require.Equal(t, 1000.0, d.Absolute.Max)
	for i, q := range d.Quantiles {
		require.InEpsilon(t, 1000*q, d.Absolute.Values[i], 1.1*drift.SketchAccuracy)
		require.InEpsilon(t, q, d.Relative.Values[i], 1.1*drift.SketchAccuracy)
	}
	c.Add(0, 0.5)
	require.InDelta(t, (500.5+0.5)/1001, c.Differences().Relative.Mean, 1e-9, "a price of nothing counts as a dollar")
}

func TestObservingAllocatesNothing(t *testing.T) {
	m, x := busy()
	require.Zero(t, testing.AllocsPerRun(100, func() { m.Observe(x, 5e5, start) }))
}

// busy is a monitor like that of a real model.
func busy() (*drift.Monitor, []float64) {
	normal := func(r *rand.Rand) float64 { return r.NormFloat64() }
	ref := drift.Reference{Rows: 20000}
	names := []string{"acre_lot", "bath", "bed", "days", "house_size", drift.Prediction}
	for i, name := range names {
		ref.Fields = append(ref.Fields, drift.NewNumber(name, draw(20000, normal, uint64(i))))
	}
	ref.Fields = append(ref.Fields, drift.NewCategory("status", []string{"sold", "to_build"}, []int{1, 2, 3}))
	features := append(slices.Clone(names[:5]), "status_sold", "status_to_build")
	return drift.NewMonitor(ref, features, "status_"), []float64{0.1, 0.5, -1, 2, 0.3, 0, 1}
}

func BenchmarkObserve(b *testing.B) {
	m, x := busy()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Observe(x, 0.2, start)
		}
	})
}

func BenchmarkReport(b *testing.B) {
	m, x := busy()
	for i := range 169 {
		m.Observe(x, 0.2, start.Add(time.Duration(i)*time.Hour))
	}
	for _, w := range drift.Windows() {
		b.Run(fmt.Sprint(w), func(b *testing.B) {
			for b.Loop() {
				m.Report(w, start.Add(168*time.Hour))
			}
		})
	}
}
