package testkit

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ModuleRoot is the folder of go.mod.
func ModuleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, dir, parent, "there is no go.mod above the test")
		dir = parent
	}
}

// Venv returns the path of a program of the Python environment that the tests use, such as python.
func Venv(t testing.TB, program string) string {
	t.Helper()
	return programOf(t, "venv", program)
}

// OldVenv is Venv with the MLflow of the time when the original was written, 2.2.1.
func OldVenv(t testing.TB, program string) string {
	t.Helper()
	return programOf(t, "venv-mlflow2", program)
}

func programOf(t testing.TB, environment, program string) string {
	t.Helper()
	path := filepath.Join(ModuleRoot(t), ".cache", environment, "bin", program)
	require.FileExists(t, path, "the Python packages are missing; run make test: it installs them")
	return path
}

// StockMLflow runs MLflow's own server, with more flags, until the test ends and returns its address.
func StockMLflow(t testing.TB, flags ...string) string {
	t.Helper()
	dir, address := t.TempDir(), FreeAddress(t)
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	cmd := exec.Command(Venv(t, "mlflow"), append([]string{
		"server", "--host", host, "--port", port, "--workers", "1",
		"--backend-store-uri", "sqlite:///" + filepath.Join(dir, "mlflow.db"), "--artifacts-destination", filepath.Join(dir, "artifacts"),
	}, flags...)...)
	cmd.Env = append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false", "PATH="+filepath.Dir(Venv(t, "python"))+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log := &buffer{}
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the whole group: the server has workers
		_ = cmd.Wait()                                      // it was killed
		if t.Failed() {
			t.Logf("MLflow's log:\n%s", log)
		}
	})
	require.Eventually(t, func() bool {
		answer, err := http.Get("http://" + address + "/health")
		if err != nil {
			return false
		}
		return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	}, 2*time.Minute, 200*time.Millisecond, "MLflow's server does not start")
	return "http://" + address
}
