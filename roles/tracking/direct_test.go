package tracking_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
	"tasador/pkg/testkit/s3test"
)

const proxyAPI = "/api/2.0/mlflow-artifacts"

func (s server) info(t *testing.T) (info map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(s.call(t, "GET", "/api/3.0/mlflow/server-info", "", "").body), &info))
	return info
}

// TestFoldersAreNotDirect: clients know the sentences and move files through the server.
func TestFoldersAreNotDirect(t *testing.T) {
	s := start(t)
	require.Equal(t, false, s.info(t)["multipart_uploads_enabled"])
	require.Equal(t, false, s.info(t)["multipart_downloads_enabled"])
	requireNotDirect(t, s)
}

func requireNotDirect(t *testing.T, s server) {
	t.Helper()
	for _, call := range []string{"POST mpu/create/d", "POST mpu/complete/d", "POST mpu/abort/d", "GET presigned/d/f"} {
		method, path, _ := strings.Cut(call, " ")
		got := s.call(t, method, proxyAPI+"/"+path, "application/json", `{"path":"f","num_parts":1,"upload_id":"x","parts":[{"part_number":1,"etag":"e"}]}`)
		require.Equal(t, http.StatusNotImplemented, got.status, got.body)
		require.Equal(t, "NOT_IMPLEMENTED", got.code)
		if method == "POST" {
			require.True(t, strings.HasPrefix(got.text, "Multipart upload is not supported for the current artifact repository"), got.text)
		}
	}
}

func TestProxyOnly(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the S3 server that make test builds")
	}
	remote := s3test.Start(t)
	remote.SetEnv(t)
	remote.MakeBucket(t, "mlflows3")
	cfg := newConfig(t)
	cfg.Artifacts.URL, cfg.Artifacts.Endpoint, cfg.Artifacts.ProxyOnly = "s3://mlflows3", remote.Endpoint, true
	s := startWith(t, cfg)
	require.Equal(t, false, s.info(t)["multipart_downloads_enabled"])
	requireNotDirect(t, s)
	require.NoError(t, s.client().PutArtifact(t.Context(), "mlflow-artifacts:/0", "f", strings.NewReader("x")))
	require.Equal(t, []byte("x"), remote.Get(t, "mlflows3", "0/f"))
}

// TestDirectUpload does what MLflow's clients do for large files: they send the parts to the S3 server.
func TestDirectUpload(t *testing.T) {
	s, remote := startS3(t)
	require.Equal(t, true, s.info(t)["multipart_uploads_enabled"])
	require.Equal(t, true, s.info(t)["multipart_downloads_enabled"])
	for _, local := range []string{"f.bin", "/tmp/deep/f.bin", `C:\\Users\\ana\\f.bin`} { // as the client has the file; only its name counts
		content := []byte("content of " + local)
		var made struct {
			UploadID    string `json:"upload_id"`
			Credentials []struct {
				URL    string            `json:"url"`
				Number int               `json:"part_number"`
				Header map[string]string `json:"headers"`
			} `json:"credentials"`
		}
		got := s.call(t, "POST", proxyAPI+"/mpu/create/1/run/artifacts", "application/json", `{"path":"`+local+`","num_parts":1}`)
		require.NoError(t, json.Unmarshal([]byte(got.body), &made), got.body)
		require.Len(t, made.Credentials, 1)
		require.Equal(t, 1, made.Credentials[0].Number)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, made.Credentials[0].URL, strings.NewReader(string(content)))
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
		etag, err := json.Marshal(resp.Header.Get("ETag"))
		require.NoError(t, err)
		body := `{"path":"` + local + `","upload_id":"` + made.UploadID + `","parts":[{"part_number":1,"etag":` + string(etag) + `,"url":""}]}`
		got = s.call(t, "POST", proxyAPI+"/mpu/complete/1/run/artifacts", "application/json", body)
		require.Equal(t, http.StatusOK, got.status, got.body)
		require.JSONEq(t, `{}`, got.body)
		require.Equal(t, content, remote.Get(t, "mlflows3", "artifacts/1/run/artifacts/f.bin"))
		got = s.call(t, "POST", proxyAPI+"/mpu/abort/1/run/artifacts", "application/json", body)
		require.Equal(t, http.StatusNotFound, got.status, got.body)
		require.Equal(t, content, remote.Get(t, "mlflows3", "artifacts/1/run/artifacts/f.bin"))
	}
	for _, bad := range []string{
		`{}`, `{"path":""}`, `{"path":"a/"}`, `{"path":".."}`, `{"path":"%2e%2e"}`, `{"path":"f","num_parts":0}`, `{"path":"f","num_parts":10001}`,
		`{"path":"f","num_parts":-1}`, `{"path":"f","num_parts":"many"}`, `{"path":1}`, `{"path":"f","num_parts":9e18}`, `{"path":"a#b"}`,
	} {
		got := s.call(t, "POST", proxyAPI+"/mpu/create/d", "application/json", bad)
		require.Equal(t, http.StatusBadRequest, got.status, "%s: %s", bad, got.body)
		require.Equal(t, "INVALID_PARAMETER_VALUE", got.code)
	}
	for _, bad := range []string{
		`{"path":"f","parts":[{"part_number":1,"etag":"e"}]}`, `{"path":"f","upload_id":"x"}`, `{"path":"f","upload_id":"x","parts":[]}`,
		`{"path":"f","upload_id":"x","parts":"x"}`, `{"path":"f","upload_id":"x","parts":[{"part_number":0,"etag":"e"}]}`,
		`{"path":"f","upload_id":"../x","parts":[{"part_number":1,"etag":"e"}]}`,
	} {
		got := s.call(t, "POST", proxyAPI+"/mpu/complete/d", "application/json", bad)
		require.Equal(t, http.StatusBadRequest, got.status, "%s: %s", bad, got.body)
	}
	got := s.call(t, "GET", proxyAPI+"/presigned/1/none", "", "")
	require.Equal(t, http.StatusNotFound, got.status, got.body)
	require.Equal(t, "No such artifact: 1/none", got.text)
}

// TestPythonClientOnS3 keeps a file that is large enough to go in parts, and a model. What the client sends to the S3 server passes a proxy
// that counts.
func TestPythonClientOnS3(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	remote := s3test.Start(t)
	remote.SetEnv(t)
	remote.MakeBucket(t, "mlflows3")
	target, err := url.Parse(remote.Endpoint)
	require.NoError(t, err)
	var mu sync.Mutex
	seen := map[string]int{}
	counter := httptest.NewServer(testkit.FullDuplex(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		if r.In.URL.Query().Has("X-Amz-Signature") {
			mu.Lock()
			seen[r.In.Method]++
			mu.Unlock()
		}
	}}))
	t.Cleanup(counter.Close)
	cfg := newConfig(t)
	cfg.Artifacts.URL, cfg.Artifacts.Endpoint = "s3://mlflows3/artifacts", counter.URL
	s := startWith(t, cfg)
	t.Setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "6000000")
	t.Setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", "5242880")
	t.Setenv("MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE", "5242880")
	t.Setenv("MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE", "6000000")
	made := keepFromPython(t, s.uri, "12000000")
	sum := sha256.Sum256(remote.Get(t, "mlflows3", strings.Replace(made.ArtifactURI, "mlflow-artifacts:", "artifacts", 1)+"/large.bin"))
	require.Equal(t, made.SHA256, hex.EncodeToString(sum[:]))
	require.Equal(t, 3, seen[http.MethodPut], "three parts of 12 MB")
	require.GreaterOrEqual(t, seen[http.MethodGet], 3, "and as many ranges down")
}
