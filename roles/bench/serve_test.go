//go:build bench

package bench_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/loadtest"
)

var (
	serveRounds  = flag.Int("serve.rounds", 3, "how often each server is measured")
	serveSeconds = flag.Int("serve.seconds", 10, "how long each measurement of a server takes")
	servePeers   = flag.String("serve.peers", "all", "which servers of Python are measured: all, none, or their names with commas between")
	serveRows    = flag.Int("serve.rows", 2_000_000, "how many listings the batch has")
	serveBinary  = flag.String("serve.binary", "", "the tasador to measure; empty: one that is built now")
)

// TestServe measures POST /predict of tasador, of two Echo handlers and of the servers of Python in turn, with the same client; then the
// latency at half of tasador's rate, beside that of the constant handler; then a batch.
func TestServe(t *testing.T) {
	checkPeers(t)
	w := newServeWorld(t)
	subjects := w.subjects(t)
	for _, s := range subjects {
		s.check(t)
		say(t, "%-16s answers rightly", s.name)
	}
	b := &serveBook{}
	for round := range *serveRounds {
		for i := range subjects {
			s := subjects[(i+round)%len(subjects)] // each round begins with another
			settle(t, subjects[0].pid)             // tasador may still be storing what it has recorded
			b.add(t, runWrk(t, s, round))
		}
	}
	b.steady(t, subjects[0], subjects[1])
	rows := measureBatch(t, subjects[0])
	b.report(t, rows)
}

// prompt is in how many ms half of the answers are there as long as the client keeps up. A stall of the machine now and then delays the others.
const prompt = 2

// steady measures ours and the constant handler at half of our peak rate, in turn, or at what the client keeps up: it costs more than wrk, and shares the
// processors.
func (b *serveBook) steady(t *testing.T, ours, constant *subject) {
	bodies, err := loadtest.Generated(1, 1)
	require.NoError(t, err)
	load := func(s *subject, rate float64, length time.Duration) *loadtest.Report {
		r := loadtest.Run(t.Context(), loadtest.Plan{
			URL: s.url, Rate: rate, Duration: length, Connections: connections, Timeout: 10 * time.Second, Bodies: bodies, Listings: 1,
		}, nil)
		require.Zero(t, r.Errors, "%s: %+v", s.name, r.Answers)
		return r
	}
	rate := median(b.of(ours.name), func(m wrkResult) float64 { return m.rate() }) / 2
	keepsUp := func(s *subject) bool {
		r := load(s, rate, 3*time.Second)
		if r.Latency.P50 > prompt {
			say(t, "the client does not keep %.0f/s up: half of the answers of %s take over %.1f ms", rate, s.name, r.Latency.P50)
		}
		return r.Latency.P50 <= prompt
	}
	for !keepsUp(constant) || !keepsUp(ours) {
		rate *= 0.8
	}
	for round := range *serveRounds {
		turns := []*subject{ours, constant}
		if round%2 == 1 {
			slices.Reverse(turns)
		}
		for _, s := range turns {
			settle(t, ours.pid)
			client := processorOf(t, os.Getpid())
			r := load(s, rate, time.Duration(*serveSeconds)*time.Second)
			say(t, "round %d: %-16s at %6.0f/s of %6.0f/s asked: p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms, max %.1f ms; requests left late: p99 %.2f ms; processor of the client %.2f",
				round, s.name, r.Rate, r.AskedRate, r.Latency.P50, r.Latency.P99, r.Latency.P999, r.Latency.Max, r.Late.P99, (processorOf(t, os.Getpid())-client)/r.Seconds)
			b.steadies = append(b.steadies, steadyResult{s.name, r.Latency.P99})
		}
	}
}

// pythonServers lists the names that -serve.peers takes.
func pythonServers() []string { return []string{usual, usual2, tuned, tuned2, fast2, mlflow} }

func checkPeers(t testing.TB) {
	t.Helper()
	if *servePeers == "all" || *servePeers == "none" {
		return
	}
	require.Subset(t, pythonServers(), strings.Split(*servePeers, ","), "-serve.peers takes all, none, or names of these with commas between")
}

// wanted reports whether a server of Python is to be measured.
func wanted(name string) bool {
	return *servePeers == "all" || slices.Contains(strings.Split(*servePeers, ","), name)
}

// writeBody puts a request's body where wrk reads it.
func writeBody(t testing.TB, body []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "body.json")
	require.NoError(t, os.WriteFile(path, body, 0o600))
	return path
}
