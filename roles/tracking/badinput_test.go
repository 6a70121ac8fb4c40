package tracking_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
)

type answer struct {
	status int
	body   string
	header http.Header
	code   string
	text   string
}

// call sends a request as it stands: the path is not cleaned on the way.
func (s server) call(t *testing.T, method, path, contentType, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.uri, strings.NewReader(body))
	require.NoError(t, err)
	opaque, query, _ := strings.Cut(path, "?")
	req.URL.Opaque, req.URL.RawQuery = strings.TrimPrefix(s.uri, "http:")+opaque, query
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	return readAnswer(t, resp)
}

func readAnswer(t *testing.T, resp *http.Response) answer {
	t.Helper()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	a := answer{status: resp.StatusCode, body: string(text), header: resp.Header}
	var e struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &e) == nil {
		a.code, a.text = e.Code, e.Message
	}
	return a
}

func (s server) post(t *testing.T, path, body string) answer {
	t.Helper()
	return s.call(t, http.MethodPost, "/api/2.0/mlflow/"+path, "application/json", body)
}

// TestBadInputIsRefused sends what clients should not send: always a 4xx in MLflow's shape, and nothing changes.
func TestBadInputIsRefused(t *testing.T) { onEach(t, testBadInputIsRefused) }

func testBadInputIsRefused(t *testing.T, s server) {
	client := s.client()
	run, err := client.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	_, err = client.CreateModel(t.Context(), "model", "", nil)
	require.NoError(t, err)
	huge := strings.Repeat("x", 10<<20)
	id := `"run_id":"` + run.ID + `"`
	for _, test := range []struct{ path, body string }{
		{"experiments/create", `{"name":"` + huge + `"}`},
		{"experiments/create", `{"name":"` + strings.Repeat("x", 501) + `"}`},
		{"experiments/create", `{"name":12}`},
		{"experiments/create", "{\"name\":\"a\xff\"}"},
		{"experiments/create", `{"name":["a"]}`},
		{"experiments/create", `{"name":""}`},
		{"experiments/create", `{"name":"a\u0000b"}`},
		{"experiments/create", `"{\"name\":\"a\\u0000b\"}"`},
		{"experiments/create", `{"name":"a","tags":[{"key":"k","value":"\u0000"}]}`},
		{"runs/log-parameter", `{` + id + `,"key":"p","value":"\u0000"}`},
		{"runs/search", `{"experiment_ids":["0"],"filter":"tags.x = '\u0000'"}`},
		{"experiments/create", `{}`},
		{"experiments/create", ``},
		{"experiments/create", `[]`},
		{"experiments/create", `null`},
		{"experiments/create", `{"name":`},
		{"experiments/create", `<html>`},
		{"experiments/create", `{"name":"a","tags":{"k":"v"}}`},
		{"experiments/create", `{"name":"a","tags":["k"]}`},
		{"experiments/create", `{"name":"a","tags":[{"value":"v"}]}`},
		{"experiments/create", `{"name":"a","artifact_location":"mlflow-artifacts:/../x"}`},
		{"experiments/create", `{"name":"a","artifact_location":"http://elsewhere/x"}`},
		{"experiments/create", `{"name":"a","artifact_location":"mlflow-artifacts:/` + strings.Repeat("x", 2048) + `"}`},
		{"runs/create", `{"experiment_id":"abc"}`},
		{"runs/create", `{"experiment_id":"9999999999999999999999"}`},
		{"runs/create", `{"experiment_id":"0","start_time":"soon"}`},
		{"runs/create", `{"experiment_id":"0","start_time":-1}`},
		{"runs/update", `{` + id + `,"status":"DONE"}`},
		{"runs/update", `{` + id + `,"end_time":1e400}`},
		{"runs/log-metric", `{` + id + `,"key":"m","value":"much","timestamp":1}`},
		{"runs/log-metric", `{` + id + `,"key":"m","value":true,"timestamp":1}`},
		{"runs/log-metric", `{` + id + `,"key":"m","value":1e999,"timestamp":1}`},
		{"runs/log-metric", `{` + id + `,"key":"m","value":"0x10","timestamp":1}`},
		{"runs/log-metric", `{` + id + `,"key":"m","value":1}`},
		{"runs/log-metric", `{` + id + `,"key":"m","value":1,"timestamp":-5}`},
		{"runs/log-metric", `{` + id + `,"key":"m","value":1,"timestamp":1.5}`},
		{"runs/log-metric", `{` + id + `,"value":1,"timestamp":1}`},
		{"runs/log-metric", `{"run_id":"../../etc","key":"m","value":1,"timestamp":1}`},
		{"runs/log-parameter", `{` + id + `,"key":"../up","value":"v"}`},
		{"runs/log-batch", `{` + id + `,"metrics":[{"key":"good","value":1,"timestamp":1},{"key":"m","value":{},"timestamp":1}]}`},
		{"runs/log-batch", `{` + id + `,"metrics":[{"key":"good","value":1,"timestamp":1},{"key":"m","timestamp":1}]}`},
		{"runs/log-batch", `{` + id + `,"metrics":{"key":"m"}}`},
		{"runs/log-batch", `{` + id + `,"tags":[null]}`},
		{"runs/log-batch", `{` + id + `,"params":[{"key":"p","value":1}]}`},
		{"runs/search", `{"experiment_ids":"0"}`},
		{"runs/search", `{"experiment_ids":["0"],"max_results":0}`},
		{"runs/search", `{"experiment_ids":["0"],"max_results":50001}`},
		{"runs/search", `{"experiment_ids":["0"],"max_results":"many"}`},
		{"runs/search", `{"experiment_ids":["0"],"filter":"tags.x = '` + strings.Repeat("x", 100_000) + `'"}`},
		{"runs/search", `{"experiment_ids":["0"],"filter":"` + strings.Repeat("(", 5000) + `"}`},
		{"runs/search", `{"experiment_ids":["0"],"filter":"tags.a = 'b' tags.c = 'd'"}`},
		{"runs/search", `{"experiment_ids":["0"],"order_by":"start_time"}`},
		{"runs/search", `{"experiment_ids":["0"],"order_by":["start_time","start_time DESC"]}`},
		{"runs/search", `{"experiment_ids":["0"],"page_token":"eyJvZmZzZXQiOiAtNX0="}`},
		{"runs/search", `{"experiment_ids":["0"],"run_view_type":"SOME"}`},
		{"registered-models/create", `{"name":"a/../b"}`},
		{"registered-models/create", `{"name":"` + strings.Repeat("n", 100_000) + `"}`},
		{"registered-models/get-latest-versions", `{"name":"model","stages":["Nowhere"]}`},
		{"model-versions/create", `{"name":"model","source":"file:///etc/passwd"}`},
		{"model-versions/create", `{"name":"model","source":"file://../../etc"}`},
		{"model-versions/create", `{"name":"model","source":"/etc/passwd","run_id":"` + run.ID + `"}`},
		{"model-versions/create", `{"name":"model","source":"` + run.ArtifactURI + `/%2e%2e/x","run_id":"` + run.ID + `"}`},
		{"model-versions/create", `{"name":"model","source":"https://elsewhere/x"}`},
		{"model-versions/transition-stage", `{"name":"model","version":"1.5","stage":"Production"}`},
		{"model-versions/transition-stage", `{"name":"model","version":"1","stage":"Archived","archive_existing_versions":true}`},
		{"model-versions/transition-stage", `{"name":"model","version":"1","stage":"Production","archive_existing_versions":"perhaps"}`},
		{"logged-models", `{"experiment_id":"0","name":"a/b"}`},
		{"logged-models/search", `{"experiment_ids":["0"],"order_by":[{"field_name":"colour"}]}`},
	} {
		got := s.post(t, test.path, test.body)
		shown := fmt.Sprintf("%s %.100s: %d %.300s", test.path, test.body, got.status, got.body)
		require.Equal(t, http.StatusBadRequest, got.status, shown)
		require.Equal(t, "INVALID_PARAMETER_VALUE", got.code, shown)
		require.NotEmpty(t, got.text, shown)
		require.Less(t, len(got.body), 5000, "the answer repeats what was sent")
	}
	after, err := client.Run(t.Context(), run.ID)
	require.NoError(t, err)
	require.Empty(t, after.Metrics)
	require.Empty(t, after.Params)
	require.Equal(t, experiment.Running, after.Status)
	model, err := client.Model(t.Context(), "model")
	require.NoError(t, err)
	require.Empty(t, model.LatestVersions)
	page, err := client.SearchExperiments(t.Context(), experiment.Search{View: experiment.All})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
}

