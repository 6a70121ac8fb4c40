package loadtest

import (
	"fmt"
	"strings"
	"time"

	"tasador/pkg/apperror"
)

// maxP99 names the limit that the picture shows too.
const maxP99 = "--max-p99"

// Limits are what a server must keep; what is nil is not judged.
type Limits struct {
	MaxP99        *time.Duration
	MaxErrorRatio *float64 // errors of all requests that ended, 0 to 1
	MinRateRatio  *float64 // requests sent of those that the plan asks for, 0 to 1
}

// Limit is one of them, judged.
type Limit struct {
	Name     string  `json:"name"` // the flag that states it
	Limit    float64 `json:"limit"`
	Measured float64 `json:"measured"`
	Unit     string  `json:"unit,omitempty"`
	Met      bool    `json:"met"`
	Says     string  `json:"says"` // one sentence
}

// Judge holds the report against the limits and notes the outcome in it. The error, of code FailedPrecondition, names every limit that
// was missed and by how much. A run without a single good answer is an error also without limits.
func (r *Report) Judge(l Limits) error {
	r.Limits = r.Limits[:0]
	if l.MaxP99 != nil {
		limit := ms(*l.MaxP99)
		r.judge(Limit{
			Name: maxP99, Limit: limit, Measured: r.Latency.P99, Unit: "ms", Met: r.Latency.P99 <= limit,
			Says: fmt.Sprintf("p99 was %s ms, %s", number(r.Latency.P99), side(r.Latency.P99, limit, "ms")),
		})
	}
	if l.MaxErrorRatio != nil {
		r.judge(Limit{
			Name: "--max-error-ratio", Limit: *l.MaxErrorRatio, Measured: r.ErrorRatio, Met: r.ErrorRatio <= *l.MaxErrorRatio,
			Says: fmt.Sprintf("%d of %d requests failed, a ratio of %s, %s", r.Errors, r.Good+r.Errors, number(r.ErrorRatio), side(r.ErrorRatio, *l.MaxErrorRatio, "")),
		})
	}
	if l.MinRateRatio != nil {
		r.judge(Limit{
			Name: "--min-rate-ratio", Limit: *l.MinRateRatio, Measured: r.RateRatio, Met: r.RateRatio >= *l.MinRateRatio,
			Says: fmt.Sprintf("%s of %s requests/s were sent, a ratio of %s, %s", number(r.Rate), number(r.AskedRate), number(r.RateRatio), side(r.RateRatio, *l.MinRateRatio, "")),
		})
	}
	var missed []string
	for _, j := range r.Limits {
		if !j.Met {
			missed = append(missed, j.Name+": "+j.Says)
		}
	}
	switch {
	case len(missed) > 0:
		return apperror.New(apperror.FailedPrecondition, "a limit was missed: %s", strings.Join(missed, "; "))
	case r.Good == 0 && !r.Interrupted:
		return apperror.New(apperror.Unavailable, "no request was answered with success; %s", r.firstError())
	}
	return nil
}

// judge notes a limit. Nothing measured keeps no limit.
func (r *Report) judge(l Limit) {
	if r.Good+r.Errors == 0 {
		l.Met, l.Says = false, "no request was measured"
	}
	r.Limits = append(r.Limits, l)
}

// side says on which side of the limit a value is, and how far.
func side(v, limit float64, unit string) string {
	if unit != "" {
		unit = " " + unit
	}
	word, by := "above", v-limit
	if by < 0 {
		word, by = "below", -by
	}
	switch {
	case by == 0:
		return fmt.Sprintf("exactly the limit of %s%s", number(limit), unit)
	case limit == 0:
		return fmt.Sprintf("%s the limit of 0%s", word, unit)
	}
	return fmt.Sprintf("%s%s (%s %%) %s the limit of %s%s", number(by), unit, number(100*by/limit), word, number(limit), unit)
}

func (r *Report) firstError() string {
	for _, a := range r.Answers {
		if !a.Good {
			return "the first error: " + a.Status + ": " + a.First
		}
	}
	return "none was sent"
}
