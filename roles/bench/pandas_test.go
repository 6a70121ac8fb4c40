//go:build bench

package bench_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

// pandasResult is what scripts/bench/pandas_job.py prints.
type pandasResult struct {
	outcome
	Seconds float64 `json:"seconds"`
	Steps   []step  `json:"steps"`
	PeakMiB float64 `json:"peak_mib"`
}

// measurePandas runs the job in an empty database.
func measurePandas(t testing.TB, source string, server *testkit.DatabaseServer, url string, m *measurement) outcome {
	t.Helper()
	root := testkit.ModuleRoot(t)
	cmd := exec.CommandContext(t.Context(), testkit.Venv(t, "python"), "scripts/bench/pandas_job.py", "--source", source, "--key", dagRunID, "--as-of", asOf,
		"--db", alchemyURL(url))
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(root, ".cache/venv-bench"))
	cmd.Stderr = os.Stderr
	settle(t, server.PID())
	database := processorOf(t, server.PID())
	out, err := cmd.Output()
	require.NoError(t, err)
	m.ServerCPU = processorOf(t, server.PID()) - database
	m.ClientCPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	var result pandasResult
	require.NoError(t, json.Unmarshal(out, &result), "%s", out)
	m.Seconds, m.Steps, m.PeakMiB = result.Seconds, result.Steps, result.PeakMiB
	return result.outcome
}

// alchemyURL is a database URL with the driver that SQLAlchemy uses.
func alchemyURL(url string) string {
	return strings.NewReplacer("mysql://", "mysql+pymysql://", "postgres://", "postgresql+psycopg2://").Replace(url)
}
