package chaos_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/realtor"
	"tasador/pkg/testkit"
)

// disk is a place of limited size.
type disk struct{ fill, free func() }

// smallDisk mounts one at dir where that is allowed. Elsewhere the files of the process may not grow.
func smallDisk(t *testing.T, dir string, process func() *testkit.Process) disk {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o750))
	if err := syscall.Mount("tasador-test", dir, "tmpfs", 0, "size=64m"); err != nil {
		say(t, "no file system may be mounted here (%v): the files of the process may not grow instead", err)
		limit := func(size string) func() {
			return func() {
				out, err := exec.Command("prlimit", "--pid", fmt.Sprint(process().PID()), "--fsize="+size+":").CombinedOutput()
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

// launchBound starts a process so that permissions bind it, which they do not for root.
func (w *world) launchBound(t *testing.T, args ...string) *testkit.Process {
	t.Helper()
	if os.Geteuid() != 0 {
		return testkit.Launch(t, nil, w.bin, args...)
	}
	caps := "-dac_override,-dac_read_search"
	return testkit.Launch(t, nil, "setpriv", append([]string{"--inh-caps=" + caps, "--bounding-set=" + caps, w.bin}, args...)...)
}

// permit sets the permissions of a database and of the files beside it.
func permit(t *testing.T, file string, mode fs.FileMode) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		err := os.Chmod(file+suffix, mode)
		if !errors.Is(err, fs.ErrNotExist) {
			require.NoError(t, err)
		}
	}
}

// TestTheDiskOfTrackingIsFullInTheMiddleOfTraining fills it before a call of the training. What the database still has room for may pass; the first that does
// not is said in a sentence, and once there is space the run ends as if nothing had happened.
func TestTheDiskOfTrackingIsFullInTheMiddleOfTraining(t *testing.T) {
	if testing.Short() {
		return // builds the binary
	}
	t.Parallel()
	bin := testkit.Build(t)
	want := strings.Join(differencesLess(pair.tell(t, bin, "")), "\n")
	for call, path := range map[string]string{
		"when the run is opened": "/runs/create", "when results are logged": "/runs/log-batch", "when the model is made": "/logged-models",
		"when a profile is sent": "/mlflow-artifacts/", "when a file of the model is sent": "/models/m-",
		"when it is registered": "/model-versions/create", "when it is promoted": "/transition-stage",
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, bin, pair.batches)
			var tracking *testkit.Process
			disk := smallDisk(t, w.folder("tracking"), func() *testkit.Process { return tracking })
			tracking = w.start(t, "tracking")
			var armed atomic.Bool
			var once sync.Once
			w.line["tracking"] = line(t, w.uri("tracking"), func(_ http.ResponseWriter, r *http.Request) bool {
				if armed.Load() && strings.Contains(r.URL.Path, path) {
					once.Do(disk.fill)
				}
				return false
			})
			pipeline := w.start(t, "pipeline")
			require.True(t, w.trigger(t, "first"))
			w.await(t, "first", pipeline)

			armed.Store(true)
			require.True(t, w.trigger(t, "second"))
			require.Eventually(t, func() bool { return w.state(t, "second") == dag.RunFailed || w.state(t, "second") == dag.RunSuccess }, runLimit, 10*time.Millisecond)
			said := w.failures(t, realtor.TaskTrain)
			if path == "/models/m-" || path == "/logged-models" {
				require.NotEmpty(t, said, "a model needs space")
			}
			for _, text := range append(said, w.failures(t, realtor.TaskDecide)...) {
				require.Regexp(t, "is full; make space|no space left on device; check|cannot be read or written|file too large; check", text)
			}
			disk.free()
			if w.state(t, "second") == dag.RunFailed {
				w.clearFailed(t, "second")
			}
			require.Eventually(t, func() bool { return w.state(t, "second") == dag.RunSuccess }, runLimit, 10*time.Millisecond, "%s", lateLog{pipeline})
			pipeline.Stop(t)
			require.Equal(t, want, strings.Join(differencesLess(w.outcome(t, true)), "\n"))
		})
	}
}

// lateLog is the log of a process when it is printed.
type lateLog struct{ *testkit.Process }

func (l lateLog) String() string { return l.Log() }

