//go:build bench

package bench_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Run i of an experiment has the metrics m (from 0 to 1, no two alike), acc and loss, three params and three tags.
const modulus = 1_000_003

// smallRuns is how many runs the experiment has that is filled over REST.
const smallRuns = 1000

// fillByREST makes an experiment with 1,000 runs with many clients, as clients do, and times that.
func fillByREST(t testing.TB, c *rest, m *trackingMeasurement) string {
	t.Helper()
	experiment := c.newExperiment(t, "small")
	begin := time.Now()
	made, _ := c.load(t, manyClients, time.Hour, smallRuns, 1, func(client, n int) work {
		i := n*manyClients + client
		return work{http.MethodPost, "runs/create", fmt.Appendf(nil, `{"experiment_id":"%s","run_name":"name %d","user_id":"user","start_time":%d,
			"tags":[{"key":"mlflow.user","value":"user"},{"key":"mlflow.source.name","value":"train.py"}]}`, experiment, i, firstTime+i)}
	})
	require.Zero(t, made.Failed)
	m.set("create-run-20", made)
	found := c.idsByName(t, experiment)
	require.Len(t, found, smallRuns)
	logged := func(clients int) figure {
		f, _ := c.load(t, clients, time.Hour, smallRuns, 1, func(client, n int) work {
			i := n*clients + client
			id := found["name "+strconv.Itoa(i)]
			return work{http.MethodPost, "runs/log-batch", fmt.Appendf(nil, `{"run_id":"%s","metrics":[{"key":"m","value":%s,"timestamp":%[3]d,"step":0},
			{"key":"acc","value":%[4]s,"timestamp":%[3]d,"step":0},{"key":"loss","value":%[5]s,"timestamp":%[3]d,"step":0}],
			"params":[{"key":"alpha","value":"name %[6]d"},{"key":"beta","value":"same"},{"key":"gamma","value":"%[6]d"}]}`,
				id, share(i*7919), firstTime+i, share(i*104729), strconv.FormatFloat(float64(i)/3, 'g', -1, 64), i)}
		})
		return f
	}
	filled := logged(manyClients)
	if filled.Failed > 0 { // MLflow's pool of connections runs dry now and then; the same again changes nothing
		require.Zero(t, logged(2).Failed)
	}
	m.set("log-run-20", filled)
	say(t, "  %s: %d runs over REST in %.1f s", m.Subject, smallRuns, time.Since(begin).Seconds())
	return experiment
}

func share(n int) string { return strconv.FormatFloat(float64(n%modulus)/modulus, 'g', -1, 64) }

// idsByName reads the ids of all runs of an experiment.
func (c *rest) idsByName(t testing.TB, experiment string) map[string]string {
	t.Helper()
	ids := map[string]string{}
	for token, more := "", true; more; more = token != "" {
		var page struct {
			Runs []struct {
				Info struct {
					ID   string `json:"run_id"`
					Name string `json:"run_name"`
				} `json:"info"`
			} `json:"runs"`
			Next string `json:"next_page_token"`
		}
		q := object{"experiment_ids": []string{experiment}, "max_results": deepPage}
		if token != "" {
			q["page_token"] = token
		}
		c.call(t, http.MethodPost, "runs/search", q, &page)
		for _, r := range page.Runs {
			ids[r.Info.Name] = r.Info.ID
		}
		token = page.Next
	}
	return ids
}

