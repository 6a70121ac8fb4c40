//go:build verify

package tracking_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment/experimenttest"
	"tasador/pkg/trackingclient"
)

// TestStockServerConformance runs the suite on MLflow's own server, so that the suite, and the client, say what MLflow does.
func TestStockServerConformance(t *testing.T) {
	client := trackingclient.New(startStock(t), trackingclient.Options{})
	experimenttest.Run(t, func(*testing.T) experimenttest.Stores { return experimenttest.Stores{Tracking: client, Models: client} })
	t.Run("artifacts", func(t *testing.T) { transferArtifacts(t, client) })
}

func startStock(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := ln.Addr().(*net.TCPAddr).Port
	require.NoError(t, ln.Close())
	cmd := exec.Command(venv(t, "mlflow"), "server", "--host", "127.0.0.1", "--port", fmt.Sprint(port), "--workers", "1",
		"--backend-store-uri", "sqlite:///"+filepath.Join(dir, "mlflow.db"), "--artifacts-destination", filepath.Join(dir, "artifacts"))
	cmd.Env = append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true", "PATH="+filepath.Dir(venv(t, "python"))+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.Create(filepath.Join(dir, "server.log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the whole group: the server has workers
		_ = cmd.Wait()                                      // it was killed
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("MLflow's log:\n%s", text)
		}
	})
	uri := fmt.Sprintf("http://127.0.0.1:%d", port)
	require.Eventually(t, func() bool {
		answer, err := http.Get(uri + "/health")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, 2*time.Minute, 200*time.Millisecond, "MLflow's server does not start")
	return uri
}
