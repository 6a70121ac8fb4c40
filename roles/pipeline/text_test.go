package pipeline

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/testkit"
)

// onEachDatabase starts the role on each engine that DAG runs can be kept in.
func onEachDatabase(t *testing.T, test func(t *testing.T, cfg *config.Config)) {
	for _, engine := range []string{testkit.SQLiteEngine, testkit.PostgresEngine} {
		t.Run(engine, func(t *testing.T) {
			cfg := settings(t, t.TempDir())
			if engine == testkit.PostgresEngine {
				if testing.Short() {
					t.Skip("needs a server")
				}
				cfg.Pipeline.DB = testkit.StartPostgres(t).NewDatabase(t)
			}
			test(t, cfg)
		})
	}
}

// status sends a request and returns what is answered, whatever form it has.
func (s *server) status(t *testing.T, method, path, kind, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", kind)
	res, err := s.client.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(answer)
}

// TestTextsThatNoDatabaseTakesAreRefused: PostgreSQL takes no NUL and only UTF-8. Whoever sends something else is told so, or that there is no such thing.
func TestTextsThatNoDatabaseTakesAreRefused(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, cfg *config.Config) {
		s := start(t, cfg)
		s.trigger(t, `{"dag_run_id": "r"}`)
		s.await(t, "r", "success")
		const run, task = runs + "/r", runs + "/r/taskInstances/count"
		for _, bad := range []string{"%00", "a%00b", "%ff", "%ed%a0%80"} {
			for _, path := range []string{
				runs + "/" + bad, runs + "/" + bad + "/taskInstances", run + "/taskInstances/" + bad, run + "/taskInstances/" + bad + "/tries",
				run + "/taskInstances/" + bad + "/logs/1", task + "/xcomEntries/" + bad, "/api/v2/dags/" + bad, "/api/v2/dags/small/tasks/" + bad,
				"/dags/" + bad, "/dags/small?run=" + bad, "/dags/small/runs/" + bad, "/dags/small/runs/r/tasks/" + bad, "/dags/small/events?run=" + bad,
				"/dags/small/events?run=r&try=1&task=" + bad,
			} {
				status, answer := s.status(t, http.MethodGet, path, "", "")
				require.True(t, status >= 400 && status < 500, "%s: %d %s", path, status, answer)
			}
			for _, filter := range []string{"state", "run_type"} {
				status, answer := s.status(t, http.MethodGet, runs+"?"+filter+"="+bad, "", "")
				require.Equal(t, http.StatusOK, status, answer)
				require.Contains(t, answer, `"total_entries":0`)
			}
			raw, err := url.PathUnescape(bad)
			require.NoError(t, err)
			for _, form := range []url.Values{{"run_id": {raw}}, {"conf": {`{"a":"` + raw + `"}`}}} {
				status, answer := s.status(t, http.MethodPost, "/dags/small", "application/x-www-form-urlencoded", form.Encode())
				require.Equal(t, http.StatusUnprocessableEntity, status, answer)
			}
		}
		for _, body := range []string{
			`{"dag_run_id": "a\u0000b"}`, `{"note": "a\u0000b"}`, "{\"conf\": {\"a\": \"\xff\"}}",
		} {
			status, answer := s.status(t, http.MethodPost, runs, "application/json", body)
			require.Equal(t, http.StatusBadRequest, status, "%s: %s", body, answer)
		}
		status, answer := s.status(t, http.MethodPost, "/api/v2/dags/small/clearTaskInstances", "application/json", `{"dag_run_id": "a\u0000b", "task_ids": ["count"]}`)
		require.Equal(t, http.StatusNotFound, status, answer)
		_, total := s.call(t, http.MethodGet, runs, "")
		require.EqualValues(t, 1, total["total_entries"], "nothing was stored")

		// Escaped in JSON, a NUL is a text like any other, which comes back as it was sent.
		s.trigger(t, `{"dag_run_id": "escaped", "conf": {"a": "x\u0000y"}}`)
		require.Equal(t, map[string]any{"a": "x\x00y"}, s.get(t, runs+"/escaped")["conf"])
	})
}

// TestAnotherPipelineOnTheSameDatabaseIsRefused, wherever it runs: the folders differ.
func TestAnotherPipelineOnTheSameDatabaseIsRefused(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, cfg *config.Config) {
		start(t, cfg)
		other := *cfg
		other.DataDir = filepath.Join(t.TempDir(), "elsewhere")
		ln := testkit.Listen(t)
		defer func() { require.NoError(t, ln.Close()) }()
		_, err := open(t.Context(), &other, ln, slog.New(slog.DiscardHandler), nil, smallJob)
		require.ErrorContains(t, err, "another pipeline process already runs the tasks of this database")
	})
}
