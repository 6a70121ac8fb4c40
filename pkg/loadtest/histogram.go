package loadtest

import (
	"math"
	"math/bits"
	"time"
)

// precisionBits is how finely durations are counted: a bucket is at most 1/512 of its values wide, so that quantiles are within 0.2 %.
const precisionBits = 9

// histogram counts durations in buckets as HdrHistogram (Tene) does: each power of two is cut into equal parts. It takes a few
// hundred kilobytes at most, however much it counts. The zero value is empty.
type histogram struct {
	counts   []uint64 // by bucket, as far as there is something to count
	n        uint64
	sum      float64 // nanoseconds
	min, max time.Duration
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	b := bucketOf(uint64(d))
	if b >= len(h.counts) {
		h.counts = append(h.counts, make([]uint64, b+1-len(h.counts))...)
	}
	h.counts[b]++
	if h.n == 0 || d < h.min {
		h.min = d
	}
	h.max = max(h.max, d)
	h.n++
	h.sum += float64(d)
}

// bucketOf returns the bucket of so many nanoseconds. The first 1024 hold one each.
func bucketOf(v uint64) int {
	shift := max(bits.Len64(v)-1-precisionBits, 0)
	return shift<<precisionBits + int(v>>shift) // #nosec G115 -- below 2^16
}

// topOf returns the largest value of a bucket.
func topOf(bucket int) time.Duration {
	shift := max(bucket>>precisionBits-1, 0)
	first := bucket - shift<<precisionBits // of the values v>>shift: up to twice the parts
	return time.Duration((first+1)<<shift - 1)
}

// quantile returns the value that a share q of all, from 0 to 1, does not exceed: the nearest rank. It is 0 if nothing was counted.
func (h *histogram) quantile(q float64) time.Duration {
	rank := max(uint64(math.Ceil(q*float64(h.n))), 1)
	var seen uint64
	for b, n := range h.counts {
		if seen += n; seen >= rank {
			return min(topOf(b), h.max)
		}
	}
	return h.max
}

func (h *histogram) mean() time.Duration {
	if h.n == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.n))
}
