package loadtest

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// pacer says when the next request leaves. Unlike the pacers of vegeta it takes rates that are no whole numbers, keeps to the plan from the
// first request on, and ends at once when its context does.
type pacer struct {
	ctx  context.Context
	plan Plan
	sent atomic.Uint64 // requests that have left, or leave now
}

// overrun is how long after the end of the plan requests still leave that were due before: a short delay shall not cost the last ones.
const overrun = 200 * time.Millisecond

// Pace implements vegeta.Pacer. It waits itself, so that an interruption need not wait for the next request of a slow plan.
func (p *pacer) Pace(elapsed time.Duration, hits uint64) (wait time.Duration, stop bool) {
	if float64(hits) >= p.plan.requests() || elapsed > p.plan.Duration+overrun {
		return 0, true
	}
	if rest := p.plan.due(hits) - elapsed; rest > 0 {
		timer := time.NewTimer(rest)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-p.ctx.Done():
			return 0, true
		}
	}
	if p.ctx.Err() != nil {
		return 0, true
	}
	p.sent.Store(hits + 1)
	return 0, false
}

// Rate implements vegeta.Pacer.
func (p *pacer) Rate(elapsed time.Duration) float64 { return p.plan.rateAt(elapsed) }

// end is the rate at the end of the plan.
func (p Plan) end() float64 {
	if p.RampTo == 0 {
		return p.Rate
	}
	return p.RampTo
}

// slope is how much the rate grows in a second, in requests per second.
func (p Plan) slope() float64 { return (p.end() - p.Rate) / p.Duration.Seconds() }

// rateAt is the rate, in requests per second, after so long.
func (p Plan) rateAt(elapsed time.Duration) float64 {
	return p.Rate + p.slope()*min(elapsed, p.Duration).Seconds()
}

// requestsIn is how many requests the plan has sent after so long: the integral of the rate.
func (p Plan) requestsIn(elapsed time.Duration) float64 {
	s := min(elapsed, p.Duration).Seconds()
	return p.Rate*s + p.slope()*s*s/2
}

// requests is how many the plan has in all, a whole number.
func (p Plan) requests() float64 { return math.Round(p.requestsIn(p.Duration)) }

// due is when request n, the first being 0, has to leave: the solution of requestsIn(t) = n in the form that is also right without a slope.
func (p Plan) due(n uint64) time.Duration {
	if n == 0 {
		return 0
	}
	root := math.Sqrt(max(p.Rate*p.Rate+2*p.slope()*float64(n), 0))
	return time.Duration(2 * float64(n) / (p.Rate + root) * float64(time.Second))
}
