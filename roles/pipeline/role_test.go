package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tasador/pkg/config"
	"tasador/pkg/dag"
	"tasador/pkg/observability"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/pkg/testkit"
)

// server is a role on a small DAG: count pushes a number; broken fails when the conf says so; last comes after it.
type server struct {
	url    string
	client *http.Client
}

func smallJob(context.Context, *config.Config, *slog.Logger) (job, error) {
	ok := func(context.Context, *dag.TaskContext) (dag.Result, error) { return dag.Done(), nil }
	count := func(ctx context.Context, tc *dag.TaskContext) (dag.Result, error) {
		tc.Log.Info("counting", "rows", 3)
		rows := dag.Rows{In: map[string]int{"payload": 1234}, Out: map[string]int{"realtor_raw": 1234}}
		return dag.Done(), errors.Join(tc.XComs.Push(ctx, "new_records", map[string]int{"n": 3}), tc.XComs.Push(ctx, dag.RowsKey, rows))
	}
	broken := func(_ context.Context, tc *dag.TaskContext) (dag.Result, error) {
		if strings.Contains(string(tc.Run.Conf), "true") {
			return dag.Result{}, errors.New("it had to fail")
		}
		return dag.Done(), nil
	}
	return job{
		definition: dag.Definition{ID: "small", Description: "A test.", Owner: "airflow", Tags: []string{"realtor"}, Tasks: []dag.Task{
			{ID: "count", Run: count, Retries: 1, RetryDelay: 26 * time.Hour}, {ID: "broken", Upstream: []string{"count"}, Run: broken, Timeout: time.Minute},
			{ID: "last", Upstream: []string{"broken"}, Run: ok},
		}},
		validateConf: func(raw json.RawMessage) error {
			var known struct {
				Fail bool `json:"fail"`
			}
			return json.Unmarshal(raw, &known)
		},
		ready: func(context.Context) error { return nil },
		close: func() error { return nil },
	}, nil
}

func settings(t *testing.T, dir string) *config.Config {
	t.Helper()
	cfg, err := config.Default()
	require.NoError(t, err)
	cfg.DataDir, cfg.Pipeline.DB = dir, "sqlite:"+filepath.Join(dir, "pipeline.db")
	return cfg
}

func start(t *testing.T, cfg *config.Config) *server {
	t.Helper()
	ln := testkit.Listen(t)
	service, err := open(t.Context(), cfg, ln, slog.New(slog.DiscardHandler), nil, smallJob)
	require.NoError(t, err)
	testkit.Serve(t, service)
	s := &server{url: "http://" + ln.Addr().String(), client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(s.client.CloseIdleConnections) // before the server ends, which waits for none of them then
	return s
}

// call sends a request with an optional JSON body and returns the status and the answer as a tree.
func (s *server) call(t *testing.T, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewBufferString(body))
	require.NoError(t, err)
	res, err := s.client.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var tree map[string]any
	require.NoError(t, json.Unmarshal(raw, &tree), "%s", raw)
	return res.StatusCode, tree
}

func (s *server) get(t *testing.T, path string) map[string]any {
	t.Helper()
	status, tree := s.call(t, http.MethodGet, path, "")
	require.Equal(t, http.StatusOK, status, "%s: %v", path, tree)
	return tree
}

func (s *server) trigger(t *testing.T, body string) map[string]any {
	t.Helper()
	status, run := s.call(t, http.MethodPost, "/api/v2/dags/small/dagRuns", body)
	require.Equal(t, http.StatusOK, status, "%v", run)
	return run
}

func (s *server) await(t *testing.T, runID, state string) map[string]any {
	t.Helper()
	var run map[string]any
	require.Eventually(t, func() bool {
		run = s.get(t, "/api/v2/dags/small/dagRuns/"+runID)
		return run["state"] == state
	}, time.Minute, 5*time.Millisecond, "the run %s did not become %s", runID, state)
	return run
}

// texts picks a field out of a list of objects.
func texts(list any, field string) []any {
	var out []any
	for _, o := range list.([]any) {
		out = append(out, o.(map[string]any)[field])
	}
	return out
}

const (
	runs  = "/api/v2/dags/small/dagRuns"
	fills = "/api/v2/backfills"
)

