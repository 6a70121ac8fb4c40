package pipeline

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAirflowsOwnClient runs a flow with apache-airflow-client, which parses every answer strictly.
func TestAirflowsOwnClient(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	python := filepath.Join(root, ".cache", "venv", "bin", "python")
	_, err = os.Stat(python)
	require.NoError(t, err, "the Python packages are missing; run make test: it installs them")
	s := start(t, settings(t, t.TempDir()))
	out, err := exec.CommandContext(t.Context(), python, filepath.Join(root, "scripts", "python", "airflow_flow.py"), s.url, "small").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "ok\n", string(out))
}
