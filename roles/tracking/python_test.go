package tracking_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/migrations"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore"
	"tasador/pkg/testkit"
	"tasador/pkg/testkit/s3test"
)

// python runs a script of scripts/python with the tests' environment and returns what it prints.
func python(t *testing.T, script string, args ...string) []byte {
	t.Helper()
	return pythonOf(t, testkit.Venv(t, "python"), script, args...)
}

func pythonOf(t *testing.T, interpreter, script string, args ...string) []byte {
	t.Helper()
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), interpreter, append([]string{filepath.Join(testkit.ModuleRoot(t), "scripts", "python", script)}, args...)...)
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+home, "MLFLOW_DISABLE_TELEMETRY=true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES=0",
		"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false", "PYTHONWARNINGS=ignore", "GIT_PYTHON_REFRESH=quiet")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	require.NoError(t, cmd.Run(), "%s\n%s", &complaints, &out)
	return out.Bytes()
}

// TestPythonClient runs the flow of a team that uses MLflow's own package against the role, on each kind of database with each kind of place
// for artifacts, and then looks into the database and the place.
func TestPythonClient(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages and the S3 server that make test builds")
	}
	t.Run("folder", func(t *testing.T) {
		onEach(t, func(t *testing.T, s server) {
			testPythonClient(t, s, func(t *testing.T, path string) {
				require.FileExists(t, filepath.Join(strings.TrimPrefix(s.cfg.Artifacts.URL, "file:"), filepath.FromSlash(path)))
			})
		})
	})
	t.Run("s3", func(t *testing.T) {
		remote := s3test.Start(t)
		remote.SetEnv(t)
		testkit.OnEach(t, migrations.Dialects("tracking"), func(t *testing.T, url string) {
			bucket := "artifacts-" + path.Base(t.Name())
			remote.MakeBucket(t, bucket)
			cfg := newConfig(t)
			cfg.Tracking.DB, cfg.Artifacts.URL, cfg.Artifacts.Endpoint = url, "s3://"+bucket+"/deep", remote.Endpoint
			testPythonClient(t, startWith(t, cfg), func(t *testing.T, path string) {
				require.NotEmpty(t, remote.Get(t, bucket, "deep/"+path))
			})
		})
	})
}

func testPythonClient(t *testing.T, s server, requireArtifact func(t *testing.T, path string)) {
	out := python(t, "mlflow_flow.py", s.uri)
	var made struct {
		ExperimentID string            `json:"experiment_id"`
		Runs         map[string]string `json:"runs"`
		MLflow       string            `json:"mlflow"`
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	require.NoError(t, json.Unmarshal(lines[len(lines)-1], &made), "%s", out)
	require.Regexp(t, `^3\.`, made.MLflow)

	store, err := sqlstore.Open(t.Context(), s.cfg.Tracking.DB, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sqlstore.Close(store)) })
	value := func(query string, args ...any) (v string) {
		require.NoError(t, store.Raw(query, args...).Scan(&v).Error, query)
		return v
	}
	require.Equal(t, "Realtor_Price_Experiment", value("SELECT name FROM experiments WHERE id = ?", made.ExperimentID))
	require.Equal(t, "5", value("SELECT count(*) FROM runs WHERE experiment_id = ? AND status = 'FINISHED' AND end_time >= start_time", made.ExperimentID))
	require.Equal(t, "deleted", value("SELECT lifecycle_stage FROM runs WHERE id = ?", made.Runs["worse"]))
	require.Equal(t, "500", value("SELECT count(*) FROM metrics WHERE run_id = ? AND key = 'loss'", made.Runs["better"]))
	require.Equal(t, "499", value("SELECT step FROM latest_metrics WHERE run_id = ? AND key = 'loss'", made.Runs["better"]))
	require.Equal(t, "1", value("SELECT CASE WHEN is_nan THEN 1 ELSE 0 END FROM latest_metrics WHERE run_id = ? AND key = 'test_rmse'", made.Runs["broken"]))
	require.Equal(t, "1.0", value("SELECT value FROM params WHERE run_id = ? AND key = 'best_alpha'", made.Runs["better"]))
	require.Equal(t, "1:Archived,2:Production", value(`SELECT a.version || ':' || a.stage || ',' || b.version || ':' || b.stage FROM model_versions a
		JOIN model_versions b ON b.model_id = a.model_id AND b.version = 2 JOIN registered_models m ON m.id = a.model_id
		WHERE m.name = 'PythonRidge' AND a.version = 1`))
	require.Equal(t, "2", value("SELECT count(*) FROM logged_models WHERE status = 'LOGGED_MODEL_READY' AND source_run_id = ?", made.Runs["better"]))
	require.Equal(t, "2", value("SELECT count(*) FROM run_models WHERE direction = 'output' AND run_id = ?", made.Runs["better"]))

	location := value(`SELECT storage_location FROM model_versions v JOIN registered_models m ON m.id = v.model_id
		WHERE v.version = 2 AND m.name = 'PythonRidge'`)
	requireArtifact(t, strings.TrimPrefix(location, "mlflow-artifacts:/")+"/MLmodel")
}

// TestPythonClientOfTheOriginal does with MLflow 2.2.1, which knows no logged models, what the original's DAG and pages do.
func TestPythonClientOfTheOriginal(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	onEach(t, func(t *testing.T, s server) {
		out := pythonOf(t, testkit.OldVenv(t, "python"), "mlflow2_flow.py", s.uri)
		var made struct {
			MLflow   string            `json:"mlflow"`
			Run      string            `json:"run"`
			Versions map[string]string `json:"versions"`
		}
		lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
		require.NoError(t, json.Unmarshal(lines[len(lines)-1], &made), "%s", out)
		require.Equal(t, "2.2.1", made.MLflow)
		require.Equal(t, map[string]string{"1": "Archived", "2": "Production"}, made.Versions)

		// Our own client sees the same, and the run of the version that it names.
		versions, err := s.client().LatestVersions(t.Context(), "RealtorPriceModel", []registry.Stage{registry.Production})
		require.NoError(t, err)
		require.Len(t, versions, 1)
		require.Equal(t, "2", versions[0].Version)
		require.Equal(t, made.Run, versions[0].RunID)
		body, _, err := s.client().OpenArtifact(t.Context(), "models:/RealtorPriceModel/2", "MLmodel")
		require.NoError(t, err)
		require.NoError(t, body.Close())
	})
}
