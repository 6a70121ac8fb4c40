// Package loadtest sends predictions to a server at a rate that does not depend on how fast it answers, and reports how it did.
//
// The requests leave when the plan says, whether or not earlier ones are answered (an open loop), so that a server which stalls is
// measured with all who would have waited. The attack is that of the vegeta library; the pace, the percentiles and the report are ours.
package loadtest

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"tasador/pkg/outgoing"
)

// Plan is what to send.
type Plan struct {
	URL         string
	Rate        float64       // requests per second, at the beginning
	RampTo      float64       // and at the end, reached in a straight line; 0: the rate does not change
	Duration    time.Duration // of sending
	Connections int           // at most at the same time; a request that finds all in use waits, and that counts
	Timeout     time.Duration // of one request, with the wait for a connection
	Bodies      [][]byte      // sent in turn, as JSON
	Listings    int           // in each body
	Outgoing    outgoing.Options
}

// mostWaiting bounds the requests that are under way: beyond it they leave late, and the rate sent falls below the rate asked.
const mostWaiting = 20_000

// tellEvery is how often a run says how far it is.
const tellEvery = 500 * time.Millisecond

// maxErrorBody is how much of an answer is read for the report, in bytes.
const maxErrorBody = 64 << 10

// Run sends the requests of a plan and reports. tell, which may be nil, hears how far it is. When ctx ends before the plan does, nothing more
// is sent, requests under way are broken off, and the report is about what was measured.
func Run(ctx context.Context, plan Plan, tell func(Progress)) *Report {
	client := newClient(ctx, plan)
	defer client.CloseIdleConnections()
	pace := &pacer{ctx: ctx, plan: plan}
	attacker := vegeta.NewAttacker(vegeta.Client(client), vegeta.MaxWorkers(mostWaiting), vegeta.MaxBody(maxErrorBody))
	began := time.Now()
	t := newTally(plan, began)
	results := attacker.Attack(targets(plan), pace, 0, "")
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		select {
		case r, open := <-results:
			switch {
			case !open:
				return t.report(pace, false)
			case ctx.Err() == nil: // else it may be one that was broken off
				t.add(r)
			}
		case now := <-ticker.C:
			if tell != nil {
				tell(t.progress(pace, now))
			}
		case <-ctx.Done():
			attacker.Stop()
			for range results { // they are broken off
			}
			return t.report(pace, true)
		}
	}
}

// newClient returns a client that goes straight to the server: through no proxy, and where it is sent elsewhere, it does not follow.
func newClient(ctx context.Context, plan Plan) *http.Client {
	client := plan.Outgoing.Client(plan.URL, &http.Transport{MaxConnsPerHost: plan.Connections, MaxIdleConnsPerHost: plan.Connections, DisableCompression: true})
	client.Timeout = plan.Timeout
	client.Transport = &stoppable{ctx: ctx, RoundTripper: client.Transport}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// targets hands out the bodies in turn. It is called by many goroutines.
func targets(plan Plan) vegeta.Targeter {
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"tasador-loadtest"}}
	var sent atomic.Uint64
	return func(t *vegeta.Target) error {
		i := (sent.Add(1) - 1) % uint64(len(plan.Bodies))
		t.Method, t.URL, t.Header, t.Body = http.MethodPost, plan.URL, header, plan.Bodies[i]
		return nil
	}
}

// stoppable breaks off all requests when its context ends.
type stoppable struct {
	ctx context.Context
	http.RoundTripper
}

// CloseIdleConnections does what http.Client's does.
func (s *stoppable) CloseIdleConnections() {
	if closer, ok := s.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper.
func (s *stoppable) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	forget := context.AfterFunc(s.ctx, cancel)
	end := func() {
		forget()
		cancel()
	}
	res, err := s.RoundTripper.RoundTrip(req.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	res.Body = &endingBody{res.Body, end}
	return res, nil
}

// endingBody calls a function when it is closed.
type endingBody struct {
	io.ReadCloser
	end func()
}

// Close implements io.Closer.
func (b *endingBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
