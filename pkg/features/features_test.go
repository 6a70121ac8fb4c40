package features_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/features"
	"tasador/pkg/property"
)

var asOf = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// The expected days are those of scripts/reference.py (pandas 3.1.1) at 2026-01-01 and at 2026-01-01 12:30:15.5.
func TestDaysSinceAreThoseOfTheReference(t *testing.T) {
	later := time.Date(2026, 1, 1, 12, 30, 15, 500_000_000, time.UTC)
	for text, want := range map[string][2]int{
		"2021-01-01": {1826, 1826}, " 2021-01-01\t": {1826, 1826}, "2021-01-01\n": {1826, 1826}, "\u00a02021-01-01": {1826, 1826},
		"\x1c2021-01-01": {1826, 1826}, "２０２１-01-01": {1826, 1826}, "2021-0１-01": {1826, 1826}, "٢٠٢١-٠١-٠١": {1826, 1826},
		"2021-01-01T10:00": {1825, 1826}, "2021-01-01 10:00:00": {1825, 1826}, "2021-01-01 10:00Z": {1825, 1826},
		"2021-01-01 10:00:00.123456789+05:00": {1825, 1826}, "2021-01-01 1０:00": {1825, 1826}, "2021-01-01 10:00+0５:00": {1825, 1826},
		"2021-01-01 10:00+05:30": {1825, 1826}, "2021-01-01 10:00+0530": {1825, 1826}, "2021-01-01 10:00-00:00": {1825, 1826},
		"2021-01-01 10:00+23:59": {1826, 1827}, "2021-01-01 10:00+05:60": {1825, 1826}, "2021-01-01 10:00+05:99": {1825, 1826},
		"2021-01-01 00:00:00.000000000999": {1826, 1826}, "2021-01-01 23:59:59.999999999999999999999999999999": {1825, 1825},
		"2020-02-29": {2133, 2133}, "2000-02-29": {9438, 9438}, "1678-01-01": {127104, 127104}, "1678-01-01 00:00+23:59": {127104, 127105},
		"1678-01-01 00:00:00.1+14:00": {127104, 127105}, "2261-12-31": {-86196, -86196}, "2261-12-31 23:59:59.999999999": {-86197, -86197},
		"2261-12-31 23:59-23:59": {-86198, -86198}, "2261-12-31 23:00-05:00": {-86198, -86197}, "1970-01-01": {20454, 20454},
		"": {-1, -1}, "today": {-1, -1}, "2021-01-01 24:00:00": {-1, -1}, "2021-01-01 24:00": {-1, -1}, "2021-01-01 23:59:60": {-1, -1},
		"2021-01-01 10:60": {-1, -1}, "2021-01-01 10:00+24:00": {-1, -1}, "2021-01-01 10:00-24:00": {-1, -1}, "2021-01-01 10:00+99:00": {-1, -1},
		"2021-02-30": {-1, -1}, "2021-02-29": {-1, -1}, "1900-02-29": {-1, -1}, "2021-13-01": {-1, -1}, "2021-00-01": {-1, -1}, "2021-01-00": {-1, -1},
		"1677-12-31": {-1, -1}, "2262-01-01": {-1, -1}, "2021-1-1": {-1, -1}, "2021/01/01": {-1, -1}, "20210101": {-1, -1}, "2021-01-01Z": {-1, -1},
		"2021-01-01t10:00": {-1, -1}, "2021-01-01 10:00z": {-1, -1}, "2021-01-01  10:00": {-1, -1}, "2021-01-01 10": {-1, -1},
		"2021-01-01 10:00 Z": {-1, -1}, "2021-01-01 10:00:00.": {-1, -1}, "2021-01-01 10:00:00,5": {-1, -1}, "2021-01-01 10:00+05": {-1, -1},
		"2021-01-01+05:00": {-1, -1}, "+2021-01-01": {-1, -1}, "2021-01-01T": {-1, -1}, "2021-01-01x": {-1, -1},
	} {
		require.EqualValues(t, want[0], features.NewClock(asOf).Since(text), "%q at midnight", text)
		require.EqualValues(t, want[1], features.NewClock(later).Since(text), "%q later", text)
		require.EqualValues(t, want[1], features.NewClock(later).SinceBytes([]byte(text)), "%q as bytes", text)
		_, ok := features.ParseSoldAt(text)
		require.Equal(t, want[0] != -1, ok, "%q", text)
	}
}

func TestDaysAreRoundedDown(t *testing.T) {
	at := time.Date(2020, 3, 1, 0, 0, 0, 5, time.UTC)
	for text, want := range map[string]int{
		"2020-02-29":                             1,
		"2020-03-01":                             0,
		"2020-03-01T00:00:00.000000005":          0,
		"2020-03-01T00:00:00.000000006":          -1,
		"2020-02-29T00:00:00.000000006":          0,
		"2020-03-02T00:00:00.000000005":          -1,
		"2020-03-02T00:00:00.000000006":          -2,
		"2020-03-01T01:00:00.000000005+01:00":    0,
		"2020-02-29T23:59:59.999999999123456789": 0,
	} {
		require.EqualValues(t, want, features.NewClock(at).Since(text), text)
	}
}

