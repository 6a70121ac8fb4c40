package pricemodel_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/model"
	"tasador/pkg/registry"
)

// program is a program of the Python environment of the tests.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", ".cache", "venv", "bin", name))
	require.NoError(t, err)
	_, err = os.Stat(path)
	require.NoError(t, err, "the Python packages are missing; run make test: it installs them")
	return path
}

// startMLflow runs MLflow's own server until the test ends and returns its address.
func startMLflow(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	require.NoError(t, ln.Close())
	cmd := exec.Command(program(t, "mlflow"), "server", "--host", "127.0.0.1", "--port", port, "--workers", "1",
		"--backend-store-uri", "sqlite:///"+filepath.Join(dir, "mlflow.db"), "--artifacts-destination", filepath.Join(dir, "artifacts"))
	cmd.Env = append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true", "PATH="+filepath.Dir(program(t, "python"))+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the whole group: the server has workers
		_ = cmd.Wait()                                      // it was killed
	})
	uri := "http://127.0.0.1:" + port
	require.Eventually(t, func() bool {
		answer, err := http.Get(uri + "/health")
		if err != nil {
			return false
		}
		return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	}, 2*time.Minute, 200*time.Millisecond, "MLflow's server does not start")
	return uri
}

// TestAStockMLflowServerStandsInForTracking trains twice against MLflow's own server and loads what is in production with Python.
func TestAStockMLflowServerStandsInForTracking(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	t.Parallel()
	uri := startMLflow(t)
	w := newWorldWith(t, generatedSource(t, "400,0"), uri)
	const conf = `{"as_of": "2026-01-01"}`
	w.succeeds(t, "manual__1", conf, trainPath)
	w.succeeds(t, "manual__2", conf, noTrainPath)
	w.succeeds(t, "manual__3", conf, resetPath)
	w.succeeds(t, "manual__4", conf, trainPath)
	first, second := w.runs(t, "manual__1")["train__manual__1"], w.runs(t, "manual__4")["train__manual__4"]
	require.Equal(t, "true", tag(t, first, "promoted"))
	require.Equal(t, "false", tag(t, second, "promoted"))
	require.Equal(t, tag(t, first, "current_rmse"), tag(t, second, "previous_best_rmse"))
	require.Equal(t, map[string]registry.Stage{"1": registry.Production, "2": registry.None}, w.versions(t))

	// At the origin a linear model gives its intercept.
	const script = `
import mlflow, pandas
model = mlflow.pyfunc.load_model("models:/RealtorPriceModel/Production")
origin = pandas.DataFrame({name: [0.0] for name in model.metadata.get_input_schema().input_names()})
print("origin:", float(model.predict(origin).to_numpy().ravel()[0]))
`
	cmd := exec.Command(program(t, "python"), "-c", script)
	cmd.Env = append(os.Environ(), "MLFLOW_TRACKING_URI="+uri, "MLFLOW_DISABLE_TELEMETRY=true")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	_, text, found := strings.Cut(string(out), "origin: ")
	require.True(t, found, string(out))
	got, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	require.NoError(t, err)
	file, _, err := w.tracking.OpenArtifact(t.Context(), "models:/"+first.ModelOutputs[0].ModelID, model.FileName)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	own, err := model.Load(file)
	require.NoError(t, err)
	require.InEpsilon(t, own.Intercept, got, 1e-9)
}
