package chaos_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/outgoing"
	"tasador/pkg/pipelineclient"
	"tasador/pkg/realtor"
	"tasador/pkg/testkit"
)

// line stands between the pipeline and a server. behave answers in the server's place if it returns true.
func line(t *testing.T, target string, behave func(http.ResponseWriter, *http.Request) bool) string {
	t.Helper()
	u, err := url.Parse(target)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }}
	server := httptest.NewServer(testkit.FullDuplex(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !behave(w, r) {
			proxy.ServeHTTP(w, r)
		}
	})))
	t.Cleanup(server.Close)
	return server.URL
}

var pair = story{batches: "400,700", runs: []string{"first", "second"}}

// failures returns what the tries of a task that failed said.
func (w *world) failures(t *testing.T, task string) []string {
	t.Helper()
	return query(t, open(t, w.folder("pipeline")+"/pipeline.db"),
		"SELECT error FROM task_try JOIN task_instance USING (instance_key) WHERE task_id = '"+task+"' AND error <> '' ORDER BY instance_key, task_try.try")
}

func TestTrackingGoesAwayInTheMiddleOfTraining(t *testing.T) {
	if testing.Short() {
		return // builds the binary
	}
	t.Parallel()
	bin := testkit.Build(t)
	want := strings.Join(differencesLess(pair.tell(t, bin, "")), "\n")
	for call, path := range map[string]string{
		"when results are logged": "/runs/log-batch", "when the model is made": "/logged-models", "when a profile is sent": "/mlflow-artifacts/",
		"when a file of the model is sent": "/models/m-",
		"when it is registered":            "/model-versions/create", "when it is promoted": "/transition-stage",
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, bin, pair.batches)
			w.start(t, "tracking")
			// From the call on tracking is away, until a person has seen the failed run.
			var armed, away atomic.Bool
			w.line["tracking"] = line(t, w.uri("tracking"), func(_ http.ResponseWriter, r *http.Request) bool {
				if armed.Load() && strings.Contains(r.URL.Path, path) {
					away.Store(true)
				}
				if away.Load() {
					panic(http.ErrAbortHandler) // the connection breaks
				}
				return false
			})
			pipeline := w.start(t, "pipeline")
			require.True(t, w.trigger(t, "first"))
			w.await(t, "first", pipeline)

			armed.Store(true)
			require.True(t, w.trigger(t, "second"))
			require.Eventually(t, func() bool { return w.state(t, "second") == dag.RunFailed }, runLimit, 10*time.Millisecond)
			task := realtor.TaskTrain
			if path == "/runs/log-batch" || path == "/mlflow-artifacts/" {
				task = realtor.TaskDecide // which logs, and sends a profile, before any model
			}
			said := w.failures(t, task)
			require.Len(t, said, 2, "the try and its retry")
			for _, text := range said {
				require.Contains(t, text, "the tracking server "+w.line["tracking"]+" cannot be reached; check that it runs and that the address is right")
			}

			armed.Store(false)
			away.Store(false)
			w.clearFailed(t, "second")
			require.Eventually(t, func() bool { return w.state(t, "second") == dag.RunSuccess }, runLimit, 10*time.Millisecond, pipeline.Log())
			pipeline.Stop(t)
			require.Equal(t, want, strings.Join(differencesLess(w.outcome(t, true)), "\n"))
		})
	}
}

// differencesLess leaves out how many tries of a task failed: a clear begins them anew.
func differencesLess(lines []string) (out []string) {
	for _, l := range lines {
		if before, _, ok := strings.Cut(l, " failed tries "); ok {
			l = before
		}
		out = append(out, l)
	}
	return out
}

// clearFailed lets the failed tasks of a DAG run, and those after them, run again.
func (w *world) clearFailed(t *testing.T, id string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"dag_run_id": id, "dry_run": false, "only_failed": true})
	require.NoError(t, err)
	res, err := http.Post(w.uri("pipeline")+"/api/v2/dags/"+realtor.DAG+"/clearTaskInstances", "application/json", bytes.NewReader(body))
	require.NoError(t, err)
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode, "%s", answer)
}

