package cli_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestImportMLflowSaysWhatIsWrong(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "there is nothing at POST /below"}`)) // the test would see
	}))
	t.Cleanup(elsewhere.Close)
	closed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, password, _ := r.BasicAuth(); name != "ana" || password != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(closed.Close)
	folder := filepath.Join(t.TempDir(), "data")
	for says, args := range map[string][]string{
		"missing flags: --from=URL": {},
		`the address "here" of the MLflow server is not understood; write it as http://host:port`: {"--from=here"},
		"--parallel=0 is not from 1 to 64":                                            {"--from=" + other.URL, "--parallel=0"},
		"answered 404 Not Found; check that the address is that of a tracking server": {"--from=" + other.URL},
		elsewhere.URL + "/below is not the address of a tracking server":              {"--from=" + elsewhere.URL + "/below"},
		"does not know who asks; give a token that tasador token create makes there":  {"--from=" + closed.URL},
	} {
		r := tasador(t, append([]string{"import-mlflow", "--data-dir=" + folder}, args...)...)
		require.NotEqual(t, 0, r.code)
		require.Contains(t, r.err, says)
		require.NoDirExists(t, folder, "nothing is made before the server has answered")
	}
	t.Setenv("MLFLOW_TRACKING_USERNAME", "ana")
	t.Setenv("MLFLOW_TRACKING_PASSWORD", "s3cret")
	require.Contains(t, tasador(t, "import-mlflow", "--from="+closed.URL, "--data-dir="+folder).err, "forbids it to whom it takes us for")
}