func TestMLflowErrorShapes(t *testing.T) {
	s := start(t)
	for _, test := range []struct {
		method, path, contentType, body string
		status                          int
		code                            string
	}{
		{"GET", "/api/2.0/mlflow/nothing/here", "", "", 404, "ENDPOINT_NOT_FOUND"},
		{"POST", "/api/2.0/mlflow/traces", "application/json", "{}", 404, "ENDPOINT_NOT_FOUND"},
		{"GET", "/api/2.0/mlflow/runs/create", "", "", 405, "BAD_REQUEST"},
		{"GET", "/api/2.0/mlflow/runs/get?run_id=0123", "", "", 404, "RESOURCE_DOES_NOT_EXIST"},
		{"GET", "/api/2.0/mlflow/runs/get", "", "", 400, "INVALID_PARAMETER_VALUE"},
		{"GET", "/api/2.0/mlflow/experiments/get-by-name?experiment_name=none", "", "", 404, "RESOURCE_DOES_NOT_EXIST"},
		{"POST", "/api/2.0/mlflow/experiments/create", "text/plain", `{"name":"a"}`, 400, "INVALID_PARAMETER_VALUE"},
		{"POST", "/api/2.0/mlflow/experiments/create", "", `{"name":"a"}`, 400, "INVALID_PARAMETER_VALUE"},
		{"POST", "/api/2.0/mlflow/experiments/create", "application/json", `{"name":"Default"}`, 400, "RESOURCE_ALREADY_EXISTS"},
		{"POST", "/api/2.0/mlflow-artifacts/mpu/create/x", "application/json", `{}`, 501, "NOT_IMPLEMENTED"},
		{"DELETE", "/api/2.0/mlflow/registered-models/delete", "", `{"name":"none"}`, 404, "RESOURCE_DOES_NOT_EXIST"},
		{"PATCH", "/api/2.0/mlflow/registered-models/update", "", `{"name":"none"}`, 404, "RESOURCE_DOES_NOT_EXIST"},
	} {
		got := s.call(t, test.method, test.path, test.contentType, test.body)
		require.Equal(t, test.status, got.status, "%s %s: %s", test.method, test.path, got.body)
		require.Equal(t, test.code, got.code, "%s %s: %s", test.method, test.path, got.body)
		require.NotEmpty(t, got.text)
	}
	require.Equal(t, "OK", s.call(t, "GET", "/health", "", "").body)
	require.Regexp(t, `^\d+\.\d+\.\d+$`, s.call(t, "GET", "/version", "", "").body)
	for _, prefix := range []string{"/api", "/ajax-api"} {
		var info map[string]any
		require.NoError(t, json.Unmarshal([]byte(s.call(t, "GET", prefix+"/3.0/mlflow/server-info", "", "").body), &info))
		require.Equal(t, "SqlStore", info["store_type"])
		require.Equal(t, false, info["multipart_downloads_enabled"])
		require.Equal(t, http.StatusOK, s.call(t, "GET", prefix+"/2.0/mlflow/experiments/get?experiment_id=0", "", "").status)
	}
	// A JSON text that holds the object, as old clients send it; and an empty search is an empty object.
	require.Equal(t, http.StatusOK, s.post(t, "experiments/create", `"{\"name\":\"twice\"}"`).status)
	require.JSONEq(t, `{}`, s.post(t, "runs/search", `{"experiment_ids":[0]}`).body)
}