// idle starts all roles but the source as one process, through launch.
func idle(t *testing.T, dir string, launch func(args ...string) *testkit.Process) *testkit.Process {
	t.Helper()
	p := launch("--role=pipeline,tracking,serving", "--data-dir="+dir, "--schedule.cron=none", "--pipeline.listen=127.0.0.1:0", "--tracking.listen=127.0.0.1:0",
		"--serving.listen=127.0.0.1:0")
	require.True(t, p.Ready(t, 3), p.Log())
	return p
}

// textOf is a text when it is printed.
type textOf struct{ text *string }

func (t textOf) String() string { return *t.text }

// awaitPart waits until a role says something of one of its parts that contains the text.
func awaitPart(t *testing.T, p *testkit.Process, role, part, says string) (said string) {
	t.Helper()
	require.Eventually(t, func() bool {
		res, err := http.Get(p.Addresses[role] + "/readyz")
		require.NoError(t, err)
		defer func() { require.NoError(t, res.Body.Close()) }()
		var body struct{ Parts map[string]string }
		require.NoError(t, json.NewDecoder(res.Body).Decode(&body))
		said = body.Parts[part]
		require.True(t, said == "ok" || res.StatusCode == http.StatusServiceUnavailable, "%s", body.Parts)
		return strings.Contains(said, says)
	}, time.Minute, 50*time.Millisecond, "%s of %s says %s", part, role, textOf{&said})
	return said
}

func TestIdleServersNoticeAFullDisk(t *testing.T) {
	if testing.Short() {
		return // builds the binary
	}
	t.Parallel()
	bin, dir := testkit.Build(t), filepath.Join(t.TempDir(), "data")
	var p *testkit.Process
	disk := smallDisk(t, dir, func() *testkit.Process { return p })
	p = idle(t, dir, func(args ...string) *testkit.Process { return testkit.Launch(t, nil, bin, args...) })
	all := func(says string) (said []string) {
		for role, part := range map[string]string{"pipeline": "database", "tracking": "database", "serving": "journal"} {
			said = append(said, awaitPart(t, p, role, part, says))
		}
		return said
	}
	all("ok")
	disk.fill()
	full := all("then try again")
	out, err := exec.Command(bin, "status", "--pipeline-uri="+p.Addresses["pipeline"], "--tracking-uri="+p.Addresses["tracking"], "--serving-uri="+p.Addresses["serving"]).Output()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "it is not ready")
	for _, sentence := range full {
		require.Regexp(t, "^the disk of the (database|journal) "+dir+`/(serving/journal|[a-z]+\.db) (is full; make space|cannot be written \(file too large\); check it), then try again$`, sentence)
		require.Contains(t, string(out), sentence)
	}
	disk.free()
	all("ok")
}

func TestIdleServersNoticeWhatTheyMayNotWriteAnyMore(t *testing.T) {
	if testing.Short() {
		return // builds the binary
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	w := &world{bin: testkit.Build(t)}
	p := idle(t, dir, func(args ...string) *testkit.Process { return w.launchBound(t, args...) })
	files := map[string][2]string{ // database → who needs it, for what
		"pipeline.db": {"pipeline", "database"}, "pipeline-jobs.db": {"pipeline", "runs"}, "cleandata.db": {"pipeline", "listings"}, "tracking.db": {"tracking", "database"},
	}
	permitAll := func(mode fs.FileMode) {
		for file := range files {
			permit(t, filepath.Join(dir, file), mode)
		}
	}
	permitAll(0o400)
	for file, part := range files {
		awaitPart(t, p, part[0], part[1], "the database "+filepath.Join(dir, file)+" is read-only; make the file and its folder writable, then try again")
	}
	permitAll(0o600)
	for _, part := range files {
		awaitPart(t, p, part[0], part[1], "ok")
	}
	require.NoError(t, os.Chmod(filepath.Join(dir, "serving", "journal"), 0o500))
	awaitPart(t, p, "serving", "journal", "no file can be written at the journal "+dir+"/serving/journal, for want of permission; let the user")
	require.NoError(t, os.Chmod(filepath.Join(dir, "serving", "journal"), 0o700))
	awaitPart(t, p, "serving", "journal", "ok")
	require.NoError(t, os.Rename(filepath.Join(dir, "tracking.db"), filepath.Join(dir, "elsewhere.db")))
	awaitPart(t, p, "tracking", "database", "was removed or replaced while it was in use; put the right one there")
	require.NoError(t, os.Rename(filepath.Join(dir, "elsewhere.db"), filepath.Join(dir, "tracking.db")))
	awaitPart(t, p, "tracking", "database", "ok")
}
