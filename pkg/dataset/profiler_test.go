package dataset_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dataset"
	"tasador/pkg/property"
)

// TestAProfileOfFiveRows is worked out by hand.
func TestAProfileOfFiveRows(t *testing.T) {
	p := dataset.NewProfiler(nil)
	rows := []func(l *property.Listing){
		func(l *property.Listing) { l.Bed, l.Price, l.PrevSoldDate = 1, 100, property.NewText("2019-05-01") },
		func(l *property.Listing) {
			l.Bed, l.Price, l.PrevSoldDate = 2, 300, property.NewText("2021-12-31T23:00:00+00:00")
		},
		func(l *property.Listing) { l.Bed, l.Price, l.City = 2, 200, property.Text{} },
		func(l *property.Listing) {
			l.Bed, l.Price, l.PrevSoldDate = 11, property.Null(), property.NewText("1990-01-01")
		},
	}
	for _, change := range rows {
		l := good()
		change(&l)
		p.Add(&l)
	}
	wrong := good()
	wrong.Bed, wrong.Street, wrong.City, wrong.PrevSoldDate, wrong.Price = property.Null(), property.Null(), property.Text{}, property.NewText("soon"), -200
	p.Add(&wrong, "bed", "street", "bed")
	got := p.Profile()
	require.Equal(t, 5, got.Rows())
	require.Len(t, got.Statistics, property.NumColumns)

	bed := got.Of("bed")
	require.Equal(t, [3]int{0, 1, 1}, [3]int{bed.Nulls, bed.WrongType, bed.OutOfRange}, "11 is too many")
	require.Equal(t, 4, bed.Numbers.Values)
	require.InDelta(t, 4, bed.Numbers.Mean, 1e-12) // (1 + 2 + 2 + 11) / 4
	require.InDelta(t, 1, bed.Numbers.Min, 0)
	require.InDelta(t, 11, bed.Numbers.Max, 0)
	median, kept := bed.Numbers.Quantile(0.5)
	require.True(t, kept)
	require.InDelta(t, 2, median, 0, "of rank floor(0.5 · 3) = 1")
	require.Equal(t, dataset.Histogram{Start: 0.5, Width: 1, Counts: []int{1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, bed.Numbers.Histogram)

	price := got.Of("price")
	require.Equal(t, [3]int{1, 0, 1}, [3]int{price.Nulls, price.WrongType, price.OutOfRange})
	require.InDelta(t, 100, price.Numbers.Mean, 1e-12) // (100 + 300 + 200 − 200) / 4
	require.InDelta(t, -200, price.Numbers.Min, 0)
	street, city := got.Of("street"), got.Of("city")
	require.Equal(t, [2]int{0, 1}, [2]int{street.Nulls, street.WrongType})
	require.Equal(t, [2]int{2, 0}, [2]int{city.Nulls, city.WrongType})
	require.Equal(t, &dataset.Categories{Values: []dataset.Category{{Value: "Hartford", Rows: 3}}, Distinct: 1}, city.Categories)
	date := got.Of("prev_sold_date")
	require.Equal(t, &dataset.DateRange{First: "1990-01-01", Last: "2021-12-31"}, date.Dates)
	require.Equal(t, 1, date.OutOfRange)
	require.Nil(t, got.SeenBefore)

	// The gate counts what the statistics count.
	found := dataset.Gate{}.Examine(got)
	require.Equal(t, map[string]int{"price": 1}, found.Nulls)
	require.Equal(t, map[string]int{"bed": 2, "price": 1, "prev_sold_date": 1}, found.OutOfRange)
	require.Equal(t, 2, found.Failing)
}

func TestQuantilesAreWithinOnePercent(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for name, draw := range map[string]func() float64{
		"prices":   func() float64 { return math.Round(math.Exp(12.5 + 0.9*random.NormFloat64())) },
		"signed":   func() float64 { return 1000 * random.NormFloat64() },
		"tiny":     func() float64 { return 1e-9 * random.ExpFloat64() },
		"one":      func() float64 { return 123456.789 },
		"enormous": func() float64 { return 1e300 * (1 + random.Float64()) },
	} {
		p, values, sum := dataset.NewProfiler(nil), make([]float64, 20_000), 0.0
		for i := range values {
			l := good()
			l.Price = draw()
			values[i] = l.Price
			sum += l.Price / float64(len(values))
			p.Add(&l)
		}
		slices.Sort(values)
		n := p.Profile().Of("price").Numbers
		require.Len(t, n.Quantiles, 7, name)
		for _, q := range n.Quantiles {
			rank := q.Q * float64(len(values)-1)
			below, above := values[int(math.Floor(rank))], values[int(math.Ceil(rank))]
			near := func(want float64) bool { return math.Abs(want-q.Value) <= math.Abs(want)*0.01*(1+1e-9) }
			require.True(t, near(below) || near(above), "%s: the quantile %v is %v, between %v and %v", name, q.Q, q.Value, below, above)
		}
		require.InDelta(t, values[0], n.Min, 0, name)
		require.InDelta(t, values[len(values)-1], n.Max, 0, name)
		require.InDelta(t, sum, n.Mean, 1e-9*math.Max(math.Abs(n.Min), math.Abs(n.Max)), name)
		total := n.Histogram.Below + n.Histogram.Above
		for _, rows := range n.Histogram.Counts {
			total += rows
		}
		require.Equal(t, len(values), total, "%s: every value is in the histogram", name)
		require.LessOrEqual(t, n.Histogram.Below+n.Histogram.Above, len(values)*3/100, "%s: the ends hold 2 %%, and what the sketch cannot tell from them", name)
	}
}

// TestHostileRowsTakeNoMoreRoom adds what a source could send to break the profile.
func TestHostileRowsTakeNoMoreRoom(t *testing.T) {
	p := dataset.NewProfiler(filled(1000))
	numbers := []float64{1e308, -1e308, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 1e-300, property.Null()}
	long := strings.Repeat("é", 500)
	add := func(i int) {
		l := good()
		v := numbers[i%len(numbers)]
		l.Price, l.Bed, l.Bath, l.AcreLot, l.HouseSize, l.Street = v, v, v, v, v, v
		l.Status = property.NewText(fmt.Sprintf("s%d", i))
		l.State = property.NewText(fmt.Sprintf("%d%s", i, long))
		l.City = property.NewText("\x00\xff\"</script>" + fmt.Sprint(i%3))
		l.PrevSoldDate = property.NewText([]string{"2262-01-01", "1677-01-01", "1678-01-01", "2261-12-31", "9999-99-99"}[i%5])
		p.Add(&l)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for i := range 20_000 {
		add(i)
	}
	before := heap()
	for i := 20_000; i < 220_000; i++ {
		add(i)
	}
	after := heap()
	require.Less(t, after, before+1<<20, "it does not grow with the rows")
	got := p.Profile()
	text, err := json.Marshal(got)
	require.NoError(t, err)
	require.Less(t, len(text), 64<<10)
	var again dataset.Profile
	require.NoError(t, json.Unmarshal(text, &again))
	kept, err := json.Marshal(&again)
	require.NoError(t, err)
	require.JSONEq(t, string(text), string(kept))

	price := got.Of("price").Numbers
	require.Equal(t, 40_000, price.Infinite) // two of eleven
	require.InDelta(t, math.MaxFloat64, price.Max, 0)
	require.InDelta(t, -math.MaxFloat64, price.Min, 0)
	require.Equal(t, "1678-01-01", got.Of("prev_sold_date").Dates.First)
	status := got.Of("status").Categories
	require.Equal(t, 4097, status.Distinct)
	require.LessOrEqual(t, status.MaxError, 220_000/4097)
	for _, c := range got.Of("state").Categories.Values {
		require.LessOrEqual(t, len(c.Value), 70)
		require.True(t, strings.HasSuffix(c.Value, "é…"), c.Value)
	}
	require.Equal(t, 3, got.Of("city").Categories.Distinct)
}

func TestOnlyInfiniteNumbersHaveNoRange(t *testing.T) {
	p := dataset.NewProfiler(nil)
	l := good()
	l.Price = math.Inf(-1)
	p.Add(&l)
	text, err := json.Marshal(p.Profile())
	require.NoError(t, err)
	var again dataset.Profile
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, 1, again.Of("price").Numbers.Infinite)
	require.Zero(t, again.Of("price").Numbers.Values)
}

func TestFrequentTextsAreFoundAmongVeryMany(t *testing.T) {
	p := dataset.NewProfiler(nil)
	const rows = 100_000
	for i := range rows {
		l := good()
		l.City = property.NewText(fmt.Sprintf("Village %d", i))
		if i%10 == 0 {
			l.City = property.NewText("Houston")
		}
		p.Add(&l)
	}
	c := p.Profile().Of("city").Categories
	require.Equal(t, "Houston", c.Values[0].Value)
	require.LessOrEqual(t, c.Values[0].Rows, rows/10)
	require.GreaterOrEqual(t, c.Values[0].Rows, rows/10-c.MaxError)
	require.LessOrEqual(t, c.MaxError, rows/4097, "the bound of Misra and Gries")
	total := c.Other
	for _, v := range c.Values {
		total += v.Rows
	}
	require.Equal(t, rows, total)
}

func TestAProfileInTheBackgroundIsTheSame(t *testing.T) {
	here, there := dataset.NewProfiler(filled(10)), dataset.NewProfiler(filled(10))
	background := there.InBackground()
	for i := range 1000 { // no multiple of a chunk
		l := good()
		l.Price, l.City = float64(i), property.NewText(fmt.Sprint(i%7))
		var wrong []string
		if i%9 == 0 {
			l.Bed, wrong = property.Null(), []string{"bed"}
		}
		here.Add(&l, wrong...)
		background.Add(&l, wrong...)
	}
	require.Equal(t, here.Profile(), background.Wait().Profile())
	require.Same(t, there, background.Wait(), "waiting again changes nothing")
}

// TestProfilesOfEarlierVersionsAreRead has a profile as version 1 of the schema kept it.
func TestProfilesOfEarlierVersionsAreRead(t *testing.T) {
	const stored = `{"rows":40,"columns":["status","bed","bath","acre_lot","house_size","price"],
		"defects":[{"out_of_range":["price"],"rows":2},{"null":["bath"],"rows":8},{"null":["bath"],"out_of_range":["price"],"rows":2}]}`
	var p dataset.Profile
	require.NoError(t, json.Unmarshal([]byte(stored), &p))
	require.Equal(t, "Faltan columnas: ['prev_sold_date'] & Nulos en: ['bath'] (bath: 10) & Fuera de rango en: ['price'] (price: 4)", dataset.Gate{}.Decide(&p).Reason)
	require.Equal(t, "Faltan columnas: ['prev_sold_date']", dataset.Gate{MaxInvalidRatio: 0.3}.Decide(&p).Reason)
	require.Nil(t, p.Of("price"))
	text, err := json.Marshal(&p)
	require.NoError(t, err)
	require.JSONEq(t, stored, string(text))
}