func TestTriggeredRunIsToldInAirflowsShapes(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	s := start(t, settings(t, t.TempDir()))
	run := s.trigger(t, `{"dag_run_id": "r+1", "logical_date": "2026-01-02T03:04:05+02:00", "conf": {"fail": false}, "note": "why"}`)
	require.Equal(t, "queued", run["state"])
	require.Equal(t, "manual", run["run_type"])
	require.Equal(t, "2026-01-02T01:04:05Z", run["logical_date"])
	require.Equal(t, map[string]any{"fail": false}, run["conf"])
	require.Equal(t, "why", run["note"])

	run = s.await(t, "r%2B1", "success")
	require.NotNil(t, run["start_date"])
	require.Greater(t, run["duration"], 0.0)
	tasks := s.get(t, runs+"/r+1/taskInstances")
	require.EqualValues(t, 3, tasks["total_entries"])
	require.Equal(t, []any{"count", "broken", "last"}, texts(tasks["task_instances"], "task_id"))
	require.Equal(t, []any{"success", "success", "success"}, texts(tasks["task_instances"], "state"))
	count := s.get(t, runs+"/r+1/taskInstances/count")
	require.EqualValues(t, 1, count["try_number"])
	require.EqualValues(t, 1, count["max_tries"])
	require.EqualValues(t, -1, count["map_index"])
	require.Len(t, s.get(t, runs+"/r+1/taskInstances/count/tries")["task_instances"], 1)

	log := s.get(t, runs+"/r+1/taskInstances/count/logs/1?full_content=true")
	require.Contains(t, log, "continuation_token")
	line := log["content"].([]any)[1].(map[string]any)
	require.Equal(t, "counting", line["event"])
	require.Equal(t, "info", line["level"])
	require.EqualValues(t, 3, line["rows"])

	require.Equal(t, []any{"new_records", "rows"}, texts(s.get(t, runs+"/r+1/taskInstances/count/xcomEntries")["xcom_entries"], "key"))
	require.Equal(t, map[string]any{"n": 3.0}, s.get(t, runs+"/r+1/taskInstances/count/xcomEntries/new_records")["value"])
	require.Equal(t, `{"n":3}`, s.get(t, runs+"/r+1/taskInstances/count/xcomEntries/new_records?stringify=true")["value"])
}

func TestDAGAndItsTasksInAirflowsShapes(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	list := s.get(t, "/api/v2/dags")
	require.EqualValues(t, 1, list["total_entries"])
	d := s.get(t, "/api/v2/dags/small")
	require.Equal(t, list["dags"].([]any)[0].(map[string]any)["dag_id"], d["dag_id"])
	require.Equal(t, false, d["is_paused"])
	require.Equal(t, "@daily", d["timetable_summary"])
	require.Equal(t, []any{"airflow"}, d["owners"])
	require.Equal(t, []any{"realtor"}, texts(d["tags"], "name"))
	tasks := s.get(t, "/api/v2/dags/small/tasks")["tasks"].([]any)
	first := tasks[0].(map[string]any)
	require.Equal(t, []any{"broken"}, first["downstream_task_ids"])
	require.Equal(t, "all_success", first["trigger_rule"])
	require.Equal(t, map[string]any{"__type": "TimeDelta", "days": 1.0, "seconds": 7200.0, "microseconds": 0.0}, first["retry_delay"])
	require.Equal(t, "healthy", s.get(t, "/api/v2/monitor/health")["metadatabase"].(map[string]any)["status"])
	require.Contains(t, s.get(t, "/api/v2/version"), "version")
}

func TestPauseHoldsRunsBack(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	status, d := s.call(t, http.MethodPatch, "/api/v2/dags/small?update_mask=is_paused", `{"is_paused": true}`)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, true, d["is_paused"])
	s.trigger(t, `{"dag_run_id": "a"}`)
	status, _ = s.call(t, http.MethodPatch, "/api/v2/dags/small", `{"is_paused": false}`)
	require.Equal(t, http.StatusOK, status)
	s.await(t, "a", "success")
}

