//go:build bench

package bench_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is expected.
const (
	mostOfFloor   = 1.5
	leastOfPandas = 4
	most          = "<="
	least         = ">="
	mostMiB       = 286 // 300 MB
	bytesAPlace   = 8   // a row's position in the shuffle
	growthFrom    = 100_000
	growthTo      = 4_000_000
	noFaster      = 1.0
	pandasEngine  = "mariadb"
	pandasAt      = 1_000_000
)

// say prints a line at once.
func say(t testing.TB, format string, args ...any) {
	t.Helper()
	_, err := fmt.Fprintf(os.Stdout, format+"\n", args...)
	require.NoError(t, err)
}

// line prints one figure; better says on which side of expected the ratio has to be.
func line(t testing.TB, name, ours, peer, other string, ratio float64, better string, expected float64) {
	t.Helper()
	word := "short"
	if better == most && ratio <= expected || better == least && ratio >= expected {
		word = "ok"
	}
	say(t, "bench %s ours=%s %s=%s ratio=%.2f expected=%s%g %s", name, ours, peer, other, ratio, better, expected, word)
}

// report prints a table of each engine and size, and the figures.
func (b *book) report(t testing.TB) {
	t.Helper()
	var engines []string
	sizes := map[string][]int{}
	for _, m := range b.all {
		if !slices.Contains(engines, m.Engine) {
			engines = append(engines, m.Engine)
		}
		if !slices.Contains(sizes[m.Engine], m.Rows) {
			sizes[m.Engine] = append(sizes[m.Engine], m.Rows)
		}
	}
	say(t, "\nMedians. The floor is load realtor_raw + the faster of (read realtor_raw + load splits) and split by SQL alone + read splits + load clean\n"+
		"+ read clean; its processor time is that of the first way. The download of the payload is a part of its own: the ratio is given with and without it.")
	for _, engine := range engines {
		slices.Sort(sizes[engine])
		for _, rows := range sizes[engine] {
			b.table(t, engine, rows)
		}
	}
	say(t, "")
	for _, engine := range engines {
		for _, rows := range sizes[engine] {
			b.lines(t, engine, rows)
		}
		b.growth(t, engine)
	}
}

func (b *book) table(t testing.TB, engine string, rows int) {
	t.Helper()
	say(t, "\n%s, %d rows, %d rounds\n%-24s %9s %10s %9s %11s %13s %13s", engine, rows, len(b.of(engine, rows, ours)),
		"", "seconds", "rows/s", "MiB peak", "client CPU", "database CPU", "source CPU")
	for _, subject := range []string{ours, floorSubject, pandas} {
		m, ok := b.typical(engine, rows, subject)
		if !ok {
			continue
		}
		say(t, "%-24s %9.2f %10.0f %9.0f %11.2f %13.2f %13.2f", subject, m.Seconds, float64(rows)/m.Seconds, m.PeakMiB, m.ClientCPU, m.ServerCPU, m.SourceCPU)
		for _, s := range m.Steps {
			if s.Seconds >= 0.005 {
				say(t, "  %-22s %9.2f %10.0f", s.Name, s.Seconds, float64(rows)/s.Seconds)
			}
		}
	}
}

// lines prints the figures of one size.
func (b *book) lines(t testing.TB, engine string, rows int) {
	t.Helper()
	o, _ := b.typical(engine, rows, ours)
	f, _ := b.typical(engine, rows, floorSubject)
	name := fmt.Sprintf("data-%s-%d", engine, rows)
	with := f.Seconds + f.step(downloadStep)
	line(t, name+"-floor-and-download", seconds(o.Seconds), "floor", seconds(with), o.Seconds/with, most, mostOfFloor)
	line(t, name+"-floor", seconds(o.Seconds), "floor", seconds(f.Seconds), o.Seconds/f.Seconds, most, mostOfFloor)
	if p, ok := b.typical(engine, rows, pandas); ok {
		expected := 1.0
		if engine == pandasEngine && rows == pandasAt {
			expected = leastOfPandas
		}
		line(t, name+"-pandas", seconds(o.Seconds), "peer", seconds(p.Seconds), p.Seconds/o.Seconds, least, expected)
		line(t, name+"-pandas-memory", mib(o.PeakMiB), "peer", mib(p.PeakMiB), p.PeakMiB/o.PeakMiB, least, 1)
	}
	places := float64(rows) * bytesAPlace / (1 << 20)
	line(t, name+"-memory", mib(o.PeakMiB), "limit", mib(mostMiB), o.PeakMiB/mostMiB, most, 1)
	say(t, "      of which positions at %d bytes a row: %.1f MiB", bytesAPlace, places)
}

// growth compares how much more a row takes at the largest size, ours and the floor.
func (b *book) growth(t testing.TB, engine string) {
	t.Helper()
	more := func(subject string) float64 {
		small, ok1 := b.typical(engine, growthFrom, subject)
		large, ok2 := b.typical(engine, growthTo, subject)
		if !ok1 || !ok2 {
			return 0
		}
		return (large.Seconds / growthTo) / (small.Seconds / growthFrom)
	}
	if o, f := more(ours), more(floorSubject); o > 0 && f > 0 {
		line(t, "data-"+engine+"-time-per-row-growth", fmt.Sprintf("%.2f", o), "floor", fmt.Sprintf("%.2f", f), o/f, most, noFaster)
	}
}

func seconds(v float64) string { return fmt.Sprintf("%.2fs", v) }
func mib(v float64) string     { return fmt.Sprintf("%.0fMiB", v) }
