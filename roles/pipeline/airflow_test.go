package pipeline

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"tasador/pkg/testkit"
)

// TestAirflowsOwnClient runs a flow with apache-airflow-client, which parses every answer strictly.
func TestAirflowsOwnClient(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	s := start(t, settings(t, t.TempDir()))
	flow := filepath.Join(testkit.ModuleRoot(t), "scripts", "python", "airflow_flow.py")
	out, err := exec.CommandContext(t.Context(), testkit.Venv(t, "python"), flow, s.url, "small").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "ok\n", string(out))
}
