//go:build bench

package bench_test

import (
	"cmp"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// The subjects of measurements.
const (
	ours         = "tasador"
	floorSubject = "floor"
	pandas       = "pandas"
)

// downloadStep is the floor's bare download; it is not in the floor's seconds.
const downloadStep = "download"

type step struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// measurement is one run of one subject.
type measurement struct {
	Engine    string  `json:"engine"`
	Rows      int     `json:"rows"`
	Round     int     `json:"round"`
	Subject   string  `json:"subject"`
	Seconds   float64 `json:"seconds"`
	Steps     []step  `json:"steps"`
	ClientCPU float64 `json:"client_cpu"` // seconds of processor time: the pipeline's, the floor's client's, Python's
	ServerCPU float64 `json:"server_cpu"` // the database's
	SourceCPU float64 `json:"source_cpu"` // that of source and tracking
	PeakMiB   float64 `json:"peak_mib"`   // of the client
}

// book holds all measurements and keeps them in a file, so that a later run can go on.
type book struct {
	all  []measurement
	path string
}

// openBook begins a new book, unless resume says to go on with the one at path. An empty path keeps nothing.
func openBook(t testing.TB, path string, resume bool) *book {
	t.Helper()
	return &book{path: path, all: openLines[measurement](t, path, resume)}
}

// openLines returns what the file at path holds, one JSON a line, or empties it unless resume says to go on with it. An empty path is no file.
func openLines[M any](t testing.TB, path string, resume bool) (all []M) {
	t.Helper()
	if path == "" {
		return nil
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	if !resume {
		require.NoError(t, os.WriteFile(path, nil, 0o644))
		return nil
	}
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	defer f.Close()
	for dec := json.NewDecoder(f); ; {
		var m M
		err := dec.Decode(&m)
		if err == io.EOF {
			return all
		}
		require.NoError(t, err, "%s is not a file of measurements", path)
		all = append(all, m)
	}
}

// appendLine adds a measurement to the file at path.
func appendLine(t testing.TB, path string, m any) {
	t.Helper()
	if path == "" {
		return
	}
	line, err := json.Marshal(m)
	require.NoError(t, err)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	_, err = f.Write(append(line, '\n'))
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func (b *book) has(engine string, rows, round int) bool {
	return slices.ContainsFunc(b.all, func(m measurement) bool { return m.Engine == engine && m.Rows == rows && m.Round == round })
}

func (b *book) add(t testing.TB, m *measurement) {
	t.Helper()
	b.all = append(b.all, *m)
	say(t, "%-8s %8d rows, round %d: %-7s %7.2f s, peak %4.0f MiB, processor: client %.2f s, database %.2f s",
		m.Engine, m.Rows, m.Round, m.Subject, m.Seconds, m.PeakMiB, m.ClientCPU, m.ServerCPU)
	appendLine(t, b.path, m)
}

// tolerance is how far results of ours and of the pandas job may be apart, relatively.
const tolerance = 1e-9

// compare fails unless both jobs have found the same.
func (b *book) compare(t testing.TB, engine string, rows int, o, p outcome) {
	t.Helper()
	off := math.Abs(o.TestRMSE-p.TestRMSE) / math.Abs(p.TestRMSE)
	say(t, "%-8s %8d rows: alpha %v and %v, test RMSE %v and %v, relative difference %.1e", engine, rows, o.BestAlpha, p.BestAlpha, o.TestRMSE, p.TestRMSE, off)
	require.Equal(t, p.BestAlpha, o.BestAlpha, "the pandas job chooses another alpha")
	require.LessOrEqual(t, off, tolerance, "the pandas job finds another test RMSE")
}

// of returns the measurements of a subject.
func (b *book) of(engine string, rows int, subject string) []measurement {
	var out []measurement
	for _, m := range b.all {
		if m.Engine == engine && m.Rows == rows && m.Subject == subject {
			out = append(out, m)
		}
	}
	return out
}

// typical returns the medians of several measurements, those of each step too; false if there are none.
func (b *book) typical(engine string, rows int, subject string) (measurement, bool) {
	list := b.of(engine, rows, subject)
	if len(list) == 0 {
		return measurement{}, false
	}
	out := measurement{Engine: engine, Rows: rows, Subject: subject}
	for to, value := range map[*float64]func(measurement) float64{
		&out.Seconds:   func(m measurement) float64 { return m.Seconds },
		&out.ClientCPU: func(m measurement) float64 { return m.ClientCPU },
		&out.ServerCPU: func(m measurement) float64 { return m.ServerCPU },
		&out.SourceCPU: func(m measurement) float64 { return m.SourceCPU },
		&out.PeakMiB:   func(m measurement) float64 { return m.PeakMiB },
	} {
		*to = median(list, value)
	}
	for _, s := range list[0].Steps {
		out.Steps = append(out.Steps, step{s.Name, median(list, func(m measurement) float64 { return m.step(s.Name) })})
	}
	return out, true
}

func (m measurement) step(name string) float64 {
	for _, s := range m.Steps {
		if s.Name == name {
			return s.Seconds
		}
	}
	return 0
}

func median[T any](list []T, value func(T) float64) float64 {
	values := make([]float64, len(list))
	for i, m := range list {
		values[i] = value(m)
	}
	slices.SortFunc(values, cmp.Compare[float64])
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

func str(n int) string { return strconv.Itoa(n) }
