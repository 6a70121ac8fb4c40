package pricemodel_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/experiment"
	"tasador/pkg/registry"
	"tasador/pkg/testkit"
	"tasador/roles/tracking"
)

// breaker stands between the pipeline and tracking and lets one call fail.
type breaker struct {
	forward http.Handler

	mu    sync.Mutex
	left  int    // calls until the one that fails; 0 lets all through
	lose  bool   // whether that call reaches the server and only its answer is lost
	broke string // the call that failed
}

func newBreaker(t *testing.T, target string) (*breaker, string) {
	t.Helper()
	b := &breaker{forward: forwardTo(t, target)}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return b, server.URL
}

// forwardTo passes every call on to the target.
func forwardTo(t *testing.T, target string) http.Handler {
	t.Helper()
	u, err := url.Parse(target)
	require.NoError(t, err)
	return testkit.FullDuplex(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }})
}

func (b *breaker) set(call int, lose bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left, b.lose, b.broke = call, lose, ""
}

func (b *breaker) brokenCall() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broke
}

// take counts a call and reports whether it is the one.
func (b *breaker) take(call string) (breaks, lose bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left == 0 {
		return false, false
	}
	b.left--
	if b.left == 0 {
		b.broke = call
	}
	return b.left == 0, b.lose
}

func (b *breaker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	breaks, lose := b.take(r.Method + " " + r.URL.Path)
	if !breaks {
		b.forward.ServeHTTP(w, r)
		return
	}
	if lose {
		b.forward.ServeHTTP(httptest.NewRecorder(), r)
	}
	// An answer that the client does not try again: the task must fail here and now.
	http.Error(w, `{"error_code": "INVALID_PARAMETER_VALUE", "message": "the line is down"}`, http.StatusBadRequest)
}

func TestATaskThatFailedAtAnyCallGoesOnFromThere(t *testing.T) {
	t.Parallel()
	serverURI := serve(t, defaults(t), tracking.New)
	line, uri := newBreaker(t, serverURI)
	w := newWorldWith(t, generatedSource(t, "120"+strings.Repeat(",120", 99)), uri)

	broken := 0
	for call := 1; ; call++ {
		hit := false
		for _, lose := range []bool{false, true} {
			id := fmt.Sprintf("manual__%d_%v", call, lose)
			line.set(call, lose)
			run := w.runner.trigger(t, id, "")
			if line.brokenCall() == "" {
				require.Empty(t, run.errs)
				continue
			}
			hit = true
			broken++
			require.Equal(t, dag.RunFailed, run.run.State, line.brokenCall())
			w.succeeds(t, id, "", trainPath)
			w.oneOfEach(t, id, line.brokenCall())
		}
		if !hit {
			break
		}
	}
	line.set(0, false)
	require.Greater(t, broken, 40, "every call of decide_to_train and train_and_register was broken both ways")
	production := 0
	for _, stage := range w.versions(t) {
		if stage == registry.Production {
			production++
		}
	}
	require.Equal(t, 1, production)
}

// oneOfEach checks that a DAG run has one decision, one training and one version, and that they are complete.
func (w *world) oneOfEach(t *testing.T, id, broke string) {
	t.Helper()
	runs := w.runs(t, id)
	require.Len(t, runs, 2, broke)
	trained := runs["train__"+id]
	for _, run := range runs {
		require.Equal(t, experiment.Finished, run.Status, "%s after %s", run.Name, broke)
	}
	require.Len(t, trained.Metrics, 10, broke)
	require.Len(t, trained.Params, 1, broke)
	require.Len(t, trained.ModelOutputs, 1, broke)
	require.Contains(t, []string{"true", "false"}, tag(t, trained, "promoted"), broke)
	history, err := w.tracking.MetricHistory(t.Context(), trained.ID, "test_rmse", experiment.PageRequest{})
	require.NoError(t, err)
	require.Len(t, history.Items, 1, broke)

	page, err := w.tracking.SearchVersions(t.Context(), experiment.Search{Filter: "run_id = '" + trained.ID + "'"})
	require.NoError(t, err)
	require.Len(t, page.Items, 1, broke)
	version := page.Items[0]
	require.Equal(t, tag(t, trained, "promoted") == "true", version.Stage == registry.Production, broke)
	require.Equal(t, "models:/"+trained.ModelOutputs[0].ModelID, version.Source)
	logged, err := w.tracking.LoggedModel(t.Context(), trained.ModelOutputs[0].ModelID)
	require.NoError(t, err)
	require.Equal(t, experiment.ModelReady, logged.Status, broke)
}

func TestRunningItAgainTrainsNothingNew(t *testing.T) {
	w := newWorld(t, generatedSource(t, "400,0"))
	run := w.succeeds(t, "manual__1", "", trainPath)
	before := w.runs(t, "manual__1")["train__manual__1"]
	run.states = map[string]dag.Instance{} // as clearing the whole DAG run does
	w.restart(t)
	w.succeeds(t, "manual__1", "", trainPath)
	require.Equal(t, before, w.runs(t, "manual__1")["train__manual__1"])
	require.Equal(t, 400, w.rows(t, "rawdata.db", "realtor_raw"))
	require.Equal(t, map[string]registry.Stage{"1": registry.Production}, w.versions(t))
}

func TestAModelOfOldRowsIsNotTrained(t *testing.T) {
	w := newWorld(t, generatedSource(t, "400,300"))
	first := w.succeeds(t, "manual__1", "", trainPath)
	w.succeeds(t, "manual__2", "", trainPath)
	require.NoError(t, w.tracking.DeleteRun(t.Context(), w.runs(t, "manual__1")["train__manual__1"].ID))
	delete(first.states, "train_and_register")
	delete(first.states, "end")
	again := w.runner.trigger(t, "manual__1", "")
	require.EqualError(t, again.errs["train_and_register"],
		"the clean tables hold the rows of DAG run manual__2 by now; run the task preprocess_data of this DAG run again")
	require.Equal(t, experiment.Failed, w.runs(t, "manual__1")["train__manual__1"].Status)
}