func TestParseSoldAtGivesTheInstantInUTC(t *testing.T) {
	got, ok := features.ParseSoldAt("2021-12-01T05:30:07.25+05:30")
	require.True(t, ok)
	require.Equal(t, time.Date(2021, 12, 1, 0, 0, 7, 250_000_000, time.UTC), got)
	for day := time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2262; day = day.AddDate(0, 0, 97) {
		got, ok := features.ParseSoldAt(day.Format(time.DateOnly))
		require.True(t, ok)
		require.Equal(t, day, got, "the calendar is time's")
	}
}

var null = property.Null()

func text(s string) property.Text { return property.NewText(s) }

func TestCleanFillsForwardThenWithZeroAndEncodesTheRest(t *testing.T) {
	c, err := features.NewCleaner(property.Columns(), []string{"sold", "for_sale", "to_build"}, asOf)
	require.NoError(t, err)
	require.Equal(t, []string{"bed", "bath", "acre_lot", "house_size", "days_since_last_sale", "status_sold", "status_to_build", "price"}, c.Columns())
	rows := []features.Raw{
		{Status: text("sold"), Bed: null, Bath: 2, AcreLot: null, HouseSize: 900, Price: null, PrevSoldDate: text("2025-12-31")},
		{Status: text("for_sale"), Bed: 3, Bath: null, AcreLot: null, HouseSize: null, Price: 50},
		{Status: property.Text{}, Bed: null, Bath: null, AcreLot: 0.5, HouseSize: null, Price: null, PrevSoldDate: text("soon")},
		{Status: text("to_build"), Bed: 0, Bath: 1, AcreLot: null, HouseSize: 7, Price: 60, PrevSoldDate: text("2026-01-03")},
		{Status: text("unknown"), Bed: null, Bath: null, AcreLot: null, HouseSize: null, Price: null},
	}
	want := [][]float64{
		{0, 2, 0, 900, 1, 1, 0, 0},
		{3, 2, 0, 900, -1, 0, 0, 50},
		{3, 2, 0.5, 900, -1, 0, 0, 50},
		{0, 1, 0.5, 7, -2, 0, 1, 60},
		{0, 1, 0.5, 7, -1, 0, 0, 60},
	}
	for i, r := range rows {
		require.Equal(t, want[i], c.Clean(r, nil), "row %d", i)
	}
	require.Equal(t, []float64{9, 0, 1, 0.5, 7, -1, 0, 0, 60}, c.Clean(rows[4], []float64{9}), "it appends")
}

func TestCleanColumnsKeepTheRawOrderAndPriceIsLast(t *testing.T) {
	c, err := features.NewCleaner([]string{"price", "house_size", "id", "status", "bath", "prev_sold_date", "acre_lot", "city", "bed"}, []string{"b", "a"}, asOf)
	require.NoError(t, err)
	require.Equal(t, []string{"house_size", "bath", "acre_lot", "bed", "days_since_last_sale", "status_b", "price"}, c.Columns())
	got := c.Clean(features.Raw{Status: text("b"), Bed: 1, Bath: 2, AcreLot: 3, HouseSize: 4, Price: 5}, nil)
	require.Equal(t, []float64{4, 2, 3, 1, -1, 1, 5}, got)
}

func TestStatusColumnsAreInCodePointOrderWithoutTheFirst(t *testing.T) {
	for name, c := range map[string]struct{ statuses, columns []string }{
		"none": {nil, nil},
		"one":  {[]string{"sold"}, nil},
		"many": {[]string{"é", "🏠", "Z", "a", " ", "\uffee", "a b", "10", "9"},
			[]string{"status_10", "status_9", "status_Z", "status_a", "status_a b", "status_é", "status_\uffee", "status_🏠"}},
		"given twice": {[]string{"b", "a", "b", "a"}, []string{"status_b"}},
	} {
		cleaner, err := features.NewCleaner(property.Required(), c.statuses, asOf)
		require.NoError(t, err)
		columns := cleaner.Columns()
		require.Equal(t, c.columns, append([]string(nil), columns[5:len(columns)-1]...), name)
	}
}

func TestNewCleanerRefuses(t *testing.T) {
	_, err := features.NewCleaner([]string{"status", "bed", "price", "house_size", "prev_sold_date"}, nil, asOf)
	require.ErrorContains(t, err, "bath, acre_lot")
	require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
	statuses := make([]string, features.MaxStatusColumns+1)
	for i := range statuses {
		statuses[i] = string(rune('a' + i))
	}
	_, err = features.NewCleaner(property.Required(), statuses, asOf)
	require.NoError(t, err, "101 statuses make 100 columns")
	_, err = features.NewCleaner(property.Required(), append(statuses, "one more"), asOf)
	require.ErrorContains(t, err, "at most 100")
}

