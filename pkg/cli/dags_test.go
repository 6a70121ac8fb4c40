package cli_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"tasador/pkg/testkit"
)

// pipeline answers as Airflow's API v2 does: a run "r" whose task extract_data fails in its second try, when it is looked at for the second time.
func pipeline(t *testing.T) (url string, conf *atomic.Value) {
	t.Helper()
	conf = &atomic.Value{}
	var looks atomic.Int64
	mux := http.NewServeMux()
	say := func(w http.ResponseWriter, status int, body string) {
		w.WriteHeader(status)
		_, err := w.Write([]byte(body))
		require.NoError(t, err)
	}
	mux.HandleFunc("POST /api/v2/dags/{dag}/dagRuns", func(w http.ResponseWriter, r *http.Request) {
		var body map[string]json.RawMessage
		require.NoError(t, json.NewDecoder(r.Body).Decode(&body))
		conf.Store(string(body["conf"]))
		if r.PathValue("dag") != "d" {
			say(w, http.StatusNotFound, `{"detail": "the DAG `+r.PathValue("dag")+` does not exist; there is d"}`)
			return
		}
		say(w, http.StatusOK, `{"dag_run_id": "r", "state": "queued"}`)
	})
	mux.HandleFunc("GET /api/v2/dags/d/dagRuns/r", func(w http.ResponseWriter, _ *http.Request) {
		state := map[bool]string{true: "failed", false: "running"}[looks.Add(1) > 1]
		say(w, http.StatusOK, `{"dag_run_id": "r", "state": "`+state+`"}`)
	})
	mux.HandleFunc("GET /api/v2/dags/d/dagRuns/r/taskInstances", func(w http.ResponseWriter, _ *http.Request) {
		say(w, http.StatusOK, `{"task_instances": [
			{"task_id": "extract_data", "state": "failed", "try_number": 2, "duration": 1.5, "start_date": "2026-01-01T00:00:00Z", "end_date": "2026-01-01T00:00:01.5Z"},
			{"task_id": "end", "state": null, "try_number": 0}]}`)
	})
	mux.HandleFunc("GET /api/v2/dags/d/dagRuns/r/taskInstances/extract_data/logs/2", func(w http.ResponseWriter, _ *http.Request) {
		say(w, http.StatusOK, `{"content": [{"event": "begins"}, {"event": "The task failed: no source is configured", "level": "error"}], "continuation_token": null}`)
	})
	mux.HandleFunc("POST /api/v2/backfills/dry_run", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		conf.Store(string(b))
		say(w, http.StatusOK, `{"backfills": [{"logical_date": "2026-01-01T00:00:00Z"}, {"logical_date": "2026-01-02T00:00:00Z"}], "total_entries": 2}`)
	})
	mux.HandleFunc("POST /api/v2/backfills", func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		require.NoError(t, json.NewDecoder(r.Body).Decode(&body))
		if body["reprocess_behavior"] == "completed" {
			say(w, http.StatusConflict, `{"detail": "backfill 7 of the DAG d is still active"}`)
			return
		}
		say(w, http.StatusOK, `{"id": 7, "dag_id": "d", "completed_at": null}`)
	})
	mux.HandleFunc("GET /api/v2/backfills", func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "d", r.URL.Query().Get("dag_id"))
		say(w, http.StatusOK, `{"backfills": [{"id": 7, "dag_id": "d", "from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-02T00:00:00Z", "reprocess_behavior": "none",
			"created_at": "2026-02-01T00:00:00Z", "completed_at": null}], "total_entries": 1}`)
	})
	mux.HandleFunc("PUT /api/v2/backfills/7/cancel", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, `{"id": 7}`) })
	mux.HandleFunc("PATCH /api/v2/dags/d", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, `{}`) })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL, conf
}

func TestTriggerPrintsTheRunAndSendsItsConf(t *testing.T) {
	url, conf := pipeline(t)
	r := tasador(t, "dags", "trigger", "d", "--conf", `{"as_of": "2026-01-01"}`, "--pipeline-uri", url)
	require.Equal(t, 0, r.code, r.err)
	require.Equal(t, "r\n", r.out)
	require.JSONEq(t, `{"as_of": "2026-01-01"}`, conf.Load().(string))

	file := filepath.Join(t.TempDir(), "conf.json")
	require.NoError(t, os.WriteFile(file, []byte(" {\"gate\": {}}\n"), 0o600))
	t.Setenv("TASADOR_PIPELINE_URI", url)
	r = tasador(t, "dags", "trigger", "d", "--conf=@"+file)
	require.Equal(t, 0, r.code, r.err)
	require.JSONEq(t, `{"gate": {}}`, conf.Load().(string))
}

