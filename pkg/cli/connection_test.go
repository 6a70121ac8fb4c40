package cli_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// guardedPipeline is a pipeline server that wants a token, as Airflow's API answers.
func guardedPipeline(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Authorization") {
		case "Bearer tsd_editor":
			_, _ = w.Write([]byte(`{"dag_runs": [], "dag_run_id": "x"}`)) // the test would see
		case "Bearer tsd_viewer":
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"detail": "eve is a viewer"}`))
		default:
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"detail": "Not authenticated"}`))
		}
	}))
	t.Cleanup(s.Close)
	return "--pipeline-uri=" + s.URL
}

func TestCommandsShowAToken(t *testing.T) {
	at := guardedPipeline(t)
	r := tasador(t, "dags", "runs", "x", at)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, "does not know who asks; make a token there with tasador token create, and give it with --auth.token-file or TASADOR_AUTH_TOKEN")
	r = tasador(t, "dags", "trigger", "x", at, "--auth.token=tsd_viewer")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err, "eve is a viewer; for more, give the token of another user")

	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("tsd_editor\n"), 0o600))
	r = tasador(t, "dags", "runs", "x", at, "--auth.token-file="+file)
	require.Equal(t, 0, r.code, r.err)
	t.Setenv("TASADOR_AUTH_TOKEN", "tsd_editor")
	require.Equal(t, 0, tasador(t, "dags", "trigger", "x", at).code)

	r = tasador(t, "dags", "runs", "x", at, "--auth.token-file="+file)
	require.NotZero(t, r.code)
	require.Contains(t, r.err, "are both given; give one of them")
	t.Setenv("TASADOR_AUTH_TOKEN", "not one")
	require.Contains(t, tasador(t, "status").err, "--auth.token is no token")
}

func TestTokensAndPasswordsAreMasked(t *testing.T) {
	t.Setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
	t.Setenv("TASADOR_AUTH_TOKEN", "hunter2")
	r := tasador(t, "config", "print", "--tracking.token=hunter2", "--tracking.username=ana")
	require.Equal(t, 0, r.code, r.err)
	require.NotContains(t, r.out, "hunter2")
	for _, line := range []string{`auth.token: "xxxxx"`, `tracking.password: "xxxxx"`, `tracking.token: "xxxxx"`, `tracking.username: "ana"`} {
		require.Contains(t, r.out, line+"\n")
	}
}
