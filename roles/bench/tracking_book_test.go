//go:build bench

package bench_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
)

// trackingMeasurement is one round of one server on one database.
type trackingMeasurement struct {
	Engine  string             `json:"engine"`
	Subject string             `json:"subject"`
	Round   int                `json:"round"`
	Runs    int                `json:"runs"`
	Figures []named            `json:"figures"`
	MiB     map[string]float64 `json:"mib,omitempty"`
	Digests map[string]string  `json:"digests,omitempty"` // of the rows that were answered
	Plans   []string           `json:"plans,omitempty"`
}

type named struct {
	Name string `json:"name"`
	figure
}

func (m *trackingMeasurement) set(name string, f figure) {
	m.Figures = append(m.Figures, named{name, f})
}

func (m *trackingMeasurement) digest(name string, rows []string) {
	if m.Digests == nil {
		m.Digests = map[string]string{}
	}
	m.Digests[name] = digestOf(rows)
}

// trackingBook holds all measurements and keeps them in a file, so that a later run can go on.
type trackingBook struct {
	all  []*trackingMeasurement
	path string
}

func openTrackingBook(t testing.TB, path string, resume bool) *trackingBook {
	t.Helper()
	b := &trackingBook{path: path}
	for _, m := range openLines[trackingMeasurement](t, path, resume) {
		b.all = append(b.all, &m)
	}
	return b
}

func (b *trackingBook) has(engine, subject string, round, runs int) bool {
	return slices.ContainsFunc(b.all, func(m *trackingMeasurement) bool {
		return m.Engine == engine && m.Subject == subject && m.Round == round && m.Runs == runs
	})
}

func (b *trackingBook) add(t testing.TB, m *trackingMeasurement) {
	t.Helper()
	if t.Failed() {
		return
	}
	b.all = append(b.all, m)
	appendLine(t, b.path, m)
	say(t, "%s %s, round %d", m.Engine, m.Subject, m.Round)
	for _, f := range m.Figures {
		say(t, "  %-22s %s", f.Name, f.text())
	}
	if m.MiB != nil {
		say(t, "  MiB %v", m.MiB)
	}
}

func (f figure) text() string {
	return fmt.Sprintf("%7d requests, %3d failed, %8.2f s, p50 %9.3f ms, p95 %9.3f ms, %10.1f /s, processors: client %.2f, server %.2f, database %.2f",
		f.Count, f.Failed, f.Seconds, f.P50, f.P95, f.Rate, f.Client, f.Server, f.Database)
}

// of returns the rounds of a server.
func (b *trackingBook) of(engine, subject string) []*trackingMeasurement {
	var out []*trackingMeasurement
	for _, m := range b.all {
		if m.Engine == engine && m.Subject == subject && (subject == growthSubject || m.Runs == *trackingRuns) {
			out = append(out, m)
		}
	}
	return out
}

// names returns the names of all figures in the order in which they were measured.
func (b *trackingBook) names(engine string) (names []string) {
	for _, m := range b.of(engine, ours) {
		for _, f := range m.Figures {
			if !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	return names
}

// typical returns the medians of a figure; false if there is none.
func (b *trackingBook) typical(engine, subject, name string) (figure, bool) {
	var list []figure
	for _, m := range b.of(engine, subject) {
		for _, f := range m.Figures {
			if f.Name == name {
				list = append(list, f.figure)
			}
		}
	}
	if len(list) == 0 {
		return figure{}, false
	}
	middle := func(value func(figure) float64) float64 {
		values := make([]float64, len(list))
		for i, f := range list {
			values[i] = value(f)
		}
		slices.SortFunc(values, cmp.Compare[float64])
		n := len(values)
		return (values[(n-1)/2] + values[n/2]) / 2
	}
	out := figure{
		Seconds: middle(func(f figure) float64 { return f.Seconds }), P50: middle(func(f figure) float64 { return f.P50 }),
		P95: middle(func(f figure) float64 { return f.P95 }), Rate: middle(func(f figure) float64 { return f.Rate }),
		Client: middle(func(f figure) float64 { return f.Client }), Server: middle(func(f figure) float64 { return f.Server }),
		Database: middle(func(f figure) float64 { return f.Database }),
	}
	for _, f := range list {
		out.Count += f.Count
		out.Failed += f.Failed
	}
	return out, true
}

// memory returns the most of all rounds.
func (b *trackingBook) memory(engine, subject, name string) (most float64) {
	for _, m := range b.of(engine, subject) {
		most = max(most, m.MiB[name])
	}
	return most
}