// TestTextsThatNoDatabaseKeeps are refused alike whatever the database is; those that only look like them are kept.
func TestTextsThatNoDatabaseKeeps(t *testing.T) {
	onEach(t, func(t *testing.T, s server) {
		for _, path := range []string{
			"/api/2.0/mlflow/experiments/get-by-name?experiment_name=a%00", "/api/2.0/mlflow/experiments/get-by-name?experiment_name=%ff",
			"/api/2.0/mlflow/registered-models/search?filter=name%20%3D%20'%00'", "/api/2.0/mlflow/logged-models/%00",
			"/model-versions/get-artifact?name=%00&version=1&path=x", "/models/a%00b", "/experiments/0?filter=%00",
		} {
			require.Equal(t, http.StatusBadRequest, s.call(t, "GET", path, "", "").status, path)
		}
		require.Equal(t, http.StatusOK, s.post(t, "experiments/create", `{"name":"a\\u0000b"}`).status)
		got := s.call(t, "GET", `/api/2.0/mlflow/experiments/get-by-name?experiment_name=a%5cu0000b`, "", "")
		require.Equal(t, http.StatusOK, got.status, got.body)
	})
}

func TestArtifactPathsStayInside(t *testing.T) {
	s := start(t)
	root := strings.TrimPrefix(s.cfg.Artifacts.URL, "file:")
	secret := filepath.Join(s.cfg.DataDir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("secret"), 0o600))
	require.NoError(t, os.Symlink(secret, filepath.Join(root, "link")))
	require.NoError(t, os.Symlink(s.cfg.DataDir, filepath.Join(root, "linked")))
	const proxy = "/api/2.0/mlflow-artifacts/artifacts"
	for _, path := range []string{
		"/../secret", "/%2e%2e/secret", "/%2E%2E%2Fsecret", "/%252e%252e/secret", "/%252e%252e%252fsecret", "/%25252e%25252e/secret",
		"/a/../../secret", "/..%5csecret", "/a%00b", "/C:%5cWindows", "/%5c%5chost%5cshare", "//etc/passwd", "/%2fetc/passwd", "/a%23b",
		"/link", "/linked/secret", "/.uploads/x", "/a%0ab", "/" + strings.Repeat("n", 300), "/" + strings.Repeat("n/", 3000) + "x",
	} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			got := s.call(t, method, proxy+path, "", "overwritten")
			if path == "/link" && method != "GET" {
				continue // replacing or removing the link itself stays inside
			}
			require.GreaterOrEqual(t, got.status, 400, "%s %s: %s", method, path, got.body)
			require.Less(t, got.status, 500, "%s %s: %s", method, path, got.body)
			require.NotContains(t, got.body, "\"secret\"")
		}
		got := s.call(t, "GET", proxy+"?path="+strings.ReplaceAll(strings.TrimPrefix(path, "/"), "#", "%23"), "", "")
		require.NotContains(t, got.body, "tracking.db", path)
	}
	text, err := os.ReadFile(secret)
	require.NoError(t, err)
	require.Equal(t, "secret", string(text))
	require.FileExists(t, filepath.Join(s.cfg.DataDir, "tracking.db"))
	uploads, err := os.ReadDir(filepath.Join(root, ".uploads"))
	require.NoError(t, err)
	require.Empty(t, uploads)
}

