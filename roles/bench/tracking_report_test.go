//go:build bench

package bench_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// What is expected of tracking.
const (
	leastWrites  = 15 // times MLflow's rows a second, with many clients on PostgreSQL
	leastSearch  = 10 // times lower p95 than MLflow's over the large experiment
	mostResident = 60 // MB when loaded
	notSlower    = 1
)

// report prints a table of each database, checks that the servers answered the same, and prints the figures.
func (b *trackingBook) report(t testing.TB) {
	t.Helper()
	engines := strings.Split(*trackingEngines, ",")
	for _, engine := range engines {
		if len(b.of(engine, ours)) > 0 {
			b.table(t, engine)
			b.compareRows(t, engine)
		}
		b.growthTable(t, engine)
	}
	say(t, "")
	for _, engine := range engines {
		b.lines(t, engine)
		b.growthLines(t, engine)
	}
}

func (b *trackingBook) subjects(engine string) []string {
	return slices.DeleteFunc([]string{ours, mlflow, fasttrackml}, func(s string) bool { return len(b.of(engine, s)) == 0 })
}

func (b *trackingBook) table(t testing.TB, engine string) {
	t.Helper()
	say(t, "\n%s, %d runs in the large experiment, medians of %d rounds. Failed requests count for nothing. The last three: processors that the load client, the server and PostgreSQL kept busy.\n%-22s %-12s %9s %7s %9s %10s %10s %12s %7s %7s %7s",
		engine, *trackingRuns, len(b.of(engine, ours)), "", "", "requests", "failed", "seconds", "p50 ms", "p95 ms", "rows/s, MB/s", "client", "server", "postgres")
	for _, name := range b.names(engine) {
		for _, subject := range b.subjects(engine) {
			if f, ok := b.typical(engine, subject, name); ok {
				say(t, "%-22s %-12s %9d %7d %9.2f %10.3f %10.3f %12.1f %7.2f %7.2f %7.2f", name, subject, f.Count, f.Failed, f.Seconds, f.P50, f.P95, f.Rate, f.Client, f.Server, f.Database)
			}
		}
	}
	for _, name := range []string{"idle", "loaded", "peak-of-load", "peak-of-artifact"} {
		for _, subject := range b.subjects(engine) {
			say(t, "%-22s %-12s %9.1f MiB resident, all processes of the server", name, subject, b.memory(engine, subject, name))
		}
	}
}

// compareRows fails unless all servers answered a search with the same rows.
func (b *trackingBook) compareRows(t testing.TB, engine string) {
	t.Helper()
	seen := map[string]string{}
	for _, subject := range b.subjects(engine) {
		for _, m := range b.of(engine, subject) {
			for name, digest := range m.Digests {
				if before, ok := seen[name]; ok && before != digest {
					t.Errorf("%s: %s answers %s with %s, another server with %s", engine, subject, name, digest, before)
				}
				seen[name] = digest
			}
		}
	}
	say(t, "%s: %d searches were answered with the same rows by %s", engine, len(seen), strings.Join(b.subjects(engine), ", "))
}

// lines prints our figures beside those of each peer.
func (b *trackingBook) lines(t testing.TB, engine string) {
	t.Helper()
	for _, peer := range b.subjects(engine) {
		if peer == ours {
			continue
		}
		for _, name := range b.names(engine) {
			o, _ := b.typical(engine, ours, name)
			p, ok := b.typical(engine, peer, name)
			if ok {
				b.compareFigure(t, engine, name, peer, o, p)
			}
		}
		for _, name := range []string{"idle", "peak-of-load"} {
			o, p := b.memory(engine, ours, name), b.memory(engine, peer, name)
			line(t, "tracking-"+engine+"-memory-"+name+"-"+peer, mib(o), "peer", mib(p), p/o, least, notSlower)
		}
	}
	const mibOfMB = 1 << 20 / 1e6
	if len(b.of(engine, ours)) == 0 {
		return
	}
	for _, name := range []string{"idle", "loaded", "peak-of-load"} {
		mb := b.memory(engine, ours, name) * mibOfMB
		line(t, "tracking-"+engine+"-memory-"+name, fmt.Sprintf("%.0fMB", mb), "limit", fmt.Sprintf("%dMB", mostResident), mb/mostResident, most, 1)
	}
}

// compareFigure prints rates of writes, and p95 of all else. A peer's rate of 0 makes the ratio infinite.
func (b *trackingBook) compareFigure(t testing.TB, engine, name, peer string, o, p figure) {
	t.Helper()
	full := "tracking-" + engine + "-" + name + "-" + peer
	expected := float64(notSlower)
	switch {
	case strings.HasSuffix(name, "-start"):
		line(t, full, seconds(o.Seconds), "peer", seconds(p.Seconds), p.Seconds/o.Seconds, least, expected)
	case strings.HasPrefix(name, "artifact-"):
		line(t, full, fmt.Sprintf("%.0fMB/s", o.Rate), "peer", fmt.Sprintf("%.0fMB/s", p.Rate), o.Rate/p.Rate, least, expected)
	case strings.HasPrefix(name, "log-"), strings.HasPrefix(name, "create-"):
		if peer == mlflow && engine == postgres && strings.HasSuffix(name, fmt.Sprintf("-%d", manyClients)) && name != "create-run-20" && name != "log-run-20" {
			expected = leastWrites
		}
		line(t, full, fmt.Sprintf("%.0f/s", o.Rate), "peer", fmt.Sprintf("%.0f/s", p.Rate), o.Rate/p.Rate, least, expected)
		line(t, full+"-p95", ms(o.P95), "peer", ms(p.P95), p.P95/o.P95, least, notSlower)
	default:
		if peer == mlflow && strings.HasPrefix(name, "search-") && !strings.HasSuffix(name, "-1000") {
			expected = leastSearch
		}
		line(t, full+"-p50", ms(o.P50), "peer", ms(p.P50), p.P50/o.P50, least, notSlower)
		line(t, full+"-p95", ms(o.P95), "peer", ms(p.P95), p.P95/o.P95, least, math.Max(expected, notSlower))
	}
}

func ms(v float64) string { return fmt.Sprintf("%.2fms", v) }
