package loadtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/loadtest"
	"tasador/pkg/testkit"
)

func plan(t *testing.T, url string) loadtest.Plan {
	t.Helper()
	bodies, err := loadtest.Generated(1, 1)
	require.NoError(t, err)
	return loadtest.Plan{URL: url + "/predict", Rate: 200, Duration: time.Second, Connections: 8, Timeout: 5 * time.Second, Bodies: bodies, Listings: 1}
}

func serve(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // only then a server notices that the client goes away
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		handle(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func ptr[T any](v T) *T { return &v }

func TestEveryRequestOfThePlanArrives(t *testing.T) {
	var mu sync.Mutex
	bodies := map[string]int{}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/predict" || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		mu.Lock()
		bodies[string(body)]++
		mu.Unlock()
		_, _ = w.Write([]byte("{}"))
	})
	p := plan(t, url)
	p.Rate, p.RampTo = 100, 500
	var told atomic.Int32
	r := loadtest.Run(t.Context(), p, func(loadtest.Progress) { told.Add(1) })
	require.EqualValues(t, 300, r.Sent)
	require.EqualValues(t, 300, r.Good)
	require.Zero(t, r.Errors)
	require.False(t, r.Interrupted)
	require.InDelta(t, 1, r.RateRatio, 0.2, "unless this machine is very busy")
	require.InDelta(t, 300, r.AskedRate, 1e-9)
	require.Len(t, bodies, 300, "each body is another listing")
	require.Positive(t, told.Load())
	require.Equal(t, []loadtest.Answer{{Status: "200", Good: true, Count: 300}}, r.Answers)
	var early, late uint64
	for _, s := range r.Slices {
		require.LessOrEqual(t, s.P50, s.P99)
		require.LessOrEqual(t, s.P99, s.Max)
		if s.At < 0.5 {
			early += s.Requests
		} else {
			late += s.Requests
		}
	}
	require.EqualValues(t, 300, early+late)
	require.Greater(t, late, early, "the rate grows")
	require.NoError(t, r.Judge(loadtest.Limits{MaxP99: ptr(time.Minute), MaxErrorRatio: ptr(0.0), MinRateRatio: ptr(0.8)}))
}

// TestAStallCountsForAllWhoWait lets one request hold the only connection for half a second: a client that waits for each answer before it sends
// the next would see one slow request; here a hundred would have waited, the later the shorter.
func TestAStallCountsForAllWhoWait(t *testing.T) {
	var calls atomic.Int32
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 50 {
			select {
			case <-time.After(500 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
	})
	p := plan(t, url)
	p.Connections = 1
	r := loadtest.Run(t.Context(), p, nil)
	require.EqualValues(t, 200, r.Good)
	require.Greater(t, r.Latency.Max, 490.0)
	require.Greater(t, r.Latency.P90, 200.0, "100 of 200 requests were due within the half second; the 20th of them waited for 400 ms")
}

func TestErrorsAreNamedWithTheirFirstBody(t *testing.T) {
	var calls atomic.Int32
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch n := calls.Add(1); n % 5 {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte("{\"detail\":\n \"no model\x1b[31m\"}" + strings.Repeat("x", 2000)))
		case 2:
			w.Header().Set("Location", "http://192.0.2.1/")
			w.WriteHeader(http.StatusFound)
		case 3:
			<-r.Context().Done() // longer than the client waits
		case 4:
			panic(http.ErrAbortHandler)
		}
	})
	p := plan(t, url)
	p.Rate, p.Timeout = 100, 300*time.Millisecond
	r := loadtest.Run(t.Context(), p, nil)
	counts := map[string]uint64{}
	for _, a := range r.Answers {
		counts[a.Status] = a.Count
		switch a.Status {
		case "503":
			require.Contains(t, a.First, `{"detail": "no model [31m"}xxx`, "in one line, without what a terminal would obey")
			require.Less(t, len(a.First), 600)
		case "200":
			require.Empty(t, a.First)
		default:
			require.NotEmpty(t, a.First, a.Status)
		}
	}
	require.Equal(t, map[string]uint64{"200": 20, "503": 20, "302": 20, "no answer within 300ms": 20, "connection broken off": 20}, counts)
	require.Equal(t, "200", r.Answers[0].Status)
	require.InDelta(t, 0.8, r.ErrorRatio, 1e-9)
	require.Greater(t, r.Latency.P90, 299.0, "who got no answer has waited, too")

	err := r.Judge(loadtest.Limits{MaxP99: ptr(time.Millisecond), MaxErrorRatio: ptr(0.5), MinRateRatio: ptr(0.9)})
	require.ErrorContains(t, err, "--max-p99: p99 was ")
	require.ErrorContains(t, err, "above the limit of 1 ms; --max-error-ratio: 80 of 100 requests failed, a ratio of 0.8, 0.3 (60 %) above the limit of 0.5")
	require.NotContains(t, err.Error(), "--min-rate-ratio")
	require.ErrorContains(t, r.Judge(loadtest.Limits{MaxErrorRatio: ptr(0.0)}), "above the limit of 0")
	require.NoError(t, r.Judge(loadtest.Limits{MaxErrorRatio: ptr(0.8)}))
}

