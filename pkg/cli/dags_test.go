package cli_test

import (
	"encoding/json"
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