func TestTrackingFlaps(t *testing.T) {
	if testing.Short() {
		return // builds the binary
	}
	t.Parallel()
	bin := testkit.Build(t)
	want := pair.tell(t, bin, "")
	w := newWorld(t, bin, pair.batches)
	w.start(t, "tracking")
	var calls sync.Mutex
	dice := rand.New(rand.NewPCG(1, 2))
	w.line["tracking"] = line(t, w.uri("tracking"), func(http.ResponseWriter, *http.Request) bool {
		calls.Lock()
		defer calls.Unlock()
		if dice.IntN(4) == 0 { // it flaps
			panic(http.ErrAbortHandler)
		}
		return false
	})
	w.retries = 50
	pipeline := w.start(t, "pipeline")
	for _, id := range pair.runs {
		require.True(t, w.trigger(t, id))
		w.await(t, id, pipeline)
	}
	pipeline.Stop(t)
	require.Equal(t, strings.Join(differencesLess(want), "\n"), strings.Join(differencesLess(w.outcome(t, false)), "\n"))
}

// TestASourceThatBehavesBadly lets the source do something else wrong each time before it answers as it should.
func TestASourceThatBehavesBadly(t *testing.T) {
	if testing.Short() {
		return // builds the binary
	}
	t.Parallel()
	bin := testkit.Build(t)
	want := pair.tell(t, bin, "")
	w := newWorld(t, bin, pair.batches)
	w.start(t, "tracking")
	source := w.uri("source")
	// whole asks the real source as the pipeline does.
	whole := func(r *http.Request) []byte {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, source+r.URL.RequestURI(), nil)
		require.NoError(t, err)
		req.Header = r.Header.Clone()
		res, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return body
	}
	misdeeds := []func(http.ResponseWriter, []byte){
		func(w http.ResponseWriter, body []byte) { // promises more than it sends
			w.Header().Set("Content-Length", fmt.Sprint(len(body)+1000))
			_, _ = w.Write(body) // the client sees if it breaks
		},
		func(w http.ResponseWriter, body []byte) { // promises less than it has
			w.Header().Set("Content-Length", fmt.Sprint(len(body)-1000))
			_, _ = w.Write(body[:len(body)-1000])
		},
		func(w http.ResponseWriter, _ []byte) { http.Error(w, "busy", http.StatusServiceUnavailable) },
		func(w http.ResponseWriter, body []byte) { // breaks off in the middle
			_, _ = w.Write(body[:len(body)/2])
			panic(http.ErrAbortHandler)
		},
		func(http.ResponseWriter, []byte) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter, body []byte) { // slow, but it does come
			pace := time.NewTicker(20 * time.Millisecond)
			defer pace.Stop()
			for len(body) > 0 {
				n := min(len(body), 8<<10)
				_, _ = w.Write(body[:n])
				_ = http.NewResponseController(w).Flush()
				body = body[n:]
				<-pace.C
			}
		},
	}
	var asked atomic.Int64
	w.line["source"] = line(t, source, func(rw http.ResponseWriter, r *http.Request) bool {
		misdeeds[int(asked.Add(1)-1)%len(misdeeds)](rw, whole(r))
		return true
	})
	w.retries = len(misdeeds)
	w.more = []string{"--source.retries=0"} // each misdeed is a try of the task
	pipeline := w.start(t, "pipeline")
	for _, id := range pair.runs {
		require.True(t, w.trigger(t, id))
		w.await(t, id, pipeline)
	}
	said := w.failures(t, realtor.TaskExtract)
	require.Len(t, said, 2*(len(misdeeds)-1))
	for i, says := range []string{"broke its answer off", "cannot be read and is kept as", "answered 503 Service Unavailable: busy", "broke its answer off", "cannot be reached"} {
		require.Contains(t, said[i], says)
	}
	log, err := pipelineclient.New(w.uri("pipeline"), outgoing.Options{}).Log(t.Context(), realtor.DAG, "first", realtor.TaskExtract, 1)
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(log), "broke its answer off", "a person reads it in the log of the try")
	pipeline.Stop(t)
	// What could not be read is kept aside for a person.
	want = append(want, "payloads/first.unreadable", "payloads/second.unreadable")
	require.ElementsMatch(t, differencesLess(want), differencesLess(w.outcome(t, false)))
}