func TestWaitTellsWhichTaskFailedAndWhy(t *testing.T) {
	url, _ := pipeline(t)
	r := tasador(t, "dags", "trigger", "d", "--wait", "--pipeline-uri", url)
	require.Equal(t, 1, r.code)
	require.Equal(t, "r\n", r.out)
	lines := strings.Split(strings.TrimSpace(r.err), "\n")
	require.Contains(t, lines[0], "failed (try 2) after 1.50 s")
	require.Equal(t, "tasador: the DAG run r failed: the task extract_data failed: no source is configured", lines[len(lines)-1])
}

func TestStateShowsEveryTask(t *testing.T) {
	url, _ := pipeline(t)
	r := tasador(t, "dags", "state", "d", "r", "--pipeline-uri", url)
	require.Equal(t, 0, r.code, r.err)
	require.Regexp(t, `extract_data +failed +2 +2026-01-01T00:00:00Z +1.50 s`, r.out)
	require.Regexp(t, `end +none +0 +- +-`, r.out)
}

func TestDagsErrorsAreOneSentence(t *testing.T) {
	url, _ := pipeline(t)
	free := "http://" + testkit.FreeAddress(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"trigger", "d", "--pipeline-uri", free}, "no pipeline server answers at " + free},
		{[]string{"trigger", "other", "--pipeline-uri", url}, "the DAG other does not exist; there is d"},
		{[]string{"trigger", "d", "--conf", "[1]", "--pipeline-uri", url}, "--conf is not a JSON object"},
		{[]string{"trigger", "d", "--conf", "{", "--pipeline-uri", url}, "--conf is not a JSON object"},
		{[]string{"trigger", "d", "--conf", "@/nowhere.json", "--pipeline-uri", url}, "cannot read the file that --conf names"},
	} {
		r := tasador(t, append([]string{"dags"}, c.args...)...)
		require.Equal(t, 1, r.code, "%v", c.args)
		require.Contains(t, r.err, c.want)
		require.Equal(t, 1, strings.Count(strings.TrimSpace(r.err), "\n")+1, "one line: %s", r.err)
	}
	r := tasador(t, "dags", "pause", "d", "--pipeline-uri", url)
	require.Equal(t, "d is paused\n", r.out)
}

func TestABackfillIsLookedAtMadeListedAndCancelled(t *testing.T) {
	url, sent := pipeline(t)
	dates := []string{"dags", "backfill", "d", "--from-date", "2026-01-01", "--to-date", "2026-01-02", "--pipeline-uri", url}
	r := tasador(t, append(dates, "--dry-run", "--reprocess-behavior=failed", "--run-backwards", `--conf={"gate": {}}`)...)
	require.Equal(t, 0, r.code, r.err)
	require.Equal(t, "2026-01-01T00:00:00Z\n2026-01-02T00:00:00Z\n", r.out)
	require.Contains(t, r.err, "2 runs would be queued; nothing has changed")
	require.JSONEq(t, `{"dag_id": "d", "from_date": "2026-01-01", "to_date": "2026-01-02", "reprocess_behavior": "failed", "run_backwards": true, "dag_run_conf": {"gate": {}}}`, sent.Load().(string))

	r = tasador(t, dates...)
	require.Equal(t, 0, r.code, r.err)
	require.Contains(t, r.out, "backfill 7 is active")
	r = tasador(t, append(dates, "--reprocess-behavior=completed")...)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, "backfill 7 of the DAG d is still active")
	r = tasador(t, "dags", "backfill", "list", "d", "--pipeline-uri", url)
	require.Equal(t, 0, r.code, r.err)
	require.Regexp(t, `7 +2026-01-01T00:00:00Z +2026-01-02T00:00:00Z +none +2026-02-01T00:00:00Z +-`, r.out)
	r = tasador(t, "dags", "backfill", "cancel", "7", "--pipeline-uri", url)
	require.Equal(t, 0, r.code, r.err)
	require.Contains(t, r.out, "backfill 7 is cancelled")
}
