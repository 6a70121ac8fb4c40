package loadtest

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// A plan is cut into so many parts for the pictures, unless they would be too short.
const (
	parts     = 120
	leastTime = 100 * time.Millisecond
)

// maxKept is how much of the first error is kept, in bytes.
const maxKept = 500

// tally counts the results of a run as they come.
type tally struct {
	plan       Plan
	began      time.Time
	latency    histogram // of all requests that ended, whatever came
	late       histogram // how long after its time a request left
	good       uint64
	lastLeft   time.Duration // when the last request left, from the beginning
	lastAnswer time.Duration // when the last request ended, from the beginning
	answers    map[string]*answers
	width      time.Duration // of a slice
	slices     []slice
}

// answers are the requests that ended in the same way.
type answers struct {
	good     bool
	n        uint64
	first    string // what the first one said, if it was an error
	firstSeq uint64
}

// slice is what was measured of the requests that left within a part of the plan.
type slice struct {
	latency histogram
	errors  uint64
}

func newTally(plan Plan, began time.Time) *tally {
	width := max(plan.Duration/parts, leastTime)
	n := int((plan.Duration + width - 1) / width)
	return &tally{plan: plan, began: began, answers: map[string]*answers{}, width: width, slices: make([]slice, n)}
}

func (t *tally) add(r *vegeta.Result) {
	at := r.Timestamp.Sub(t.began)
	t.latency.add(r.Latency)
	t.late.add(at - t.plan.due(r.Seq))
	t.lastLeft = max(t.lastLeft, at)
	t.lastAnswer = max(t.lastAnswer, at+r.Latency)
	s := &t.slices[min(max(int(at/t.width), 0), len(t.slices)-1)]
	s.latency.add(r.Latency)
	good := r.Code >= http.StatusOK && r.Code < http.StatusMultipleChoices && r.Error == ""
	if good {
		t.good++
	} else {
		s.errors++
	}
	name := nameOf(r, t.plan.Timeout)
	a := t.answers[name]
	if a == nil {
		a = &answers{good: good, firstSeq: r.Seq}
		t.answers[name] = a
	}
	a.n++
	if !good && (a.first == "" || r.Seq < a.firstSeq) {
		a.first, a.firstSeq = saidBy(r), r.Seq
	}
}

// nameOf tells apart how requests end: by the status, or by what kept the answer away.
func nameOf(r *vegeta.Result, timeout time.Duration) string {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(r.Error, p) {
				return true
			}
		}
		return false
	}
	switch {
	case r.Code != 0:
		return strconv.Itoa(int(r.Code))
	case has("Client.Timeout", "deadline exceeded"):
		return "no answer within " + timeout.String()
	case has("connection refused"):
		return "connection refused"
	case has("EOF", "connection reset", "broken pipe"):
		return "connection broken off"
	}
	return "no answer"
}

// saidBy returns the beginning of the body of an error, or why there is none, in one line that a terminal can show.
func saidBy(r *vegeta.Result) string {
	text := string(r.Body)
	switch {
	case r.Code == 0:
		text = r.Error
	case strings.TrimSpace(text) == "":
		text = http.StatusText(int(r.Code))
	}
	if len(text) > maxKept {
		text = text[:maxKept] + "…"
	}
	text = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return strings.Join(strings.Fields(text), " ")
}

// Progress is how far a run is.
type Progress struct {
	Elapsed, Duration time.Duration
	Asked             float64 // requests per second that the plan asks for now
	Sent              uint64  // requests
	Ended             uint64  // requests
	Errors            uint64
	P50, P99          time.Duration // since the beginning
}

func (t *tally) progress(p *pacer, now time.Time) Progress {
	elapsed := now.Sub(t.began)
	return Progress{
		Elapsed: elapsed, Duration: t.plan.Duration, Asked: t.plan.rateAt(elapsed), Sent: p.sent.Load(), Ended: t.latency.n,
		Errors: t.latency.n - t.good, P50: t.latency.quantile(0.5), P99: t.latency.quantile(0.99),
	}
}
