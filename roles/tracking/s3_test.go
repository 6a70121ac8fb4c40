package tracking_test

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit/s3test"
)

// startS3 runs the role with its artifacts in a bucket of a real S3 server.
func startS3(t *testing.T) (server, *s3test.Server) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the S3 server that make test builds")
	}
	remote := s3test.Start(t)
	remote.SetEnv(t)
	remote.MakeBucket(t, "mlflows3")
	cfg := newConfig(t)
	cfg.Artifacts.URL, cfg.Artifacts.Endpoint = "s3://mlflows3/artifacts", remote.Endpoint
	return startWith(t, cfg), remote
}

func TestArtifactsOnS3(t *testing.T) {
	s, remote := startS3(t)
	transferArtifacts(t, s.client())
	require.Contains(t, s.call(t, "GET", "/readyz", "", "").body, `"artifacts":"ok"`)
	remote.Stop(t)
	got := s.call(t, "GET", "/readyz", "", "")
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.Contains(t, got.body, "the S3 server ("+remote.Endpoint+")")
	got = s.call(t, "GET", "/api/2.0/mlflow-artifacts/artifacts?path=x", "", "")
	require.Equal(t, http.StatusServiceUnavailable, got.status, got.body)
	require.Equal(t, "TEMPORARILY_UNAVAILABLE", got.code)
}

// TestRanges asks for parts of a file, from a folder and from S3.
func TestRanges(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) server{
		"folder": start, "s3": func(t *testing.T) server { t.Helper(); s, _ := startS3(t); return s },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			require.NoError(t, s.client().PutArtifact(t.Context(), "mlflow-artifacts:/0", "f", strings.NewReader("0123456789")))
			etag := ""
			for _, test := range []struct {
				ask, ifRange string
				status       int
				want, says   string
			}{
				{"", "", 200, "0123456789", ""},
				{"bytes=2-4", "", 206, "234", "bytes 2-4/10"},
				{"bytes=-3", "", 206, "789", "bytes 7-9/10"},
				{"bytes=8-", "", 206, "89", "bytes 8-9/10"},
				{"bytes=2-4", `"another"`, 200, "0123456789", ""},
				{"bytes=2-4", "current", 206, "234", "bytes 2-4/10"},
				{"bytes=10-", "", 416, "", "bytes */10"},
			} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.uri+"/api/2.0/mlflow-artifacts/artifacts/0/f", http.NoBody)
				require.NoError(t, err)
				if test.ask != "" {
					req.Header.Set("Range", test.ask)
				}
				if test.ifRange == "current" {
					test.ifRange = etag
				}
				if test.ifRange != "" {
					req.Header.Set("If-Range", test.ifRange)
				}
				resp, err := http.DefaultClient.Do(req)
				require.NoError(t, err)
				got := readAnswer(t, resp)
				require.NoError(t, resp.Body.Close())
				require.Equal(t, test.status, got.status, test.ask)
				require.Equal(t, test.says, got.header.Get("Content-Range"))
				if test.status < 400 {
					require.Equal(t, test.want, got.body, test.ask)
					etag = got.header.Get("ETag")
				}
			}
		})
	}
}

// TestLargeFilesStream sends a file to S3 through the role and fetches it again: the memory of this process, which is server and client
// at once, hardly grows. make verify does it with 2 GiB.
func TestLargeFilesStream(t *testing.T) {
	s, _ := startS3(t)
	const mib = 1 << 20
	size := int64(largeMiB) * mib
	up, down := sha256.New(), sha256.New()
	client := s.client()
	require.NoError(t, client.PutArtifact(t.Context(), "mlflow-artifacts:/0", "warm", strings.NewReader("x")))
	debug.FreeOSMemory()
	before := memory(t, "VmRSS")
	require.NoError(t, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)) // the highest mark starts anew
	content := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{2}), size), up)
	require.NoError(t, client.PutArtifact(t.Context(), "mlflow-artifacts:/0", "large", content))
	afterUp := memory(t, "VmHWM")
	body, info, err := client.OpenArtifact(t.Context(), "mlflow-artifacts:/0", "large")
	require.NoError(t, err)
	require.Equal(t, size, info.Size)
	_, err = io.Copy(down, body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, up.Sum(nil), down.Sum(nil))
	t.Logf("%d MiB: memory %.1f MiB before, at most %.1f MiB while it went up, %.1f MiB in all", largeMiB, before/mib, afterUp/mib, memory(t, "VmHWM")/mib)
	require.Less(t, memory(t, "VmHWM")-before, 64.0*mib)
}

// memory returns a figure of this process, in bytes.
func memory(t *testing.T, name string) float64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	found := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(text)
	require.NotNil(t, found)
	n, err := strconv.ParseFloat(string(found[1]), 64)
	require.NoError(t, err)
	return n * 1024
}