// What serving encodes must be what training saw: on rows without gaps, for any order of the features.
func TestServingEncodesAsTrainingDoes(t *testing.T) {
	cleaner, err := features.NewCleaner(property.Columns(), []string{"for_sale", "sold", "ready_to_build"}, asOf)
	require.NoError(t, err)
	columns := cleaner.Columns()
	names := columns[:len(columns)-1]
	reversed := make([]string, len(names))
	for i, name := range names {
		reversed[len(names)-1-i] = name
	}
	for i, status := range []property.Text{text("for_sale"), text("sold"), text("ready_to_build"), {}, text("new"), text("")} {
		l := property.Listing{Status: status, Bed: float64(i), Bath: 2.5, AcreLot: 1.17, HouseSize: 2056, Price: 394900, PrevSoldDate: text("2021-12-01T08:00")}
		clean := cleaner.Clean(features.RawOf(l), nil)
		l.Price = null // it is not known when a price is asked for
		encoded, err := features.Schema{Features: names}.Encode(l, asOf)
		require.NoError(t, err)
		require.Equal(t, clean[:len(clean)-1], encoded)
		backwards, err := features.Schema{Features: reversed}.Encode(l, asOf)
		require.NoError(t, err)
		for j := range encoded {
			require.Equal(t, encoded[j], backwards[len(encoded)-1-j])
		}
	}
}

func TestServingCountsWhatIsMissingAsZero(t *testing.T) {
	s := features.Schema{Features: []string{"bed", "bath", "acre_lot", "house_size", "days_since_last_sale", "status_sold", "status_"}}
	l := property.Listing{Bed: null, Bath: null, AcreLot: null, HouseSize: null, Price: null}
	for range 2 { // nothing is carried over
		x, err := s.Encode(l, asOf)
		require.NoError(t, err)
		require.Equal(t, []float64{0, 0, 0, 0, -1, 0, 0}, x)
		require.False(t, math.Signbit(x[0]))
		_, err = s.Encode(property.Listing{Bed: 5, Status: text("sold")}, asOf)
		require.NoError(t, err)
	}
}

func TestServingRefusesAFeatureItCannotMake(t *testing.T) {
	for _, name := range []string{"garage", "price", "Status_sold", ""} {
		_, err := features.Schema{Features: []string{"bed", name}}.Encode(property.Listing{}, asOf)
		require.ErrorContains(t, err, "\""+name+"\"")
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
	}
}

func BenchmarkClean(b *testing.B) {
	c, err := features.NewCleaner(property.Columns(), []string{"for_sale", "sold", "ready_to_build"}, asOf)
	require.NoError(b, err)
	r := features.Raw{Status: text("sold"), Bed: 3, Bath: null, AcreLot: 0.2, HouseSize: 900, Price: 1e5, PrevSoldDate: text("2021-12-01")}
	dst := make([]float64, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		dst = c.Clean(r, dst[:0])
	}
}

// TestAnEncoderGivesWhatTheCleanerGives: serving encodes a listing as training encoded the same row.
func TestAnEncoderGivesWhatTheCleanerGives(t *testing.T) {
	statuses := []string{"for_sale", "sold", "to_build", "status_", ""}
	names := []string{"acre_lot", "bath", "bed", "days_since_last_sale", "house_size", "status_sold", "status_status_", "status_to_build", "status_for_sale"}
	e, err := features.Schema{Features: names}.Compile()
	require.NoError(t, err)
	require.Equal(t, []string{"sold", "status_", "to_build", "for_sale"}, e.Statuses())
	var scratch []float64
	for _, status := range append(statuses, "never seen") {
		l := property.Listing{Status: text(status), Bed: 3, Bath: null, AcreLot: 0.5, HouseSize: 1000, Price: 5, PrevSoldDate: text("2025-12-25")}
		c, err := features.NewCleaner(property.Columns(), statuses, asOf)
		require.NoError(t, err)
		row := c.Clean(features.RawOf(l), nil)
		want := map[string]float64{"bath": 0}
		for i, name := range c.Columns() {
			if name != "bath" {
				want[name] = row[i]
			}
		}
		scratch = e.Append(scratch[:0], &l, features.NewClock(asOf))
		for i, name := range names {
			if v, ok := want[name]; name != "bath" && ok { // the cleaner has no row to fill from, and no column of its first status
				require.InDelta(t, v, scratch[i], 0, "%s of a listing that is %q", name, status)
			}
		}
		require.Equal(t, map[bool]float64{true: 1}[status == "for_sale"], scratch[8])
		require.Zero(t, scratch[1], "what is missing counts 0")
	}
	_, err = features.Schema{Features: []string{"pool"}}.Compile()
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
}
