//go:build bench

package bench_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/model"
	"tasador/pkg/outgoing"
	"tasador/pkg/pipelineclient"
	"tasador/pkg/realtor"
	"tasador/pkg/testkit"
	"tasador/pkg/trackingclient"
)

// serveRowsTrained is how many listings the model is trained on.
const serveRowsTrained = 15_000

// serveWorld is what the servers need: a model that the DAG has trained and promoted, as a folder and as a pickle of scikit-learn.
type serveWorld struct {
	serving *testkit.Process
	model   *model.Model
	folder  string // of the model version, as tracking hands it out
	pickle  string
	root    string
}

// newServeWorld trains a model in one process, and serves it in another with its defaults: every prediction is recorded, metrics are on.
func newServeWorld(t testing.TB) *serveWorld {
	t.Helper()
	bin := *serveBinary
	if bin == "" {
		bin = testkit.Build(t, "-trimpath", "-ldflags=-s -w")
	}
	trainer := testkit.Start(t, bin, 3, "--role=source,tracking,pipeline", "--data-dir="+filepath.Join(t.TempDir(), "trainer"), "--source.listen=127.0.0.1:0",
		"--tracking.listen=127.0.0.1:0", "--pipeline.listen=127.0.0.1:0", "--source.batches="+strconv.Itoa(serveRowsTrained), "--schedule.cron=none")
	client := pipelineclient.New(trainer.Addresses["pipeline"], outgoing.Options{})
	_, err := client.Trigger(t.Context(), realtor.DAG, pipelineclient.Trigger{RunID: dagRunID, Conf: json.RawMessage(`{"as_of":"` + asOf + `"}`)})
	require.NoError(t, err)
	awaitEnd(t, client, trainer)

	w := &serveWorld{folder: filepath.Join(t.TempDir(), "model"), pickle: filepath.Join(t.TempDir(), "model.joblib"), root: testkit.ModuleRoot(t)}
	tracking := trainer.Addresses["tracking"]
	require.NoError(t, trackingclient.New(tracking, trackingclient.Options{}).DownloadFolder(t.Context(), "models:/"+realtor.Model+"/1", w.folder))
	w.model, err = model.LoadFolder(w.folder)
	require.NoError(t, err)
	out, err := w.python(t, "scripts/bench/serve_model.py", filepath.Join(w.folder, model.FileName), w.pickle).CombinedOutput()
	require.NoError(t, err, "%s", out)
	w.serving = testkit.Start(t, bin, 1, "--role=serving", "--data-dir="+filepath.Join(t.TempDir(), "serving"), "--serving.listen=127.0.0.1:0", "--tracking.uri="+tracking)
	return w
}

// python returns a command of the tests' environment of Python, with what bench-serve needs on top.
func (w *serveWorld) python(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	python := testkit.Venv(t, "python")
	cmd := exec.CommandContext(t.Context(), python, args...)
	cmd.Dir = w.root
	cmd.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(w.root, ".cache/venv-bench-serve"), "MODEL="+w.pickle, "MLFLOW_DISABLE_TELEMETRY=true",
		"PATH="+filepath.Dir(python)+":"+os.Getenv("PATH"))
	return cmd
}

// launch starts a server that runs until the benchmark ends, with all processes that it starts. It returns its process id.
func launch(t testing.TB, cmd *exec.Cmd) int {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // the context ends just before the clean-up
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may be gone
		_ = cmd.Wait()                                      // it was killed
		content, err := os.ReadFile(log.Name())
		if t.Failed() && err == nil {
			t.Logf("%v:\n%s", cmd.Args, content)
		}
		_ = log.Close()
	})
	return cmd.Process.Pid
}

// startLimit is how long a server of Python may take to start.
const startLimit = 2 * time.Minute

// awaitAnswer waits until a server answers a request with success.
func awaitAnswer(t testing.TB, s *subject) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, _, err := s.ask(t.Context(), s.body)
		return err == nil && status == http.StatusOK
	}, startLimit, 200*time.Millisecond, "%s does not answer", s.name)
}
