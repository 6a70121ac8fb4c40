package trackingclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/registry"
	"tasador/pkg/testkit"
	"tasador/pkg/trackingclient"
)

const mlflowError = `{"error_code":"%s","message":"the server says why"}`

// serve answers the n-th request, counted from 1, with answer(n).
func serve(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) (*trackingclient.Client, *atomic.Int32) {
	t.Helper()
	var count atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(int(count.Add(1)), w, r)
	}))
	t.Cleanup(server.Close)
	return trackingclient.New(server.URL, trackingclient.Options{Tries: 4, Backoff: time.Millisecond}), &count
}

func TestRepeatsWhatMayHelp(t *testing.T) {
	for _, status := range []int{429, 500, 502, 503, 504} {
		client, count := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
			if n < 4 {
				w.WriteHeader(status)
				return
			}
			_, _ = w.Write([]byte(`{"run":{"info":{"run_id":"r1"}}}`))
		})
		run, err := client.Run(t.Context(), "r1")
		require.NoError(t, err)
		require.Equal(t, "r1", run.ID)
		require.EqualValues(t, 4, count.Load(), status)
	}
}

func TestGivesUpAfterSomeTries(t *testing.T) {
	client, count := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprintf(w, mlflowError, "TEMPORARILY_UNAVAILABLE")
	})
	_, err := client.Run(t.Context(), "r1")
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.Equal(t, "the server says why", apperror.MessageOf(err))
	require.EqualValues(t, 4, count.Load())
}

// TestMakesNothingTwice: what makes something new is repeated only if the server surely did not do it.
func TestMakesNothingTwice(t *testing.T) {
	for status, tries := range map[int]int32{500: 1, 502: 1, 504: 1, 429: 4, 503: 4} {
		client, count := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		_, err := client.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "1"})
		require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
		require.Equal(t, tries, count.Load(), "status %d", status)
	}
	client, count := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = connection.Close()
		}
	})
	_, err := client.CreateVersion(t.Context(), registry.NewVersion{Name: "m", Source: "models:/m-1"})
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.EqualValues(t, 1, count.Load(), "the request was sent, the answer is lost")
	require.Error(t, client.LogBatch(t.Context(), "r", experiment.Batch{}))
	require.EqualValues(t, 5, count.Load(), "logging twice changes nothing")
}

func TestCodes(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		want   apperror.Code
	}{
		{400, fmt.Sprintf(mlflowError, "INVALID_PARAMETER_VALUE"), apperror.Invalid},
		{400, fmt.Sprintf(mlflowError, "RESOURCE_ALREADY_EXISTS"), apperror.AlreadyExists},
		{404, fmt.Sprintf(mlflowError, "RESOURCE_DOES_NOT_EXIST"), apperror.NotFound},
		{404, fmt.Sprintf(mlflowError, "ENDPOINT_NOT_FOUND"), apperror.FailedPrecondition},
		{404, "<html>nginx</html>", apperror.FailedPrecondition},
		{400, fmt.Sprintf(mlflowError, "INVALID_STATE"), apperror.FailedPrecondition},
		{403, fmt.Sprintf(mlflowError, "PERMISSION_DENIED"), apperror.PermissionDenied},
		{401, "", apperror.PermissionDenied},
		{400, "not JSON", apperror.Invalid},
		{200, "<html>a login page</html>", apperror.Unavailable},
	} {
		client, count := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		})
		_, err := client.Run(t.Context(), "r1")
		require.Equal(t, test.want, apperror.CodeOf(err), "%d %s: %v", test.status, test.body, err)
		require.EqualValues(t, 1, count.Load(), "%d %s", test.status, test.body)
	}
}

func TestUnreachableServer(t *testing.T) {
	address := "http://" + testkit.FreeAddress(t)
	client := trackingclient.New(address, trackingclient.Options{Tries: 2, Backoff: time.Millisecond})
	_, err := client.CreateRun(t.Context(), experiment.NewRun{})
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.Contains(t, apperror.MessageOf(err), address)
	for _, bad := range []string{"", "localhost:5000", "ftp://host", "http://"} {
		_, err := trackingclient.New(bad, trackingclient.Options{}).Run(t.Context(), "r1")
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), bad)
	}
	_, err = trackingclient.New("http://user:secret@", trackingclient.Options{}).Run(t.Context(), "r1")
	require.NotContains(t, err.Error(), "secret")
}

func TestStopsWithItsContext(t *testing.T) {
	client, count := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := client.Run(ctx, "r1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(begin), 10*time.Second)
	require.EqualValues(t, 1, count.Load())
}

// TestUploadsAgain sends the whole file a second time, from where the reader stood, and gives up if it cannot.
func TestUploadsAgain(t *testing.T) {
	content := strings.Repeat("model", 100_000)
	var got string
	answer := func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			_, _ = io.CopyN(io.Discard, r.Body, 1000)
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		text, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		got = string(text)
		_, _ = w.Write([]byte("{}"))
	}
	client, _ := serve(t, answer)
	reader := strings.NewReader("header" + content)
	_, err := reader.Seek(6, io.SeekStart)
	require.NoError(t, err)
	require.NoError(t, client.PutArtifact(t.Context(), "mlflow-artifacts:/1/r/artifacts", "model.onnx", reader))
	require.Equal(t, content, got)

	client, count := serve(t, answer)
	err = client.PutArtifact(t.Context(), "mlflow-artifacts:/1/r/artifacts", "model.onnx", struct{ io.Reader }{bytes.NewReader([]byte(content))})
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.EqualValues(t, 1, count.Load())
}

func TestUnreadableFileIsNotAServerFault(t *testing.T) {
	client, count := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write([]byte("{}"))
	})
	broken := errors.New("the disk broke")
	err := client.PutArtifact(t.Context(), "mlflow-artifacts:/1", "a", io.MultiReader(strings.NewReader("x"), failing{broken}))
	require.ErrorIs(t, err, broken)
	require.LessOrEqual(t, count.Load(), int32(1))
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestMistrustsListings: a server must not make the client write outside of its folder.
func TestMistrustsListings(t *testing.T) {
	for _, name := range []string{"../evil", "/etc/evil", "..", "a/b", `a\\b`} {
		client, _ := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("path") {
				_, _ = fmt.Fprintf(w, `{"files":[{"path":%q,"is_dir":false}]}`, name)
			}
		})
		err := client.DownloadFolder(t.Context(), "mlflow-artifacts:/1", t.TempDir())
		require.ErrorContains(t, err, "unusable name", name)
	}
}

func TestCutOffDownload(t *testing.T) {
	client, _ := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("path") {
			_, _ = io.WriteString(w, `{"files":[{"path":"model.onnx","is_dir":false,"file_size":1000}]}`)
			return
		}
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "half")
	})
	err := client.DownloadFolder(t.Context(), "mlflow-artifacts:/1", t.TempDir())
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.ErrorContains(t, err, "model.onnx broke off")
}

func TestForeignStores(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	client, count := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	for _, uri := range []string{"s3://bucket/models", "gs://bucket/x", "file:///etc", "/var/mlruns", "mlflow-artifacts://elsewhere:5000/1"} {
		_, _, err := client.OpenArtifact(t.Context(), uri, "MLmodel")
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err), uri)
		require.ErrorContains(t, err, uri)
	}
	require.EqualValues(t, 1, count.Load(), "the server is asked once whether it serves others' places")
}
