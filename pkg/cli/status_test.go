package cli_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// readyz answers as every role's /readyz does.
func readyz(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "/readyz", r.URL.Path)
		w.WriteHeader(status)
		_, err := w.Write([]byte(body))
		require.NoError(t, err)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestStatusSaysWhatIsMissingWhere(t *testing.T) {
	tracking := readyz(t, http.StatusOK, `{"status": "ready", "role": "tracking", "parts": {"database": "ok"}}`)
	serving := readyz(t, http.StatusServiceUnavailable, `{"status": "not ready", "role": "serving", "parts": {"model": "no version is in Production yet", "predictions": "ok"}}`)

	r := tasador(t, "status", "--tracking-uri", tracking, "--serving-uri", serving, "--pipeline-uri=-")
	require.Equal(t, 1, r.code)
	require.Regexp(t, `(?m)^tracking +http://\S+ +ready +database +ok$`, r.out)
	require.Regexp(t, `(?m)^serving +http://\S+ +not ready +model +no version is in Production yet$`, r.out)
	require.NotContains(t, r.out, "pipeline")
	require.Equal(t, "tasador: serving: not ready; the table says why\n", r.err)

	require.Zero(t, tasador(t, "status", "--tracking-uri", tracking, "--serving-uri=-", "--pipeline-uri=-").code)
}

func TestStatusNamesAServerThatIsAwayOrAnother(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	other := readyz(t, http.StatusOK, `{"status": "ready", "role": "tracking", "parts": {}}`)
	r := tasador(t, "status", "--pipeline-uri", gone.URL, "--serving-uri", other, "--tracking-uri=-")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.out, "it does not answer; start it with tasador --role=pipeline")
	require.Contains(t, r.out, "something else than this role answers there")
}