func TestRunsAreListedFilteredAndOrdered(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	s.trigger(t, `{"dag_run_id": "a"}`)
	s.trigger(t, `{"dag_run_id": "b", "conf": {"fail": true}}`)
	s.trigger(t, `{"dag_run_id": "c"}`)
	s.await(t, "c", "success")
	ids := func(query string) []any { return texts(s.get(t, "/api/v2/dags/"+query)["dag_runs"], "dag_run_id") }
	require.Equal(t, []any{"a", "b", "c"}, ids("small/dagRuns"))
	require.Equal(t, []any{"c", "b"}, ids("small/dagRuns?order_by=-run_after&limit=2"))
	require.Equal(t, []any{"b"}, ids("small/dagRuns?state=failed"))
	require.Equal(t, []any{"c"}, ids("~/dagRuns?offset=2"))
	begun := s.get(t, runs+"/b")["start_date"].(string)
	require.Equal(t, []any{"b", "c"}, ids("small/dagRuns?start_date_gte="+begun))
	require.Equal(t, []any{"a"}, ids("small/dagRuns?start_date_lt="+begun))
	require.EqualValues(t, 3, s.get(t, runs+"?limit=1")["total_entries"])
}

func TestAFailedTaskCanBeCleared(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	s.trigger(t, `{"dag_run_id": "a", "conf": {"fail": true}}`)
	s.await(t, "a", "failed")
	address := "/api/v2/dags/small/clearTaskInstances"
	// Nothing changes unless dry_run is false.
	status, dry := s.call(t, http.MethodPost, address, `{"dag_run_id": "a"}`)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, []any{"broken", "last"}, texts(dry["task_instances"], "task_id"))
	require.Equal(t, "failed", s.get(t, runs+"/a")["state"])
	status, _ = s.call(t, http.MethodPost, address, `{"dag_run_id": "a", "dry_run": false, "task_ids": ["broken"], "include_downstream": true}`)
	require.Equal(t, http.StatusOK, status)
	require.Eventually(t, func() bool {
		return s.get(t, runs+"/a/taskInstances/broken")["try_number"] == 2.0 && s.get(t, runs+"/a")["state"] == "failed"
	}, time.Minute, 5*time.Millisecond, "it ran and failed once more")
	require.Len(t, s.get(t, runs+"/a/taskInstances/broken/tries")["task_instances"], 2)
	require.Equal(t, "failed", s.get(t, runs+"/a/taskInstances/broken/tries/1")["state"])
}

