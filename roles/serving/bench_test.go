package serving

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/inference"
	"tasador/pkg/model"
	"tasador/pkg/testkit/modeltest"
)

// newRole returns a role that serves a model which it finds in its folder, with its journal and its database, before it is run.
func newRole(t testing.TB) *role {
	t.Helper()
	cfg, err := config.Default()
	require.NoError(t, err)
	cfg.DataDir = t.TempDir()
	cfg.Predictions.URL = "sqlite:" + filepath.Join(cfg.DataDir, "predictions.db")
	cfg.Tracking.URI = "http://127.0.0.1:1" // nobody is asked
	dir := filepath.Join(cfg.DataDir, filepath.FromSlash(modelFolder))
	require.NoError(t, model.WriteFolder(filepath.Join(dir, "1"), modeltest.Train(t, 1), model.Meta{CreatedAt: modeltest.AsOf()}))
	current, err := json.Marshal(inference.Identity{Name: cfg.Serving.Model, Version: "1", RunID: strings.Repeat("a", 32)})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "current.json"), current, 0o600))
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	service, err := New(context.Background(), cfg, ln, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	r, ok := service.(*role)
	require.True(t, ok)
	t.Cleanup(func() {
		require.NoError(t, r.journal.Close())
		require.NoError(t, r.store.Close())
		require.NoError(t, ln.Close())
	})
	return r
}

// answerWriter takes an answer and is used again, as the server's is.
type answerWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *answerWriter) Header() http.Header         { return w.header }
func (w *answerWriter) WriteHeader(status int)      { w.status = status }
func (w *answerWriter) Write(p []byte) (int, error) { return w.body.Write(p) }

func (w *answerWriter) reset() {
	clear(w.header)
	w.body.Reset()
}

// bodyReader is a body that is read again for each request.
type bodyReader struct{ bytes.Reader }

func (*bodyReader) Close() error { return nil }

// ask returns a function that sends a body through router, middleware, decoding, model, journal, metrics and encoding: all of a request but the connection.
func ask(t testing.TB, r *role, content []byte) func() *answerWriter {
	t.Helper()
	body := &bodyReader{}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://127.0.0.1/predict", http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	w := &answerWriter{header: http.Header{}}
	return func() *answerWriter {
		body.Reset(content)
		req.Body, req.ContentLength = body, int64(len(content))
		w.reset()
		r.server.Echo().ServeHTTP(w, req)
		return w
	}
}

func exampleJSON(t testing.TB) []byte {
	t.Helper()
	example, err := json.Marshal(exampleBody())
	require.NoError(t, err)
	return example
}

// maxAllocations is how many objects a prediction may make from the router to the answer, with its record in the journal and its metrics.
const maxAllocations = 24

func TestAPredictionMakesLittleGarbage(t *testing.T) {
	send := ask(t, newRole(t), exampleJSON(t))
	require.Equal(t, http.StatusOK, send().status)
	n := testing.AllocsPerRun(200, func() { send() })
	require.LessOrEqual(t, n, float64(maxAllocations))
}

func BenchmarkPredict(b *testing.B) {
	example := exampleJSON(b)
	for name, body := range map[string][]byte{
		"one": example, "list of 100": []byte("[" + strings.Repeat(string(example)+",", 99) + string(example) + "]"),
	} {
		b.Run(name, func(b *testing.B) {
			send := ask(b, newRole(b), body)
			require.Equal(b, http.StatusOK, send().status)
			b.ReportAllocs()
			for b.Loop() {
				send()
			}
		})
	}
}

// BenchmarkParts times what a prediction consists of.
func BenchmarkParts(b *testing.B) {
	r, example := newRole(b), exampleJSON(b)
	q := &question{}
	var err error
	q.version, err = r.version()
	require.NoError(b, err)
	parts := []struct {
		name string
		run  func()
	}{
		{"decode", func() {
			_ = q.read(bytes.NewReader(example))
			_, _ = q.decode()
		}},
		{"check", func() { q.check() }},
		{"price", func() {
			q.unkept = true
			_ = r.answer(b.Context(), q)
		}},
		{"record", func() { _ = r.record(q) }},
		{"encode", func() { q.out = q.appendAnswers(q.out[:0]) }},
		{"metrics", func() { r.answered(protocolREST, q.version, outcomeOK, 1, q.now) }},
	}
	for _, part := range parts {
		b.Run(part.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				part.run()
			}
		})
	}
	b.Run("encoding/json of the same", func(b *testing.B) { // for comparison
		b.ReportAllocs()
		for b.Loop() {
			var listing map[string]any
			if err := json.Unmarshal(example, &listing); err != nil {
				b.Fatal(err)
			}
			_ = json.NewEncoder(io.Discard).Encode(q.result(0))
		}
	})
}