// fills are the statements that put {n} runs into experiment {e}, by server; over REST MLflow would need a quarter of an hour for 20,000.
var fills = map[string][]string{
	ours: {
		`INSERT INTO runs (id, experiment_id, name, user_id, status, start_time, artifact_uri, lifecycle_stage)
			{numbers} SELECT {id}, {e}, 'name ' || i, 'user', 'RUNNING', {t0} + i, 'mlflow-artifacts:/{e}/' || {id} || '/artifacts', 'active' FROM n`,
		`INSERT INTO latest_metrics (experiment_id, run_id, key, value, is_nan, timestamp, step, model_id) {metrics}
			SELECT {e}, id, key, value, 1 = 0, {t0} + i, 0, '' FROM m`,
		`INSERT INTO metrics (run_id, key, value, is_nan, timestamp, step, model_id) {metrics} SELECT id, key, value, 1 = 0, {t0} + i, 0, '' FROM m`,
		`INSERT INTO params (run_id, key, value) {params} SELECT id, key, value FROM p`,
		`INSERT INTO run_tags (run_id, key, value) {tags} SELECT id, key, value FROM p`,
	},
	mlflow: {
		`INSERT INTO runs (run_uuid, experiment_id, name, user_id, status, start_time, artifact_uri, lifecycle_stage, source_type, source_name, entry_point_name, source_version)
			{numbers} SELECT {id}, {e}, 'name ' || i, 'user', 'RUNNING', {t0} + i, 'mlflow-artifacts:/{e}/' || {id} || '/artifacts', 'active', 'UNKNOWN', '', '', '' FROM n`,
		`INSERT INTO latest_metrics (run_uuid, key, value, is_nan, timestamp, step) {metrics} SELECT id, key, value, 1 = 0, {t0} + i, 0 FROM m`,
		`INSERT INTO metrics (run_uuid, key, value, is_nan, timestamp, step) {metrics} SELECT id, key, value, 1 = 0, {t0} + i, 0 FROM m`,
		`INSERT INTO params (run_uuid, key, value) {params} SELECT id, key, value FROM p`,
		`INSERT INTO tags (run_uuid, key, value) {tags} SELECT id, key, value FROM p`,
	},
	fasttrackml: {
		`INSERT INTO runs (run_uuid, experiment_id, name, user_id, status, start_time, artifact_uri, lifecycle_stage, source_type, source_name, entry_point_name, source_version, row_num)
			{numbers} SELECT {id}, {e}, 'name ' || i, 'user', 'RUNNING', {t0} + i, './artifacts/{e}/' || {id} || '/artifacts', 'active', 'UNKNOWN', '', '', '', 1000000 + i FROM n`,
		`INSERT INTO latest_metrics (run_uuid, key, value, is_nan, timestamp, step, last_iter, context_id) {metrics}
			SELECT id, key, value, 1 = 0, {t0} + i, 0, 1, (SELECT MIN(id) FROM contexts) FROM m`,
		`INSERT INTO metrics (run_uuid, key, value, is_nan, timestamp, step, iter, context_id) {metrics}
			SELECT id, key, value, 1 = 0, {t0} + i, 0, 1, (SELECT MIN(id) FROM contexts) FROM m`,
		`INSERT INTO params (run_uuid, key, value_str) {params} SELECT id, key, value FROM p`,
		`INSERT INTO tags (run_uuid, key, value) {tags} SELECT id, key, value FROM p`,
	},
}

// fillBySQL makes an experiment with many runs beside the server, with the same rows for all.
func fillBySQL(t testing.TB, c *rest, db database, subject string, runs int) string {
	t.Helper()
	experiment := c.newExperiment(t, "large")
	begin := time.Now()
	handle := db.open(t)
	defer handle.Close()
	tx, err := handle.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	numbers := "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < " + strconv.Itoa(runs-1) + ")"
	each := func(name string, columns ...string) string {
		return numbers + ", " + name + " (id, key, value, i) AS (" + strings.Join(columns, " UNION ALL ") + ")"
	}
	row := func(key, value string) string { return "SELECT {id}, '" + key + "', " + value + ", i FROM n" }
	text := strings.NewReplacer("{numbers}", numbers, "{e}", experiment, "{t0}", strconv.FormatInt(firstTime, 10), "{id}", idSQL,
		"{metrics}", strings.ReplaceAll(each("m", row("m", "(CAST(i AS BIGINT) * 7919 % 1000003) / 1000003.0e0"), row("acc", "(CAST(i AS BIGINT) * 104729 % 1000003) / 1000003.0e0"),
			row("loss", "i / 3.0e0")), "{id}", idSQL),
		"{params}", strings.ReplaceAll(each("p", row("alpha", "'name ' || i"), row("beta", "'same'"), row("gamma", "CAST(i AS TEXT)")), "{id}", idSQL),
		"{tags}", strings.ReplaceAll(each("p", row("mlflow.runName", "'name ' || i"), row("mlflow.user", "'user'"), row("mlflow.source.name", "'train.py'")), "{id}", idSQL))
	for _, statement := range fills[subject] {
		_, err := tx.ExecContext(t.Context(), text.Replace(statement))
		require.NoError(t, err, statement)
	}
	require.NoError(t, tx.Commit())
	analyze(t, handle)
	say(t, "  %s: %d runs into its database in %.1f s", subject, runs, time.Since(begin).Seconds())
	return experiment
}

// idSQL is the id of run i.
const idSQL = "'bench' || CAST(1000000000 + i AS TEXT)"

// analyze lets the database count its rows, as PostgreSQL does by itself after some time.
func analyze(t testing.TB, db *sql.DB) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), "ANALYZE")
	require.NoError(t, err)
}
