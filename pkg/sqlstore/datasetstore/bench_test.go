package datasetstore_test

import (
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dataset"
)

// benchRows is how many rows each path moves; several chunks of every engine.
const benchRows = 200_000

// BenchmarkBulk times the four paths of rows on every engine, for benchRows rows each.
func BenchmarkBulk(b *testing.B) {
	rows := listings(benchRows)
	all := engines()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		b.Run(name, func(b *testing.B) {
			var f *fixture
			runs := 0
			run := func() string { return "manual__" + strconv.Itoa(runs) }
			b.Run("batch", func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					f = openURLs(b, all[name](b), all[name](b))
					runs++
					b.StartTimer()
					f.collect(b, run(), rows)
				}
				perSecond(b)
			})
			f = openURLs(b, all[name](b), all[name](b))
			f.collect(b, run(), rows)
			_, err := f.Split(b.Context(), claim(run(), "split_data"), silent) // so that every path can be timed alone
			require.NoError(b, err)
			_, err = f.Clean(b.Context(), claim(run(), "preprocess_data"), asOf, silent)
			require.NoError(b, err)
			b.Run("split", func(b *testing.B) {
				for b.Loop() {
					_, err := f.Split(b.Context(), claim(run(), "split_data"), silent)
					require.NoError(b, err)
				}
				perSecond(b)
			})
			b.Run("clean", func(b *testing.B) {
				for b.Loop() {
					_, err := f.Clean(b.Context(), claim(run(), "preprocess_data"), asOf, silent)
					require.NoError(b, err)
				}
				perSecond(b)
			})
			b.Run("read", func(b *testing.B) {
				for b.Loop() {
					for _, split := range dataset.Splits() {
						part, err := f.Part(b.Context(), run(), split)
						require.NoError(b, err)
						require.NoError(b, part.Each(b.Context(), func([]float64, float64) error { return nil }))
					}
				}
				perSecond(b)
			})
		})
	}
}

func perSecond(b *testing.B) {
	b.Helper()
	b.ReportAllocs()
	b.ReportMetric(benchRows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