func TestBadRequestsAreRefusedAndStoreNothing(t *testing.T) {
	s := start(t, settings(t, t.TempDir()))
	s.trigger(t, `{"dag_run_id": "taken", "logical_date": "2026-01-01T00:00:00Z"}`)
	for _, c := range []struct {
		method, path, body string
		status             int
		detail             string
	}{
		{"POST", runs, `{"dag_run_id": "taken"}`, 409, "taken"},
		{"POST", runs, `{"logical_date": "2026-01-01T01:00:00+01:00"}`, 409, "logical date"},
		{"POST", runs, `{"dag_run_id": "a/b"}`, 400, `"a/b" is malformed`},
		{"POST", runs, `{"dag_run_id": "."}`, 400, `"." is malformed`},
		{"POST", runs, `{"dag_run_id": ".."}`, 400, `".." is malformed`},
		{"POST", runs, `{"dag_run_id": "scheduled__x"}`, 400, "looks like one of the schedule"},
		{"POST", runs, `{"logical_date": "yesterday"}`, 400, `"yesterday" is not a time`},
		{"POST", runs, `{"conf": [1]}`, 400, "conf is not a JSON object"},
		{"POST", runs, `{"colour": 1}`, 400, `unknown key "colour"`},
		{"POST", runs, `{"note": 1}`, 400, "note in the request body must not be of type number"},
		{"POST", runs, `{`, 400, "cannot be read as a JSON object"},
		{"POST", runs, `[]`, 400, "cannot be read as a JSON object"},
		{"POST", "/api/v2/dags/other/dagRuns", `{}`, 404, "the DAG other does not exist; there is small"},
		{"POST", runs, `{"dag_run_id": "backfill__x"}`, 400, "looks like one of the schedule or of a backfill"},
		{"POST", fills, `{"dag_id": "other"}`, 404, "the DAG other does not exist; there is small"},
		{"POST", fills, `{"dag_id": "small", "to_date": "2026-01-01"}`, 400, "lacks from_date"},
		{"POST", fills, `{"dag_id": "small", "from_date": "soon", "to_date": "2026-01-01"}`, 400, `from_date "soon" is not a time`},
		{"POST", fills, `{"dag_id": "small", "from_date": "2026-01-02", "to_date": "2026-01-01"}`, 400, "to_date is before from_date"},
		{"POST", fills, `{"dag_id": "small", "from_date": "3026-01-01", "to_date": "3026-01-02"}`, 400, "in the future"},
		{"POST", fills, `{"dag_id": "small", "from_date": "2026-01-01", "to_date": "2026-01-02", "reprocess_behavior": "all"}`, 400, `reprocess_behavior "all" is not known`},
		{"POST", fills, `{"dag_id": "small", "from_date": "2026-01-01", "to_date": "2026-01-02", "max_active_runs": 0}`, 400, "at least 1"},
		{"POST", fills, `{"dag_id": "small", "from_date": "2026-01-01", "to_date": "2026-01-02", "dag_run_conf": [1]}`, 400, "dag_run_conf is not a JSON object"},
		{"POST", fills, `{"dag_id": "small", "from_date": "2025-06-01T00:00:00Z", "to_date": "2025-06-02", "colour": 1}`, 400, `unknown key "colour"`},
		{"POST", fills + "/dry_run", `{"dag_id": "small", "from_date": "2026-01-02", "to_date": "2026-01-01"}`, 400, "to_date is before from_date"},
		{"GET", fills, "", 404, "does not exist; there is small"},
		{"GET", fills + "/1", "", 404, "backfill 1 does not exist"},
		{"GET", fills + "/x", "", 400, `"x" is not the number of a backfill`},
		{"PUT", fills + "/1/cancel", "", 404, "backfill 1 does not exist"},
		{"GET", runs + "/nowhere", "", 404, "nowhere"},
		{"GET", runs + "/taken/taskInstances/nothing", "", 404, "nothing"},
		{"GET", runs + "/taken/taskInstances/count/logs/99", "", 404, "there is no try 99"},
		{"GET", runs + "/taken/taskInstances/count/tries/99", "", 404, "there is no try 99"},
		{"GET", runs + "/taken/taskInstances/count/xcomEntries/none", "", 404, "none"},
		{"GET", runs + "?limit=-1", "", 400, "limit=-1"},
		{"GET", runs + "?order_by=colour", "", 400, `"colour"`},
		{"GET", runs + "?start_date_gte=noon", "", 400, `start_date_gte "noon" is not a time`},
		{"GET", runs + "?conf_contains=x", "", 400, "conf_contains is not supported here"},
		{"PATCH", "/api/v2/dags/small", `{}`, 400, "lacks is_paused"},
		{"PATCH", "/api/v2/dags/small", `{"is_paused": "yes"}`, 400, "is_paused in the request body must not be of type string"},
		{"POST", "/api/v2/dags/small/clearTaskInstances", `{"dry_run": false}`, 400, "lacks dag_run_id"},
		{"POST", "/api/v2/dags/small/clearTaskInstances", `{"dag_run_id": "taken", "task_ids": ["z"]}`, 400, `no task "z"`},
		{"GET", "/api/v2/nothing", "", 404, "there is nothing at"},
	} {
		status, answer := s.call(t, c.method, c.path, c.body)
		require.Equal(t, c.status, status, "%s %s %s: %v", c.method, c.path, c.body, answer)
		require.Contains(t, answer["detail"], c.detail, "%s %s %s", c.method, c.path, c.body)
	}
	require.EqualValues(t, 1, s.get(t, runs)["total_entries"])
	require.EqualValues(t, 0, s.get(t, fills+"?dag_id=small")["total_entries"])
}

func TestASecondProcessOnTheSameDatabaseIsRefused(t *testing.T) {
	cfg := settings(t, t.TempDir())
	s := start(t, cfg)
	_, err := open(t.Context(), cfg, nil, slog.New(slog.DiscardHandler), nil, smallJob)
	require.ErrorContains(t, err, "another pipeline process already runs the tasks of this database")
	s.trigger(t, `{"dag_run_id": "a"}`)
	s.await(t, "a", "success")
}

