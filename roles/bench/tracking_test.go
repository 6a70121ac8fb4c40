//go:build bench

package bench_test

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

var (
	trackingRuns     = flag.Int("tracking.runs", 20_000, "how many runs the large experiment has")
	trackingSeconds  = flag.Float64("tracking.seconds", 4, "how long each load lasts")
	trackingArtifact = flag.Int("tracking.artifact", 500, "how many MB the artifact has")
	trackingGrowth   = flag.String("tracking.growth", "1000,10000,100000", "over how many runs tasador searches by metric; empty: none")
	trackingRounds   = flag.Int("tracking.rounds", 2, "how many rounds")
	trackingPeers    = flag.String("tracking.peers", "mlflow,fasttrackml", "the servers to compare with")
	trackingEngines  = flag.String("tracking.engines", "postgres,sqlite", "on which databases")
	trackingOnly     = flag.String("tracking.only", "log-metric,log-batch,search,history,artifact", "which loads")
	trackingResume   = flag.Bool("tracking.resume", false, "take what -tracking.results has of the same engine, server and round, and measure the rest")
	trackingResults  = flag.String("tracking.results", "", "the file that keeps all measurements, one JSON a line")
	trackingBinary   = flag.String("tracking.binary", "", "the tasador to measure; empty: one that is built now")
)

// TestTracking runs the same load against each server on each database, one after the other, and prints what it found.
func TestTracking(t *testing.T) {
	bin := *trackingBinary
	if bin == "" {
		bin = testkit.Build(t, "-trimpath", "-ldflags=-s -w")
	}
	subjects := []string{ours}
	for _, peer := range strings.Split(*trackingPeers, ",") {
		if peer != "" {
			require.Contains(t, []string{mlflow, fasttrackml}, peer, "-tracking.peers takes mlflow and fasttrackml")
			subjects = append(subjects, peer)
		}
	}
	book := openTrackingBook(t, *trackingResults, *trackingResume)
	for _, engine := range strings.Split(*trackingEngines, ",") {
		require.Contains(t, []string{postgres, sqlite}, engine, "-tracking.engines takes postgres and sqlite")
		t.Run(engine, func(t *testing.T) { measureTrackingEngine(t, bin, engine, subjects, book) })
	}
	book.report(t)
}

func measureTrackingEngine(t *testing.T, bin, engine string, subjects []string, book *trackingBook) {
	var server *testkit.DatabaseServer
	if engine == postgres {
		server = testkit.StartPostgres(t) // with its defaults, so that every commit is on the disk
	}
	for round := range *trackingRounds {
		turn := slices.Concat(subjects[round%len(subjects):], subjects[:round%len(subjects)]) // another order every round
		for _, subject := range turn {
			if book.has(engine, subject, round, *trackingRuns) {
				continue
			}
			t.Run(fmt.Sprintf("%d/%s", round, subject), func(t *testing.T) {
				m := &trackingMeasurement{Engine: engine, Subject: subject, Round: round, Runs: *trackingRuns}
				measureTracking(t, bin, newDatabase(t, engine, server), m)
				book.add(t, m)
			})
			if t.Failed() {
				return
			}
		}
	}
	if *trackingGrowth == "" {
		return
	}
	for _, text := range strings.Split(*trackingGrowth, ",") {
		runs, err := strconv.Atoi(text)
		require.NoError(t, err, "-tracking.growth takes whole numbers with commas between")
		if !book.has(engine, growthSubject, 0, runs) {
			t.Run("growth/"+text, func(t *testing.T) {
				m := &trackingMeasurement{Engine: engine, Subject: growthSubject, Runs: runs}
				measureGrowth(t, bin, newDatabase(t, engine, server), m)
				book.add(t, m)
			})
		}
	}
}

// loadTime is how long each load lasts.
func loadTime() time.Duration { return time.Duration(*trackingSeconds * float64(time.Second)) }

// measureTracking takes one server through all steps.
func measureTracking(t *testing.T, bin string, db database, m *trackingMeasurement) {
	s := startServer(t, bin, m.Subject, db)
	m.set("first-start", figure{Seconds: s.cold.Seconds()})
	s.stop(t)
	s = s.again(t)
	m.set("cold-start", figure{Seconds: s.cold.Seconds()})
	c := newRest(t, s, db)
	warmUp(t, c)
	idle := s.memory(t)
	watch := watchMemory(t, s)
	only := strings.Split(*trackingOnly, ",")
	for _, load := range []struct {
		name string
		run  func()
	}{
		{"log-metric", func() { logMetrics(t, c, m) }},
		{"log-batch", func() { logBatches(t, c, m) }},
		{"search", func() {
			searchFilled(t, c, m, "1000", fillByREST(t, c, m))
			searchFilled(t, c, m, strconv.Itoa(m.Runs), fillBySQL(t, c, db, m.Subject, m.Runs))
		}},
		{"history", func() { readHistory(t, c, m) }},
	} {
		if slices.Contains(only, load.name) {
			load.run()
		}
	}
	m.MiB = map[string]float64{"idle": idle, "loaded": s.memory(t), "peak-of-load": watch.peak()}
	if m.Subject != fasttrackml && slices.Contains(only, "artifact") { // FastTrackML has no place for artifacts of its own
		moveArtifact(t, c, m)
		m.MiB["peak-of-artifact"] = watch.peak()
	}
	watch.end()
	s.stop(t)
}
