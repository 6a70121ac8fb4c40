package roles_test

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/testkit"
)

// TestLocust runs the locustfile without its pages against a running serving role, and compares Locust's own count with ours.
func TestLocust(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	s := startStack(t, nil, config.RoleNames()...)
	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), testkit.Venv(t, "locust"), "-f", filepath.Join(testkit.ModuleRoot(t), "deploy", "locust", "locustfile.py"),
		"--headless", "--users=5", "--spawn-rate=5", "--run-time=3s", "--stop-timeout=10s", "--csv=stats", "--json-file=stats", "--only-summary") // #nosec G204 -- a test
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "SERVING_HOST="+s.serving(""), "WAIT_MIN=0.05", "WAIT_MAX=0.2", "HOME="+folder)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))

	stats := locustStats(t, filepath.Join(folder, "stats_stats.csv"))
	require.Positive(t, number(t, stats["Request Count"]), string(out))
	require.Zero(t, number(t, stats["Failure Count"]), string(out))
	requests, failures := locustCounts(t, filepath.Join(folder, "stats.json"))
	require.GreaterOrEqual(t, requests, number(t, stats["Request Count"]))
	require.Zero(t, failures)
	s.requireRecorded(t, requests)
	_, metrics := get(t, s.serving("/metrics"))
	require.Contains(t, metrics, "\ninference_requests_total "+strconv.FormatInt(requests, 10)+"\n")

	// A server without a model fails every user, and Locust's exit code says so.
	empty := startStack(t, nil, config.RoleTracking, config.RoleServing)
	status, _ := post(t, empty.serving("/predict"), example)
	require.Equal(t, http.StatusServiceUnavailable, status)
	cmd = exec.CommandContext(t.Context(), cmd.Path, append(cmd.Args[1:], "--host="+empty.serving(""))...)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "WAIT_MIN=0.05", "WAIT_MAX=0.2", "HOME="+folder)
	out, err = cmd.CombinedOutput()
	require.Error(t, err, string(out))
	stats = locustStats(t, filepath.Join(cmd.Dir, "stats_stats.csv"))
	require.Positive(t, number(t, stats["Request Count"]))
	require.Equal(t, stats["Request Count"], stats["Failure Count"])
	failures503, err := os.ReadFile(filepath.Join(cmd.Dir, "stats_failures.csv"))
	require.NoError(t, err)
	require.Contains(t, strings.ReplaceAll(string(failures503), `""`, `"`), "503: {\"detail\":\"no version of RealtorPriceModel is in Production yet")
}

// locustCounts reads the JSON that Locust writes at the end; its CSV is up to a second older.
func locustCounts(t *testing.T, file string) (requests, failures int64) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	var entries []struct {
		Name     string `json:"name"`
		Requests int64  `json:"num_requests"`
		Failures int64  `json:"num_failures"`
	}
	require.NoError(t, json.Unmarshal(content, &entries), string(content))
	require.Len(t, entries, 1)
	require.Equal(t, "/predict", entries[0].Name)
	return entries[0].Requests, entries[0].Failures
}

// locustStats reads the line of POST /predict of Locust's statistics, by the names of the columns.
func locustStats(t *testing.T, file string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	rows, err := csv.NewReader(strings.NewReader(string(content))).ReadAll()
	require.NoError(t, err)
	for _, row := range rows[1:] {
		if row[0] == http.MethodPost && row[1] == "/predict" {
			stats := map[string]string{}
			for i, name := range rows[0] {
				stats[name] = row[i]
			}
			return stats
		}
	}
	require.Fail(t, "Locust has sent nothing", string(content))
	return nil
}

func number(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err)
	return n
}
