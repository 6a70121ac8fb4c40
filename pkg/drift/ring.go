package drift

import (
	"math"
	"sync/atomic"
	"time"
)

// Windows slide in steps: an hour in steps of five minutes, longer ones in steps of an hour.
const (
	fine   = 5 * time.Minute
	coarse = time.Hour
)

// ring counts over time: one block for each step, of which the oldest is replaced. Adding takes no lock.
type ring struct {
	step   time.Duration
	width  int // counters of a block
	sums   int // sums of a block
	blocks []atomic.Pointer[block]
}

// block holds what happened in one step. Nobody changes step after it is made.
type block struct {
	step   int64
	counts []atomic.Uint32
	sums   []sum
}

// sum is a float64 that many add to.
type sum struct{ bits atomic.Uint64 }

func (s *sum) add(v float64) {
	for {
		old := s.bits.Load()
		if s.bits.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

func (s *sum) value() float64 { return math.Float64frombits(s.bits.Load()) }

// newRing covers a span and the step that is under way.
func newRing(step, span time.Duration, width, sums int) *ring {
	return &ring{step: step, width: width, sums: sums, blocks: make([]atomic.Pointer[block], int(span/step)+1)}
}

// at returns the block of an instant, which it makes if it is the first to ask. An instant that the ring has left behind counts for the
// block that took its place.
func (r *ring) at(now time.Time) *block {
	step := now.UnixNano() / int64(r.step)
	place := &r.blocks[int(step%int64(len(r.blocks)))]
	for {
		b := place.Load()
		if b != nil && b.step >= step {
			return b
		}
		fresh := r.fresh(step)
		if place.CompareAndSwap(b, fresh) {
			return fresh
		}
	}
}

func (r *ring) fresh(step int64) *block {
	return &block{step: step, counts: make([]atomic.Uint32, r.width), sums: make([]sum, r.sums)}
}

// totals adds up the blocks of the span that ends at now, the steps that lie within it and the one under way.
func (r *ring) totals(now time.Time, span time.Duration) (counts []uint64, sums []float64) {
	counts, sums = make([]uint64, r.width), make([]float64, r.sums)
	last := now.UnixNano() / int64(r.step)
	first := last - int64(span/r.step)
	for i := range r.blocks {
		b := r.blocks[i].Load()
		if b == nil || b.step < first || b.step > last {
			continue
		}
		for j := range b.counts {
			counts[j] += uint64(b.counts[j].Load())
		}
		for j := range b.sums {
			sums[j] += b.sums[j].value()
		}
	}
	return counts, sums
}
