package chaos_test

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/model"
	"tasador/pkg/realtor"
)

// volatile are the columns that differ between two runs of the same rows: when, and by which process.
var volatile = []string{"fetched_at", "loader", "run_id"}

// outcome is all that DAG runs leave, as lines that say the same for the same outcome. Retries are told apart only if asked for: a
// server that was away costs some.
func (w *world) outcome(t testing.TB, withRetries bool) []string {
	t.Helper()
	lines := w.pipelineRows(t, withRetries)
	for _, name := range []string{"rawdata", "cleandata"} {
		lines = append(lines, tablesOf(t, name, w.listingsURL(name))...)
	}
	for _, folder := range []string{"payloads", "work"} {
		entries, err := os.ReadDir(filepath.Join(w.folder("pipeline"), folder))
		if !os.IsNotExist(err) {
			require.NoError(t, err)
		}
		for _, e := range entries {
			lines = append(lines, folder+"/"+e.Name())
		}
	}
	return append(lines, w.trackingRows(t)...)
}

func (w *world) pipelineRows(t testing.TB, withRetries bool) []string {
	t.Helper()
	db := open(t, filepath.Join(w.folder("pipeline"), "pipeline.db"))
	failures := "0"
	if withRetries {
		failures = "failures"
	}
	lines := query(t, db, "SELECT 'run', run_id, state, conf FROM dag_run ORDER BY run_key")
	lines = append(lines, query(t, db, "SELECT 'task', run_id, task_id, i.state, 'failed tries', "+failures+
		" FROM task_instance i JOIN dag_run USING (run_key) ORDER BY run_key, task_id")...)
	return append(lines, query(t, db, "SELECT 'xcom', run_id, task_id, xcom_key, value FROM xcom JOIN task_instance USING (instance_key)"+
		" JOIN dag_run USING (run_key) WHERE xcom_key <> '"+realtor.XComRunID+"' ORDER BY run_key, task_id, xcom_key")...)
}

// tablesOf tells for each table of a database of listings how many rows it has and the hash of them.
func tablesOf(t testing.TB, name, url string) []string {
	t.Helper()
	d := catalogOf(url)
	db := openWith(t, d.driver, d.dsn)
	var lines []string
	for _, table := range query(t, db, d.tables) {
		if strings.Contains(table, "schema") || strings.HasPrefix(table, "sqlite") || table == "task_fences" {
			continue
		}
		columns := query(t, db, fmt.Sprintf(d.columns, table))
		key := `"` + strings.Join(columns[:min(2, len(columns))], `", "`) + `"` // the key of every table is in its first columns
		columns = slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return slices.Contains(d.volatile, c) })
		rows := query(t, db, fmt.Sprintf(`SELECT "%s" FROM "%s" ORDER BY %s`, strings.Join(columns, `", "`), table, key))
		lines = append(lines, fmt.Sprintf("%s.%s %v: %d rows %x", name, table, columns, len(rows), sha256.Sum256([]byte(strings.Join(rows, "\n")))))
	}
	return lines
}

// catalog says how to look into a database.
type catalog struct {
	driver, dsn     string
	tables, columns string   // queries for names
	volatile        []string // columns that differ between two runs of the same rows
}

func catalogOf(url string) catalog {
	scheme, rest, _ := strings.Cut(url, ":")
	// Transactions that were rolled back have used up keys of the servers.
	onServers := append([]string{"id", "raw_id"}, volatile...)
	const columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = '%%s' ORDER BY ordinal_position"
	const tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s ORDER BY table_name"
	switch scheme {
	case "postgres":
		return catalog{"pgx", url, fmt.Sprintf(tables, "current_schema()"), fmt.Sprintf(columns, "current_schema()"), onServers}
	case "mysql":
		user, address, _ := strings.Cut(strings.TrimPrefix(rest, "//"), "@")
		host, name, _ := strings.Cut(address, "/")
		return catalog{"mysql", user + "@tcp(" + host + ")/" + name + "?sql_mode=ANSI_QUOTES", fmt.Sprintf(tables, "database()"),
			fmt.Sprintf(columns, "database()"), onServers}
	}
	return catalog{"sqlite", rest + "?_pragma=busy_timeout(10000)", "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
		"SELECT name FROM pragma_table_info('%s') ORDER BY cid", volatile}
}

