package loadtest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestQuantilesAreThoseOfTheSortedValues compares with the nearest rank among all values, from nanoseconds to minutes.
func TestQuantilesAreThoseOfTheSortedValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []time.Duration
	sum := 0.0
	for range 50_000 {
		d := time.Duration(math.Exp(rng.Float64() * math.Log(float64(2*time.Minute))))
		h.add(d)
		all = append(all, d)
		sum += float64(d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.0001, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 1} {
		want := all[int(math.Ceil(q*float64(len(all))))-1]
		got := h.quantile(q)
		require.GreaterOrEqual(t, got, want, q)
		require.LessOrEqual(t, float64(got), float64(want)*(1+1.0/512), q)
	}
	require.Equal(t, all[0], h.min)
	require.Equal(t, all[len(all)-1], h.max)
	require.InEpsilon(t, sum/float64(len(all)), float64(h.mean()), 1e-9)
	require.Less(t, len(h.counts), 20_000, "its memory does not grow with what it counts")
}

func TestBucketsCoverAllValuesOnce(t *testing.T) {
	last := -1
	for bucket := range bucketOf(uint64(time.Hour)) {
		top := topOf(bucket)
		require.Equal(t, bucket, bucketOf(uint64(top)), "the top of a bucket is in it")
		require.Equal(t, bucket+1, bucketOf(uint64(top)+1), "and the next value in the next")
		require.Greater(t, int(top), last)
		last = int(top)
	}
}

func TestAnEmptyHistogramIsZero(t *testing.T) {
	var h histogram
	require.Zero(t, h.quantile(0.99))
	require.Zero(t, h.mean())
	require.Empty(t, distribution(&h))
}

func TestDistributionEndsWhereNoRequestLiesBeyond(t *testing.T) {
	var h histogram
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	points := distribution(&h)
	require.Equal(t, Point{0, 1}, points[0])
	require.Equal(t, Point{100, 1000}, points[len(points)-1])
	require.Less(t, points[len(points)-2].Percentile, 99.91)
	for _, p := range points {
		require.InDelta(t, math.Max(p.Percentile*10, 1), p.MS, 3, "percentile %v", p.Percentile)
	}
}
