//go:build bench

package bench_test

import (
	"fmt"
	"slices"
	"testing"
)

// What is expected. The fast app and MLflow have no figure of their own: to be faster is enough.
const (
	leastOfBinding  = 0.9
	leastOfUsual    = 50
	leastOfTuned    = 20
	faster          = 1
	mostOfConstant  = 2
	leastBatchRates = 400_000
)

// steadyResult is a measurement at a steady rate.
type steadyResult struct {
	subject string
	p99     float64 // ms
}

// serveBook holds all measurements of servers.
type serveBook struct {
	all      []wrkResult
	steadies []steadyResult
}

func (b *serveBook) add(t testing.TB, m wrkResult) {
	t.Helper()
	b.all = append(b.all, m)
	say(t, "round %d: %-16s %8.0f requests/s, p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, %.0f MiB; processors: server %.2f, wrk %.2f",
		m.round, m.subject, m.rate(), m.P50, m.P99, m.P999, m.resident, m.server, m.generator)
}

func (b *serveBook) of(subject string) []wrkResult {
	var out []wrkResult
	for _, m := range b.all {
		if m.subject == subject {
			out = append(out, m)
		}
	}
	return out
}

// report prints the medians of all servers, and the figures.
func (b *serveBook) report(t testing.TB, batch []float64) {
	t.Helper()
	say(t, "\nMedians of %d rounds of %d s with wrk, %d connections. Memory is resident, of all processes of the server; the two handlers share one process.\n%-16s %12s %9s %9s %9s %9s %12s %9s",
		*serveRounds, *serveSeconds, connections, "", "requests/s", "p50 ms", "p99 ms", "p99.9 ms", "MiB", "server CPUs", "wrk CPUs")
	rate := map[string]float64{}
	var names []string
	for _, m := range b.all {
		if !slices.Contains(names, m.subject) {
			names = append(names, m.subject)
		}
	}
	for _, name := range names {
		of := func(value func(wrkResult) float64) float64 { return median(b.of(name), value) }
		rate[name] = of(wrkResult.rate)
		say(t, "%-16s %12.0f %9.2f %9.2f %9.2f %9.0f %12.2f %9.2f", name, rate[name], of(func(m wrkResult) float64 { return m.P50 }), of(func(m wrkResult) float64 { return m.P99 }),
			of(func(m wrkResult) float64 { return m.P999 }), of(func(m wrkResult) float64 { return m.resident }), of(func(m wrkResult) float64 { return m.server }),
			of(func(m wrkResult) float64 { return m.generator }))
	}
	say(t, "")
	for _, figure := range []struct {
		peer     string
		expected float64
	}{{bindingHandler, leastOfBinding}, {usual, leastOfUsual}, {usual2, leastOfUsual}, {tuned, leastOfTuned}, {tuned2, leastOfTuned}, {fast2, faster}, {mlflow, faster}} {
		if peer, measured := rate[figure.peer]; measured {
			line(t, "serve-"+figure.peer, perSecond(rate[ours]), "peer", perSecond(peer), rate[ours]/peer, least, figure.expected)
		}
	}
	p99 := func(subject string) float64 {
		var list []steadyResult
		for _, s := range b.steadies {
			if s.subject == subject {
				list = append(list, s)
			}
		}
		return median(list, func(s steadyResult) float64 { return s.p99 })
	}
	line(t, "serve-half-peak-p99", ms(p99(ours)), "peer", ms(p99(constantHandler)), p99(ours)/p99(constantHandler), most, mostOfConstant)
	if batch == nil {
		say(t, "bench serve-batch missing: this tasador has no POST /predict/batch")
		return
	}
	rows := median(batch, func(v float64) float64 { return v })
	line(t, "serve-batch-rows", perSecond(rows), "floor", perSecond(leastBatchRates), rows/leastBatchRates, least, 1)
}

func perSecond(v float64) string { return fmt.Sprintf("%.0f/s", v) }
