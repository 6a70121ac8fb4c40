package loadtest

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// Report is what a run has measured. Times are in milliseconds where their names say so; else in seconds.
type Report struct {
	URL         string    `json:"url"`
	StartedAt   time.Time `json:"started_at"`
	Seconds     float64   `json:"seconds"` // of sending
	Interrupted bool      `json:"interrupted"`
	Plan        Asked     `json:"plan"`

	Sent       uint64  `json:"requests"`
	Unanswered uint64  `json:"unanswered"` // under way when it was interrupted
	Good       uint64  `json:"good"`       // answered with a status of 200 to 299
	Errors     uint64  `json:"errors"`
	ErrorRatio float64 `json:"error_ratio"` // of all requests that ended

	Rate       float64 `json:"rate"`       // requests sent per second
	AskedRate  float64 `json:"asked_rate"` // the mean that the plan asks for in the same time
	RateRatio  float64 `json:"rate_ratio"` // of the two
	Throughput float64 `json:"throughput"` // good answers per second, until the last one
	Listings   float64 `json:"listings"`   // listings in them per second

	Latency Latency  `json:"latency_ms"`
	Late    Lateness `json:"late_ms"` // how long after its time a request left: above a few milliseconds, the sender itself is at its limit
	Answers []Answer `json:"answers"`

	Slices       []Slice `json:"slices"`
	Distribution []Point `json:"distribution"`
	Limits       []Limit `json:"limits"`
}

// Asked is the plan of a run.
type Asked struct {
	Rate            float64 `json:"rate"`
	RampTo          float64 `json:"ramp_to,omitempty"`
	Seconds         float64 `json:"seconds"`
	Connections     int     `json:"connections"`
	TimeoutSeconds  float64 `json:"timeout_seconds"`
	ListingsPerBody int     `json:"listings_per_request"`
}

// Latency is from when a request leaves, or waits for a connection, to the end of its answer, in milliseconds. Errors count too.
type Latency struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

// Lateness is in milliseconds.
type Lateness struct {
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Answer is one way in which requests ended.
type Answer struct {
	Status string `json:"status"` // or what kept the answer away
	Good   bool   `json:"good"`
	Count  uint64 `json:"count"`
	First  string `json:"first_error,omitempty"` // what the first of them said
}

// Slice is a part of the run, by when requests left.
type Slice struct {
	At       float64 `json:"at"`      // its beginning, in seconds
	Seconds  float64 `json:"seconds"` // how long it is
	Asked    float64 `json:"asked"`   // requests per second, at its middle
	Requests uint64  `json:"requests"`
	Errors   uint64  `json:"errors"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	Max      float64 `json:"max_ms"`
}

// Point says that a share of all requests, in percent, took at most so many milliseconds.
type Point struct {
	Percentile float64 `json:"percentile"`
	MS         float64 `json:"ms"`
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// report sums up.
func (t *tally) report(p *pacer, interrupted bool) *Report {
	planned := t.plan.Duration // the part of the plan that was run
	if interrupted {
		planned = min(max(time.Since(t.began), time.Millisecond), t.plan.Duration)
	}
	sending := max(planned, t.lastLeft)
	r := &Report{
		URL: t.plan.URL, StartedAt: t.began.UTC().Truncate(time.Millisecond), Seconds: sending.Seconds(), Interrupted: interrupted,
		Plan: Asked{
			Rate: t.plan.Rate, RampTo: t.plan.RampTo, Seconds: t.plan.Duration.Seconds(), Connections: t.plan.Connections,
			TimeoutSeconds: t.plan.Timeout.Seconds(), ListingsPerBody: t.plan.Listings,
		},
		Sent: max(p.sent.Load(), t.latency.n), Good: t.good, Errors: t.latency.n - t.good,
		Latency: latencyOf(&t.latency),
		Late:    Lateness{P99: ms(t.late.quantile(0.99)), Max: ms(t.late.max)},
		Answers: t.sortedAnswers(),
		Limits:  []Limit{},
	}
	r.Unanswered = r.Sent - t.latency.n
	if t.latency.n > 0 {
		r.ErrorRatio = float64(r.Errors) / float64(t.latency.n)
	}
	r.Rate = float64(r.Sent) / r.Seconds
	r.AskedRate = min(math.Floor(t.plan.requestsIn(planned))+1, t.plan.requests()) / planned.Seconds() // the first leaves at once
	r.RateRatio = r.Rate / r.AskedRate
	r.Throughput = float64(r.Good) / max(sending, t.lastAnswer).Seconds()
	r.Listings = r.Throughput * float64(t.plan.Listings)
	t.slice(r, planned)
	r.Distribution = distribution(&t.latency)
	return r
}

func latencyOf(h *histogram) Latency {
	q := func(p float64) float64 { return ms(h.quantile(p)) }
	return Latency{Min: ms(h.min), Mean: ms(h.mean()), P50: q(0.5), P90: q(0.9), P95: q(0.95), P99: q(0.99), P999: q(0.999), Max: ms(h.max)}
}

// sortedAnswers lists the good ones first, then the errors, the frequent ones before the rare.
func (t *tally) sortedAnswers() []Answer {
	out := make([]Answer, 0, len(t.answers))
	for name, a := range t.answers {
		out = append(out, Answer{Status: name, Good: a.good, Count: a.n, First: a.first})
	}
	slices.SortFunc(out, func(a, b Answer) int {
		switch {
		case a.Good != b.Good && a.Good, a.Good == b.Good && a.Count > b.Count:
			return -1
		case a.Good == b.Good && a.Count == b.Count:
			return strings.Compare(a.Status, b.Status)
		}
		return 1
	})
	return out
}

// slice writes down the parts of the run that were sent.
func (t *tally) slice(r *Report, planned time.Duration) {
	for i := range t.slices {
		from := time.Duration(i) * t.width
		if from >= planned {
			return
		}
		length := min(t.width, planned-from)
		s := &t.slices[i]
		r.Slices = append(r.Slices, Slice{
			At: from.Seconds(), Seconds: length.Seconds(), Asked: t.plan.rateAt(from + length/2), Requests: s.latency.n, Errors: s.errors,
			P50: ms(s.latency.quantile(0.5)), P99: ms(s.latency.quantile(0.99)), Max: ms(s.latency.max),
		})
	}
}

// distribution lists percentiles ever closer to 100, as far as there are requests beyond them; the last is the largest value.
func distribution(h *histogram) []Point {
	if h.n == 0 {
		return []Point{}
	}
	out := []Point{{Percentile: 0, MS: ms(h.min)}}
	const stepsPerHalving = 5
	for beyond, step := 1.0, 1.0/stepsPerHalving/2; ; { // each halving of what lies beyond is cut into equal parts
		for range stepsPerHalving {
			beyond -= step
			if beyond*float64(h.n) < 1 {
				return append(out, Point{Percentile: 100, MS: ms(h.max)})
			}
			out = append(out, Point{Percentile: 100 * (1 - beyond), MS: ms(h.quantile(1 - beyond))})
		}
		step /= 2
	}
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
