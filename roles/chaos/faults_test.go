//go:build chaos

package chaos_test

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/testkit"
)

func TestChaosOfAFullDisk(t *testing.T) {
	bin := testkit.Build(t)
	want := pair.tell(t, bin, "")
	for _, c := range []struct {
		name  string
		after time.Duration // from the trigger until the disk is full
	}{{"before the run", 0}, {"at the start of the run", 5 * time.Millisecond}, {"in the run", 60 * time.Millisecond}, {"late in the run", 200 * time.Millisecond}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, bin, pair.batches)
			w.retries = 3
			w.start(t, "tracking")
			var pipeline *testkit.Process
			disk := smallDisk(t, w.folder("pipeline"), func() *testkit.Process { return pipeline })
			pipeline = w.start(t, "pipeline")
			require.True(t, w.trigger(t, "first"))
			w.await(t, "first", pipeline)
			if c.after == 0 {
				disk.fill()
				say(t, "while the disk is full a trigger answers: %s", w.tryTrigger(t, "second"))
			} else {
				require.True(t, w.trigger(t, "second"))
				time.Sleep(c.after) //nolint:forbidigo // the moment is what is tried
				disk.fill()
			}
			time.Sleep(2 * time.Second) //nolint:forbidigo // it has to live with it for a while
			say(t, "%s, then for 2 s: the run is %q, ready says %s", c.name, w.state(t, "second"), w.get(t, "/readyz"))
			disk.free()
			from := time.Now()
			require.True(t, w.trigger(t, "second"))
			require.Eventually(t, func() bool {
				state := w.state(t, "second")
				if state == dag.RunFailed {
					w.clearFailed(t, "second")
				}
				return state == dag.RunSuccess
			}, runLimit, 50*time.Millisecond, pipeline.Log())
			say(t, "the run ended right %.1f s after there was space again", time.Since(from).Seconds())
			pipeline.Stop(t)
			require.ElementsMatch(t, differencesLess(want), differencesLess(w.outcome(t, false)), pipeline.Log())
		})
	}
}

func (w *world) get(t *testing.T, path string) string {
	t.Helper()
	res, err := http.Get(w.uri("pipeline") + path)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return fmt.Sprintf("%d %s", res.StatusCode, strings.TrimSpace(string(body)))
}

func (w *world) tryTrigger(t *testing.T, id string) string {
	t.Helper()
	res, err := http.Post(w.uri("pipeline")+"/api/v2/dags/realtor_price_model/dagRuns", "application/json", strings.NewReader(`{"dag_run_id": "`+id+`", "conf": `+conf+`}`))
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.GreaterOrEqual(t, res.StatusCode, 500)
	return fmt.Sprintf("%d %s", res.StatusCode, strings.TrimSpace(string(body)))
}

func TestChaosOfADatabaseThatTurnsReadOnly(t *testing.T) {
	bin := testkit.Build(t)
	want := pair.tell(t, bin, "")
	for _, file := range []string{"pipeline.db", "pipeline-jobs.db", "rawdata.db", "cleandata.db"} {
		t.Run(file, func(t *testing.T) {
			w := newWorld(t, bin, pair.batches)
			w.retries = 3
			w.start(t, "tracking")
			pipeline := w.launchBound(t, w.args("pipeline")...)
			require.True(t, pipeline.Ready(t, 1), pipeline.Log())
			require.True(t, w.trigger(t, "first"))
			w.await(t, "first", pipeline)
			// While it runs, and over a start.
			permit(t, filepath.Join(w.folder("pipeline"), file), 0o400)
			require.True(t, w.trigger(t, "second"))
			pipeline.Kill(t)
			pipeline = w.launchBound(t, w.args("pipeline")...)
			if pipeline.Ready(t, 1) && !strings.HasPrefix(file, "pipeline") {
				say(t, "%s: it starts; ready says %s", file, w.get(t, "/readyz"))
				says := file + " is read-only; make the file and its folder writable, then try again"
				require.Eventually(t, func() bool { return strings.Contains(pipeline.Log(), says) }, runLimit, 50*time.Millisecond, pipeline.Log())
				permit(t, filepath.Join(w.folder("pipeline"), file), 0o600)
			} else {
				<-pipeline.Ended()
				pipeline.Kill(t) // it ended with an error, as it should
				say(t, "%s: it does not start: %s", file, pipeline.Log())
				require.Contains(t, pipeline.Log(), file)
				permit(t, filepath.Join(w.folder("pipeline"), file), 0o600)
			}
			pipeline.Kill(t)
			pipeline = w.launchBound(t, w.args("pipeline")...)
			require.True(t, pipeline.Ready(t, 1), pipeline.Log())
			require.Eventually(t, func() bool {
				state := w.state(t, "second")
				if state == dag.RunFailed {
					w.clearFailed(t, "second")
				}
				return state == dag.RunSuccess
			}, runLimit, 50*time.Millisecond, pipeline.Log())
			pipeline.Stop(t)
			require.ElementsMatch(t, differencesLess(want), differencesLess(w.outcome(t, false)), pipeline.Log())
		})
	}
}
