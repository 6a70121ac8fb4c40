package chaos_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/killpoint"
	"tasador/pkg/testkit"
)

// mlflowPoints are where the import of a server is killed.
func mlflowPoints() []string {
	return []string{
		string(killpoint.AfterImportedPoints) + ":20", // in the middle of 3,000 points of one metric
		string(killpoint.AfterImportedExperiment) + ":2",
		string(killpoint.AfterImportedRun) + ":6",
		string(killpoint.AfterImportedFile) + ":25",
		string(killpoint.AfterImportedModel) + ":3",
		string(killpoint.AfterImportedRegistered) + ":2",
		string(killpoint.AfterImportedVersion) + ":2",
	}
}

// python runs a script of scripts/python and returns what it prints.
func python(t *testing.T, script string, args ...string) string {
	t.Helper()
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), testkit.Venv(t, "python"), append([]string{filepath.Join(testkit.ModuleRoot(t), "scripts", "python", script)}, args...)...)
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+home, "MLFLOW_DISABLE_TELEMETRY=true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES=0",
		"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false", "PYTHONWARNINGS=ignore", "GIT_PYTHON_REFRESH=quiet")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	require.NoError(t, cmd.Run(), "%s\n%s", &complaints, &out)
	return out.String()
}

// mlflowImport imports a server into a data folder and a database and returns what is printed.
func mlflowImport(t *testing.T, bin, from, dir, database string) (out string, failed bool) {
	t.Helper()
	content, err := exec.Command(bin, "import-mlflow", "--from="+from, "--data-dir="+dir, "--tracking.db="+database).CombinedOutput()
	if err != nil {
		require.IsType(t, new(exec.ExitError), err)
	}
	return string(content), err != nil
}

// TestAnImportOfAnMLflowServer fills MLflow's own server with its own client, imports it, and lets the same client compare both sides. Here an import is
// killed at three places; TestChaosImportOfAnMLflowServer kills it at all.
func TestAnImportOfAnMLflowServer(t *testing.T) {
	if testing.Short() {
		return // builds and runs processes
	}
	points := mlflowPoints()
	testImportOfAnMLflowServer(t, []string{points[0], points[3], points[len(points)-1]})
}

func testImportOfAnMLflowServer(t *testing.T, killed []string) {
	t.Helper()
	files := filepath.Join(t.TempDir(), "artifacts")
	stock := testkit.StockMLflow(t, "--artifacts-destination", files)
	python(t, "mlflow_fill.py", stock)
	bin := testkit.Build(t, "-tags=killpoints")
	there := python(t, "mlflow_dump.py", stock)
	require.Contains(t, between(there, `"outputs/100%`, `"hello.txt`)+between(there, `"outputs/deep`, "]"), "3000001")
	require.NotContains(t, between(there, `"predictions": {`, `"models:/PriceModel/4"`), "cannot be loaded")
	engines := map[string]func(testing.TB, string) string{
		"sqlite":   func(_ testing.TB, dir string) string { return "sqlite:" + filepath.Join(dir, "tracking.db") },
		"postgres": func(t testing.TB, _ string) string { return testkit.Postgres(t).NewDatabase(t) },
	}
	type copied struct{ dir, database, uri string }
	copies := map[string]copied{}
	for _, engine := range []string{"sqlite", "postgres"} {
		dir := t.TempDir()
		c := copied{dir: dir, database: engines[engine](t, dir)}
		out, failed := mlflowImport(t, bin, stock, c.dir, c.database)
		require.False(t, failed, out)
		require.Contains(t, out, "all that "+stock+" has is here")
		require.Regexp(t, `metric points +3028 +3028 *\n`, out)
		server := testkit.Start(t, bin, 1, "--role=tracking", "--data-dir="+c.dir, "--tracking.db="+c.database, "--tracking.listen=127.0.0.1:0")
		c.uri = server.Addresses["tracking"]
		if engine == "sqlite" { // PostgreSQL's turn is below: each time takes MLflow's client a quarter of a minute
			requireSameLines(t, there, python(t, "mlflow_dump.py", c.uri))
		}
		copies[engine] = c
	}

	// A killed import is finished by the next one, to the same rows and files as one that was left alone.
	for _, engine := range []string{"sqlite", "postgres"} {
		want := importOutcome(t, copies[engine].dir, copies[engine].database)
		points := killed
		if engine == "postgres" {
			points = points[:1] // what differs is how a transaction ends
		}
		for _, point := range points {
			t.Run(engine+" "+point, func(t *testing.T) {
				dir := t.TempDir()
				database := engines[engine](t, dir)
				p := testkit.Launch(t, []string{"KILLPOINT=" + point}, bin, "import-mlflow", "--from="+stock, "--data-dir="+dir, "--tracking.db="+database, "--parallel=2")
				<-p.Ended()
				require.True(t, p.KilledItself(), p.Log())
				out, failed := mlflowImport(t, bin, stock, dir, database)
				require.False(t, failed, out)
				requireSameLines(t, want, importOutcome(t, dir, database))
			})
		}
	}

	// What was logged there since comes with the next import, beside a server at work; what was done here meanwhile stays.
	python(t, "mlflow_fill.py", stock, "more")
	there = python(t, "mlflow_dump.py", stock)
	for engine, c := range copies {
		out, failed := mlflowImport(t, bin, stock, c.dir, c.database)
		require.False(t, failed, out)
		require.Contains(t, out, "all that "+stock+" has is here")
		if engine == "postgres" {
			requireSameLines(t, there, python(t, "mlflow_dump.py", c.uri))
		}
		before := importOutcome(t, c.dir, c.database)
		out, failed = mlflowImport(t, bin, stock, c.dir, c.database)
		require.False(t, failed, out)
		require.Contains(t, out, "0 files of 0.0 MB copied")
		requireSameLines(t, before, importOutcome(t, c.dir, c.database)) // a third import changes nothing
	}

	// A file that cannot be kept here is named, and the exit code says it.
	folders, err := filepath.Glob(filepath.Join(files, "1", "*", "artifacts", "outputs"))
	require.NoError(t, err)
	require.Len(t, folders, 1)
	require.NoError(t, os.WriteFile(filepath.Join(folders[0], "a#b.txt"), []byte("seven b"), 0o600))
	run := filepath.Base(filepath.Dir(filepath.Dir(folders[0])))
	c := copies["sqlite"]
	out, failed := mlflowImport(t, bin, stock, c.dir, c.database)
	require.True(t, failed, out)
	require.Contains(t, out, "missing: run "+run+": the artifact outputs/a#b.txt was not copied: ")
	require.Regexp(t, `artifact files +38 +37 +differs`, out)
	require.Contains(t, out, "not all that "+stock+" has is here; what is missing stands above")
}