func TestARateThatCannotBeSentIsMissed(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) {})
	p := plan(t, url)
	p.Rate, p.Duration = 1_000_000, 300*time.Millisecond
	r := loadtest.Run(t.Context(), p, nil)
	require.Less(t, r.RateRatio, 0.9)
	require.ErrorContains(t, r.Judge(loadtest.Limits{MinRateRatio: ptr(0.9)}), "requests/s were sent, a ratio of 0.")
}

func TestNobodyThere(t *testing.T) {
	p := plan(t, "http://"+testkit.FreeAddress(t))
	p.Rate, p.Duration = 50, 200*time.Millisecond
	r := loadtest.Run(t.Context(), p, nil)
	require.EqualValues(t, 10, r.Errors)
	require.Equal(t, "connection refused", r.Answers[0].Status)
	require.ErrorContains(t, r.Judge(loadtest.Limits{}), "no request was answered with success; the first error: connection refused: ")
}

func TestAnInterruptionReportsWhatWasMeasured(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var calls atomic.Int32
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 20 {
			cancel()
			<-r.Context().Done()
		}
	})
	p := plan(t, url)
	p.Duration, p.Timeout = time.Hour, time.Hour
	r := loadtest.Run(ctx, p, nil) // would last an hour, twice
	require.True(t, r.Interrupted)
	require.GreaterOrEqual(t, r.Good, uint64(1))
	require.GreaterOrEqual(t, r.Unanswered, uint64(1))
	require.Equal(t, r.Sent, r.Good+r.Errors+r.Unanswered)
	require.Less(t, r.Seconds, 60.0)
	var text bytes.Buffer
	require.NoError(t, r.WriteText(&text))
	require.Contains(t, text.String(), "200 requests/s for 1h0m0s, interrupted after ")
}

func TestReports(t *testing.T) {
	var calls atomic.Int32
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1)%10 == 0 {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("<script>alert(1)</script>"))
		}
	})
	r := loadtest.Run(t.Context(), plan(t, url), nil)
	require.Error(t, r.Judge(loadtest.Limits{MaxErrorRatio: ptr(0.05), MaxP99: ptr(time.Minute)}))

	var text, object, page bytes.Buffer
	require.NoError(t, r.WriteText(&text))
	require.Regexp(t, `(?m)^sent +200 requests, \S+/s of 200/s asked \(\S+ %\)$`, text.String())
	require.Regexp(t, `(?m)^errors +20 \(10 %\)$`, text.String())
	require.Regexp(t, `(?m)^ +20 × 502  <script>alert\(1\)</script>$`, text.String())
	require.Regexp(t, `(?m)^ +--max-error-ratio missed: 20 of 200 requests failed, a ratio of 0\.1, 0\.05 \(100 %\) above the limit of 0\.05$`, text.String())

	require.NoError(t, r.WriteJSON(&object))
	var back loadtest.Report
	require.NoError(t, json.Unmarshal(object.Bytes(), &back))
	require.Equal(t, *r, back)

	require.NoError(t, r.WriteHTML(&page))
	content := page.String()
	require.NotContains(t, content, "<script", "what a server says is text")
	require.Contains(t, content, "&lt;script&gt;alert(1)&lt;/script&gt;")
	require.NotRegexp(t, `(?i)(src|href)=|url\(|@import|<link`, content, "it asks nobody for anything")
	require.Contains(t, content, "prefers-color-scheme: dark")
	charts := regexp.MustCompile(`(?s)<svg class="chart".*?</svg>`).FindAllString(content, -1)
	require.Len(t, charts, 3)
	for _, chart := range charts {
		dec := xml.NewDecoder(strings.NewReader(chart))
		for {
			_, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, chart)
		}
		require.NotContains(t, chart, "NaN")
		require.NotContains(t, chart, "Inf")
		require.Regexp(t, `<path class="line \w+" d="M[0-9. L]+L[0-9. LM]+"/>`, chart, "something is drawn")
	}
	require.Contains(t, charts[0], `class="line limit"`, "the limit of p99")
}
