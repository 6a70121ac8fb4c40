package training_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dataset"
	"tasador/pkg/features"
	"tasador/pkg/property"
	"tasador/pkg/training"
)

var tableAsOf = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// rawRow is row i of a table whose rows tell each other apart; some values are missing.
func rawRow(i int) features.Raw {
	r := features.Raw{Bed: float64(i), Bath: float64(i % 7), AcreLot: property.Null(), HouseSize: 900, Price: float64(1000 + i)}
	if i%3 == 0 {
		r.Bath, r.AcreLot = property.Null(), float64(i)/8
	}
	if i%5 != 0 {
		r.Status = property.NewText(fmt.Sprintf("s%d", i%4))
	}
	if i%2 == 0 {
		r.PrevSoldDate = property.NewText("2025-12-2" + fmt.Sprint(i%10))
	}
	return r
}

// table holds n rows, filled through chunks of uneven size.
func table(n int) *training.Table {
	t := training.NewTable(property.Columns(), tableAsOf)
	chunk := t.NewChunk()
	for i := range n {
		r := rawRow(i)
		var status, date []byte
		if r.Status.Valid {
			status = []byte(r.Status.Value)
		}
		if r.PrevSoldDate.Valid {
			date = []byte(r.PrevSoldDate.Value)
		}
		chunk.AddRow(features.Numbers{
			features.Bed: r.Bed, features.Bath: r.Bath, features.AcreLot: r.AcreLot, features.HouseSize: r.HouseSize, features.Price: r.Price,
		}, status, date)
		if i%997 == 5 || i == n-1 {
			t.Append(chunk)
			chunk.Reset()
		}
	}
	return t
}

// The parts of a table give what a cleaner makes of the raw rows in shuffled order, over the seams of its segments.
func TestTableGivesTheCleanRowsOfEverySplit(t *testing.T) {
	const n = 70_000
	positions := dataset.Positions(n, dataset.Seed)
	parts, err := table(n).Split(positions)
	require.NoError(t, err)
	for split, part := range map[dataset.SplitName]*training.TablePart{
		dataset.Train: parts.Train, dataset.Validation: parts.Validation, dataset.Test: parts.Test,
	} {
		from, to := dataset.Range(split, n)
		require.Equal(t, positions[from:to], part.Positions())
		require.Equal(t, to-from, part.Len())
		cleaner, err := features.NewCleaner(property.Columns(), []string{"s0", "s1", "s2", "s3"}, tableAsOf)
		require.NoError(t, err)
		require.Equal(t, cleaner.Columns(), part.CleanColumns())
		sums := make([]float64, len(cleaner.Columns()))
		i := from
		require.NoError(t, part.Each(context.Background(), func(x []float64, price float64) error {
			want := cleaner.Clean(rawRow(int(positions[i])), nil)
			for j, v := range want {
				sums[j] += v
			}
			last := len(want) - 1
			if price != want[last] || fmt.Sprint(x) != fmt.Sprint(want[:last]) {
				return fmt.Errorf("row %d of %s is %v %v, want %v", i, split, x, price, want)
			}
			i++
			return nil
		}))
		require.Equal(t, to, i)
		require.InDeltaSlice(t, sums, part.ColumnSums(), 1e-3)
	}
}

func TestEachCanBeRepeated(t *testing.T) {
	parts, err := table(50).Split(dataset.Positions(50, 1))
	require.NoError(t, err)
	var first []float64
	for range 2 {
		var rows []float64
		require.NoError(t, parts.Train.Each(context.Background(), func(x []float64, price float64) error {
			rows = append(append(rows, x...), price)
			return nil
		}))
		if first != nil {
			require.Equal(t, first, rows)
		}
		first = rows
	}
}

func TestColumnSumsAreExact(t *testing.T) {
	tb := training.NewTable(property.Columns(), tableAsOf)
	chunk := tb.NewChunk()
	for i := range 100 { // 1e16 and -1e16 cancel; adding up plainly loses the ones between
		chunk.AddRow(features.Numbers{features.Bed: []float64{1e16, 1, -1e16, 1}[i%4], features.Price: 0.1}, nil, nil)
	}
	tb.Append(chunk)
	order := make([]uint32, 100)
	for i := range order {
		order[i] = uint32(i) // #nosec G115 -- below 100
	}
	parts, err := tb.Split(order)
	require.NoError(t, err)
	require.NoError(t, parts.Train.Each(context.Background(), func([]float64, float64) error { return nil }))
	sums := parts.Train.ColumnSums()
	require.Equal(t, 30.0, sums[0], "60 rows, half of them ones")
	require.Equal(t, 6.0, sums[len(sums)-1])
}

func TestStatusesAreThoseOfTheSplit(t *testing.T) {
	tb := training.NewTable(property.Columns(), tableAsOf)
	chunk := tb.NewChunk()
	for _, status := range []string{"a", "b", "a", "c", "d"} { // train is the first three, then one each
		chunk.AddRow(features.Numbers{}, []byte(status), nil)
	}
	tb.Append(chunk)
	parts, err := tb.Split([]uint32{0, 1, 2, 3, 4})
	require.NoError(t, err)
	require.Contains(t, parts.Train.Columns(), "status_b")
	require.Len(t, parts.Train.Columns(), 6)
	require.Len(t, parts.Validation.Columns(), 5)
	require.Len(t, parts.Test.Columns(), 5)
}

func TestATableOfTwoRowsCannotBeSplit(t *testing.T) {
	_, err := table(2).Split([]uint32{0, 1})
	require.EqualError(t, err, "2 rows are too few: train, validation and test each need one")
}

// BenchmarkTable fills a table and tells what it holds of each row, with the shuffled positions.
func BenchmarkTable(b *testing.B) {
	const n = 1_000_000
	numbers := features.Numbers{1, 2, 3, 4, 5}
	date, status := []byte("2021-12-01"), []byte("for_sale")
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		t := training.NewTable(property.Columns(), tableAsOf)
		chunk := t.NewChunk()
		for i := range n {
			chunk.AddRow(numbers, status, date)
			if i%5000 == 4999 {
				t.Append(chunk)
				chunk.Reset()
			}
		}
		parts, err := t.Split(dataset.Positions(n, dataset.Seed))
		require.NoError(b, err)
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(parts)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "bytes/row")
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "rows/s")
}