// trackingRows tells what tracking has: all runs, deleted ones too, with all that was logged; logged models; versions with their stages.
func (w *world) trackingRows(t testing.TB) []string {
	t.Helper()
	client := w.tracking()
	defer client.Close()
	e, err := client.ExperimentByName(t.Context(), realtor.Experiment)
	require.NoError(t, err)
	runs, err := client.SearchRuns(t.Context(), experiment.RunSearch{ExperimentIDs: []string{e.ID}, Search: experiment.Search{View: experiment.All, PageRequest: experiment.PageRequest{MaxResults: 1000}}})
	require.NoError(t, err)
	names := map[string]string{} // run id → DAG run and name
	var lines []string
	for _, run := range runs.Items {
		dagRun, _ := run.Tag(realtor.TagDAGRunID)
		name := dagRun + " " + run.Name
		names[run.ID] = name
		lines = append(lines, fmt.Sprintf("run of %s: %s %s, %d models", name, run.Status, run.LifecycleStage, len(run.ModelOutputs)))
		for _, p := range run.Params {
			lines = append(lines, fmt.Sprintf("%s: param %s=%s", name, p.Key, p.Value))
		}
		for _, tag := range run.Tags {
			if tag.Key != "tasador.fence" && tag.Key != realtor.TagExecutionDate && !strings.HasPrefix(tag.Key, "mlflow.") {
				lines = append(lines, fmt.Sprintf("%s: tag %s=%s", name, tag.Key, tag.Value))
			}
		}
		for _, m := range run.Metrics {
			history, err := client.MetricHistory(t.Context(), run.ID, m.Key, experiment.PageRequest{})
			require.NoError(t, err)
			lines = append(lines, fmt.Sprintf("%s: metric %s=%s, points: %d", name, m.Key, experiment.FormatFloat(m.Value), len(history.Items)))
		}
	}
	lines = append(lines, w.models(t, e.ID, names)...)
	slices.Sort(lines)
	return lines
}

func (w *world) models(t testing.TB, experimentID string, names map[string]string) []string {
	t.Helper()
	client := w.tracking()
	defer client.Close()
	logged, err := client.SearchLoggedModels(t.Context(), experiment.RunSearch{ExperimentIDs: []string{experimentID}})
	require.NoError(t, err)
	var lines []string
	for _, m := range logged.Items {
		lines = append(lines, fmt.Sprintf("logged model of %s: %s", names[m.SourceRunID], m.Status))
	}
	versions, err := client.SearchVersions(t.Context(), experiment.Search{Filter: "name = '" + realtor.Model + "'"})
	if apperror.CodeOf(err) == apperror.NotFound && err != nil {
		return lines
	}
	require.NoError(t, err)
	for _, v := range versions.Items {
		dir := t.TempDir()
		require.NoError(t, client.DownloadFolder(t.Context(), "models:/"+v.Name+"/"+v.Version, dir))
		m, err := model.LoadFolder(dir)
		require.NoError(t, err)
		lines = append(lines, fmt.Sprintf("version %s of %s: %s, intercept %s, coefficients %v",
			v.Version, names[v.RunID], v.Stage, experiment.FormatFloat(m.Intercept), m.Coefficients))
	}
	return lines
}

func open(t testing.TB, file string) *sql.DB {
	t.Helper()
	return openWith(t, "sqlite", file+"?_pragma=busy_timeout(10000)")
}

func openWith(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// query returns the rows, the columns of each with blanks between them.
func query(t testing.TB, db *sql.DB, text string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), text)
	require.NoError(t, err, text)
	defer func() { require.NoError(t, rows.Close()) }()
	columns, err := rows.Columns()
	require.NoError(t, err)
	values, dests := make([]any, len(columns)), make([]any, len(columns)) // bytes for texts of some drivers
	for i := range values {
		dests[i] = &values[i]
	}
	var out []string
	for rows.Next() {
		require.NoError(t, rows.Scan(dests...))
		for i, v := range values {
			if b, ok := v.([]byte); ok {
				values[i] = string(b)
			}
		}
		out = append(out, strings.TrimSuffix(fmt.Sprintln(values...), "\n"))
	}
	require.NoError(t, rows.Err())
	return out
}