// importOutcome is every row of tracking, but for when it was imported, and every file.
func importOutcome(t *testing.T, dir, database string) string {
	t.Helper()
	d := catalogOf(database)
	db := openWith(t, d.driver, d.dsn)
	var out []string
	for table, columns := range map[string]string{
		"experiments WHERE id > 0": "*", "experiment_tags": "*", "run_tags": "*", "params": "*", "metrics": "*", "latest_metrics": "*", "run_models": "*",
		"runs":          "id, experiment_id, name, user_id, status, start_time, end_time, artifact_uri, lifecycle_stage, deleted_time IS NULL AS there",
		"logged_models": "*", "logged_model_tags": "*", "logged_model_params": "*", "logged_model_metrics": "*",
		"registered_models":     "name, description, creation_time, last_update_time",
		"registered_model_tags": "key, value", "model_version_tags": "version, key, value", "model_aliases": "alias, version",
		"model_versions":   "version, stage, description, source, storage_location, run_id, logged_model_id, creation_time, last_update_time",
		"model_moves":      "matter, version, alias, from_value, to_value, via, address, agent",
		"datasets":         "experiment_id, name, digest, source, profile",
		"run_dataset_tags": "run_id, key, value", "run_datasets": "run_id", "imports": "source, kind, source_id, local_id, fingerprint, merged",
	} {
		rows := query(t, db, "SELECT "+columns+" FROM "+table)
		slices.Sort(rows)
		for _, r := range rows {
			out = append(out, table+": "+r)
		}
	}
	root := filepath.Join(dir, "artifacts")
	require.NoError(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Base(filepath.Dir(path)) == ".uploads" { // which the next start of tracking empties
			return err
		}
		content, err := os.ReadFile(path)
		out = append(out, strings.TrimPrefix(path, root)+": "+string(content[:min(len(content), 200)]))
		return err
	}))
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// between is what a text has between two others, for the first time.
func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

// requireSameLines shows the first lines that differ, because there are thousands.
func requireSameLines(t *testing.T, want, got string) {
	t.Helper()
	wanted, have := strings.Split(want, "\n"), strings.Split(got, "\n")
	for n := range min(len(wanted), len(have)) {
		if wanted[n] != have[n] {
			from := max(0, n-3)
			require.Equal(t, wanted[from:min(n+5, len(wanted))], have[from:min(n+5, len(have))], "from line %d", from)
		}
	}
	require.Len(t, have, len(wanted))
}