// TestCutOffUpload goes away in the middle of a file: it is not stored, and what was there before stays.
func TestCutOffUpload(t *testing.T) {
	s := start(t)
	client := s.client()
	require.NoError(t, client.PutArtifact(t.Context(), "mlflow-artifacts:/0", "model.onnx", strings.NewReader("whole")))
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.uri, "http://"))
	require.NoError(t, err)
	_, err = io.WriteString(connection, "PUT /api/2.0/mlflow-artifacts/artifacts/0/model.onnx HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nhalf")
	require.NoError(t, err)
	require.NoError(t, connection.(*net.TCPConn).CloseWrite())
	text, err := io.ReadAll(connection)
	require.NoError(t, err)
	require.NoError(t, connection.Close())
	require.Contains(t, string(text), "400 Bad Request")
	require.Contains(t, string(text), "broke off")
	body, _, err := client.OpenArtifact(t.Context(), "mlflow-artifacts:/0", "model.onnx")
	require.NoError(t, err)
	kept, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, "whole", string(kept))
}

func TestDownloadsAreAttachments(t *testing.T) {
	s := start(t)
	client := s.client()
	run, err := client.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	require.NoError(t, client.PutArtifact(t.Context(), run.ArtifactURI, "páge.html", strings.NewReader("<script>1</script>")))
	got := s.call(t, "GET", "/get-artifact?run_id="+run.ID+"&path=p%C3%A1ge.html", "", "")
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
	require.Equal(t, "application/octet-stream", got.header.Get("Content-Type"))
	require.True(t, strings.HasPrefix(got.header.Get("Content-Disposition"), "attachment"), got.header)
	for _, path := range []string{"../../secret", "%252e%252e/x", "", "/etc/passwd"} {
		got := s.call(t, "GET", "/get-artifact?run_id="+run.ID+"&path="+path, "", "")
		require.Equal(t, http.StatusBadRequest, got.status, path)
	}
	listed := s.call(t, "GET", "/api/2.0/mlflow/artifacts/list?run_id="+run.ID, "", "")
	require.JSONEq(t, `{"root_uri":"`+run.ArtifactURI+`","files":[{"path":"páge.html","is_dir":false,"file_size":18}]}`, listed.body)
}

// TestConcurrentBatches logs from several clients at once: every batch is taken, and no client hears of the database's locks.
func TestConcurrentBatches(t *testing.T) { onEach(t, testConcurrentBatches) }

func testConcurrentBatches(t *testing.T, s server) {
	client := s.client()
	const clients, batches = 8, 25
	run, err := client.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	var wg sync.WaitGroup
	errs := make(chan error, clients*batches)
	for c := range clients {
		wg.Go(func() {
			for b := range batches {
				var metrics []experiment.Metric
				for k := range 10 { // the same keys from all, in different orders
					key := fmt.Sprintf("m%d", (k+c)%10)
					metrics = append(metrics, experiment.Metric{Key: key, Value: float64(c), Timestamp: int64(b), Step: int64(b*clients + c)})
				}
				errs <- s.client().LogBatch(t.Context(), run.ID, experiment.Batch{
					Metrics: metrics, Params: []experiment.Param{{Key: fmt.Sprintf("p%d", c), Value: "v"}}, Tags: []experiment.Tag{{Key: "last", Value: "t"}},
				})
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	after, err := client.Run(t.Context(), run.ID)
	require.NoError(t, err)
	require.Len(t, after.Metrics, 10)
	require.Len(t, after.Params, clients)
	for _, m := range after.Metrics {
		require.EqualValues(t, batches*clients-1, m.Step)
	}
	history, err := client.MetricHistory(t.Context(), run.ID, "m3", experiment.PageRequest{})
	require.NoError(t, err)
	require.Len(t, history.Items, clients*batches)
}
