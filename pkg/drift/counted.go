package drift

import "math"

// Counted is what a monitor has counted, to go on with in another process.
type Counted struct{ Hour, Week []Step }

// Step is what happened in one step of a window.
type Step struct {
	Number int64 // of the step since 1970
	Counts []uint32
	Sums   []float64
}

// Counted returns what was counted so far. What is counted meanwhile may be in it or not.
func (m *Monitor) Counted() Counted {
	if m == nil {
		return Counted{}
	}
	return Counted{Hour: m.hour.state(), Week: m.week.state()}
}

// Restore goes on with what another monitor of the same reference and features counted. It reports false, and does nothing, if the state is of others. Nothing may
// have been counted before.
func (m *Monitor) Restore(s Counted) bool {
	if m == nil || !m.hour.fits(s.Hour) || !m.week.fits(s.Week) {
		return false
	}
	m.hour.restore(s.Hour)
	m.week.restore(s.Week)
	return true
}

func (r *ring) state() (steps []Step) {
	for i := range r.blocks {
		b := r.blocks[i].Load()
		if b == nil {
			continue
		}
		s := Step{Number: b.step, Counts: make([]uint32, len(b.counts)), Sums: make([]float64, len(b.sums))}
		for j := range b.counts {
			s.Counts[j] = b.counts[j].Load()
		}
		for j := range b.sums {
			s.Sums[j] = b.sums[j].value()
		}
		steps = append(steps, s)
	}
	return steps
}

func (r *ring) fits(steps []Step) bool {
	for _, s := range steps {
		if s.Number < 0 || len(s.Counts) != r.width || len(s.Sums) != r.sums {
			return false
		}
	}
	return len(steps) <= len(r.blocks)
}

func (r *ring) restore(steps []Step) {
	for _, s := range steps {
		b := r.fresh(s.Number)
		for j, n := range s.Counts {
			b.counts[j].Store(n)
		}
		for j, v := range s.Sums {
			b.sums[j].bits.Store(math.Float64bits(v))
		}
		r.blocks[int(s.Number%int64(len(r.blocks)))].Store(b)
	}
}
