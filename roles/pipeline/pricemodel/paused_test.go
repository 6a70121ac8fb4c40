package pricemodel_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/roles/tracking"
)

// pauser stands between the pipeline and tracking and lets something happen before one call goes on.
type pauser struct {
	forward http.Handler
	left    atomic.Int32 // calls until the one that is paused
	during  func(call string)
}

func (p *pauser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.left.Add(-1) == 0 {
		p.during(r.Method + " " + r.URL.Path)
	}
	p.forward.ServeHTTP(w, r)
}

// TestATryThatWasPausedLeavesNothingBehind pauses a try of decide_to_train or train_and_register before each of its calls to
// tracking, lets another try take over and do all the work, and then lets the first one go on.
func TestATryThatWasPausedLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	p := &pauser{forward: forwardTo(t, serve(t, defaults(t), tracking.New))}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	w := newWorldWith(t, generatedSource(t, "120"+strings.Repeat(",120", 59)), server.URL)
	paused := 0
	for _, task := range []string{"decide_to_train", "train_and_register"} {
		for call := int32(1); ; call++ {
			id := fmt.Sprintf("manual__%s_%d", task, call)
			broke := w.pauseAt(t, p, id, task, call)
			if broke == "" {
				break
			}
			paused++
			w.oneOfEach(t, id, "a pause at "+broke)
		}
	}
	require.Greater(t, paused, 20)
}

// pauseAt runs the DAG up to the task, pauses the first try of it at the call, and returns the call, or nothing if there are not so many.
func (w *world) pauseAt(t *testing.T, p *pauser, id, task string, call int32) (broke string) {
	t.Helper()
	armed := false
	p.during = func(at string) {
		broke = at
		run := w.runner.runs[id]
		again := w.runner.execute(t, run, task)
		require.Empty(t, run.errs, "the try that took over: %s", at)
		require.Equal(t, "success", string(again.State))
	}
	w.runner.before = func(next string) {
		if next == task && !armed {
			armed = true
			p.left.Store(call)
		}
	}
	run := w.runner.trigger(t, id, "")
	p.left.Store(0)
	w.runner.before = nil
	if len(run.errs) > 0 { // the paused try found out; the other one's result counts
		require.ErrorContains(t, run.errs[task], "was taken over by a later try")
		w.succeeds(t, id, "", trainPath)
	}
	return broke
}
