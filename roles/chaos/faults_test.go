//go:build chaos

package chaos_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/testkit"
)

// disk is a place of limited size for the folder of the pipeline.
type disk struct{ fill, free func() }

// smallDisk mounts one where that is allowed. Elsewhere the files of the process may not grow.
func (w *world) smallDisk(t *testing.T, pipeline func() *testkit.Process) disk {
	t.Helper()
	dir := w.folder("pipeline")
	require.NoError(t, os.MkdirAll(dir, 0o750))
	if err := syscall.Mount("tasador-test", dir, "tmpfs", 0, "size=64m"); err != nil {
		say(t, "no file system may be mounted here (%v): the files of the process may not grow instead", err)
		limit := func(size string) func() {
			return func() {
				out, err := exec.Command("prlimit", "--pid", fmt.Sprint(pipeline().PID()), "--fsize="+size+":").CombinedOutput()
				require.NoError(t, err, "%s", out)
			}
		}
		return disk{fill: limit("1"), free: limit("unlimited")}
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	filler := filepath.Join(dir, "filler")
	return disk{
		fill: func() {
			f, err := os.Create(filler)
			require.NoError(t, err)
			_, err = io.Copy(f, zeros{})
			require.ErrorIs(t, err, syscall.ENOSPC)
			require.NoError(t, f.Close())
		},
		free: func() { require.NoError(t, os.Remove(filler)) },
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

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
			disk := w.smallDisk(t, func() *testkit.Process { return pipeline })
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
			pipeline := w.startBound(t)
			require.True(t, pipeline.Ready(t, 1), pipeline.Log())
			require.True(t, w.trigger(t, "first"))
			w.await(t, "first", pipeline)
			// While it runs, and over a start.
			w.permit(t, file, 0o400)
			require.True(t, w.trigger(t, "second"))
			pipeline.Kill(t)
			pipeline = w.startBound(t)
			if pipeline.Ready(t, 1) && !strings.HasPrefix(file, "pipeline") {
				say(t, "%s: it starts; ready says %s", file, w.get(t, "/readyz"))
				says := file + " is read-only; make the file and its folder writable, then try again"
				require.Eventually(t, func() bool { return strings.Contains(pipeline.Log(), says) }, runLimit, 50*time.Millisecond, pipeline.Log())
				w.permit(t, file, 0o600)
			} else {
				<-pipeline.Ended()
				pipeline.Kill(t) // it ended with an error, as it should
				say(t, "%s: it does not start: %s", file, pipeline.Log())
				require.Contains(t, pipeline.Log(), file)
				w.permit(t, file, 0o600)
			}
			pipeline.Kill(t)
			pipeline = w.startBound(t)
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

// startBound starts the pipeline so that permissions bind it, which they do not for root.
func (w *world) startBound(t *testing.T) *testkit.Process {
	t.Helper()
	if os.Geteuid() != 0 {
		return w.launch(t, "pipeline")
	}
	caps := "-dac_override,-dac_read_search"
	return testkit.Launch(t, nil, "setpriv", append([]string{"--inh-caps=" + caps, "--bounding-set=" + caps, w.bin}, w.args("pipeline")...)...)
}

// permit sets the permissions of a database and of the files beside it.
func (w *world) permit(t *testing.T, file string, mode fs.FileMode) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		err := os.Chmod(filepath.Join(w.folder("pipeline"), file+suffix), mode)
		if !errors.Is(err, fs.ErrNotExist) {
			require.NoError(t, err)
		}
	}
}