func TestRunsSurviveARestart(t *testing.T) {
	cfg := settings(t, t.TempDir())
	t.Run("before", func(t *testing.T) {
		s := start(t, cfg)
		s.trigger(t, `{"dag_run_id": "a"}`)
		s.await(t, "a", "success")
	})
	s := start(t, cfg)
	require.Equal(t, "success", s.get(t, runs+"/a")["state"])
}

func TestMetricsAreCleanAndCount(t *testing.T) {
	db, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "pipeline.db"), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	store, err := dagrunstore.Open(t.Context(), db)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	j, err := smallJob(t.Context(), nil, nil)
	require.NoError(t, err)
	plan, err := dag.NewPlan(j.definition)
	require.NoError(t, err)
	require.NoError(t, store.EnsureDAG(t.Context(), "small"))
	_, err = store.Trigger(t.Context(), plan, dagrunstore.NewRun{ID: "a", Type: dag.Manual}, time.Now())
	require.NoError(t, err)

	registry := observability.NewRegistry(observability.ReadBuild())
	m := newMetrics(registry, plan, store, slog.New(slog.DiscardHandler))
	m.TaskEnded("small", "count", dag.StateSuccess, time.Second)
	m.RunEnded("small", dag.RunFailed, time.Minute)
	due := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	schedule, err := dag.ParseSchedule("@daily", "2026-01-01", "UTC", false)
	require.NoError(t, err)
	_, err = store.PlanSchedule(t.Context(), plan, schedule, due.Add(-time.Hour))
	require.NoError(t, err)
	registry.MustRegister(&scheduleCollector{
		store: store, dagID: "small", schedule: schedule, ticks: map[string]ticker{"scheduler": fixedTick(due)}, log: slog.New(slog.DiscardHandler),
	})
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	require.Empty(t, problems)
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP tasador_dag_last_run_timestamp_seconds When the last run in a final state ended; 0 if there is none.
# TYPE tasador_dag_last_run_timestamp_seconds gauge
tasador_dag_last_run_timestamp_seconds{dag_id="small",state="failed"} 0
tasador_dag_last_run_timestamp_seconds{dag_id="small",state="success"} 0
# HELP tasador_dag_next_run_timestamp_seconds When the next scheduled run is due; 0 without a schedule.
# TYPE tasador_dag_next_run_timestamp_seconds gauge
tasador_dag_next_run_timestamp_seconds{dag_id="small"} 1.7673120e+09
# HELP tasador_dag_paused 1 if the DAG is paused, else 0.
# TYPE tasador_dag_paused gauge
tasador_dag_paused{dag_id="small"} 0
# HELP tasador_dag_schedule_interval_seconds Time between the next two scheduled runs; 0 without a schedule.
# TYPE tasador_dag_schedule_interval_seconds gauge
tasador_dag_schedule_interval_seconds{dag_id="small"} 86400
# HELP tasador_scheduler_heartbeat_timestamp_seconds When the component last looked whether there is something to do; 0 before the first time.
# TYPE tasador_scheduler_heartbeat_timestamp_seconds gauge
tasador_scheduler_heartbeat_timestamp_seconds{component="scheduler"} 1.7673120e+09
`), "tasador_dag_last_run_timestamp_seconds", "tasador_dag_next_run_timestamp_seconds", "tasador_dag_paused", "tasador_dag_schedule_interval_seconds",
		"tasador_scheduler_heartbeat_timestamp_seconds"))
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP tasador_dag_runs DAG runs that are stored, by state.
# TYPE tasador_dag_runs gauge
tasador_dag_runs{dag_id="small",state="failed"} 0
tasador_dag_runs{dag_id="small",state="queued"} 1
tasador_dag_runs{dag_id="small",state="running"} 0
tasador_dag_runs{dag_id="small",state="success"} 0
`), "tasador_dag_runs"))
}

// fixedTick is something that looked once.
type fixedTick time.Time

func (f fixedTick) LastTick() time.Time { return time.Time(f) }
