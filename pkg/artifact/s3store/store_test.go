package s3store_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/artifact/artifacttest"
	"tasador/pkg/artifact/s3store"
	"tasador/pkg/testkit"
	"tasador/pkg/testkit/s3test"
)

func server(t *testing.T) *s3test.Server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the S3 server that make test builds")
	}
	s := s3test.Start(t)
	s.SetEnv(t)
	s.MakeBucket(t, "artifacts")
	return s
}

func open(t *testing.T, address, endpoint string) *s3store.Store {
	t.Helper()
	s, err := s3store.Open(t.Context(), address, endpoint)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestConformance(t *testing.T) {
	s := server(t)
	artifacttest.Run(t, func(t *testing.T) artifact.Store {
		return open(t, "s3://artifacts/a prefix/"+strings.ReplaceAll(t.Name(), "/", "-"), s.Endpoint)
	})
}

func TestABucketWithoutPrefix(t *testing.T) {
	s := open(t, "s3://artifacts", server(t).Endpoint)
	require.NoError(t, s.Put(t.Context(), "a/b", strings.NewReader("x")))
	found, err := s.List(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []artifact.Info{{Path: "a", IsDir: true}}, found)
}

// TestOthersObjects: what other programs put into the bucket is shown only if a client could name it, and nothing above the prefix is.
func TestOthersObjects(t *testing.T) {
	remote := server(t)
	s := open(t, "s3://artifacts/p", remote.Endpoint)
	for _, key := range []string{"p/good", "p/folder/", `p/back\slash`, "p/a#b", "beside", "p2/beside"} {
		remote.Put(t, "artifacts", key, nil)
	}
	found, err := s.List(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []artifact.Info{{Path: "folder", IsDir: true}, {Path: "good"}}, found)
}

type answer struct {
	status int
	etag   string
	text   string
}

func send(t *testing.T, method, url string, body []byte, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	got, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	text, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	require.NoError(t, got.Body.Close())
	return answer{got.StatusCode, got.Header.Get("ETag"), string(text)}
}

// TestSignedAddresses moves a file without the store: its parts go up, and a range of it comes down, with nothing but addresses.
func TestSignedAddresses(t *testing.T) {
	s := open(t, "s3://artifacts/p", server(t).Endpoint)
	content := bytes.Repeat([]byte("0123456789"), 600_000)
	id, urls, err := s.CreateUpload(t.Context(), "d/ü file", 2)
	require.NoError(t, err)
	require.Len(t, urls, 2)
	var parts []artifact.Part
	for i, cut := range [][]byte{content[:5<<20], content[5<<20:]} {
		got := send(t, http.MethodPut, urls[i], cut)
		require.Equal(t, http.StatusOK, got.status, got.text)
		parts = append(parts, artifact.Part{Number: i + 1, ETag: got.etag})
	}
	_, _, err = s.Open(t.Context(), "d/ü file")
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err), "it is not whole yet")
	require.NoError(t, s.CompleteUpload(t.Context(), "d/ü file", id, parts))
	require.Equal(t, apperror.NotFound, apperror.CodeOf(s.AbortUpload(t.Context(), "d/ü file", id)))

	url, info, err := s.SignDownload(t.Context(), "d/ü file")
	require.NoError(t, err)
	require.EqualValues(t, len(content), info.Size)
	got := send(t, http.MethodGet, url, nil, "Range", "bytes=5-14")
	require.Equal(t, http.StatusPartialContent, got.status)
	require.Equal(t, "5678901234", got.text)
	require.Equal(t, http.StatusForbidden, send(t, http.MethodPut, url, []byte("other")).status, "the address is for reading")
	_, _, err = s.SignDownload(t.Context(), "none")
	require.Equal(t, "No such artifact: none", apperror.MessageOf(err))

	id, urls, err = s.CreateUpload(t.Context(), "dropped", 1)
	require.NoError(t, err)
	require.NoError(t, s.AbortUpload(t.Context(), "dropped", id))
	require.Equal(t, http.StatusNotFound, send(t, http.MethodPut, urls[0], []byte("late")).status)
	for _, path := range []string{"../x", "%2e%2e/x", "", "a/"} {
		_, _, err = s.CreateUpload(t.Context(), path, 1)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), path)
		_, _, err = s.SignDownload(t.Context(), path)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), path)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(s.CompleteUpload(t.Context(), path, id, parts)), path)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(s.AbortUpload(t.Context(), path, id)), path)
	}
	for _, id := range []string{"", "../../x", "%2e%2e/x"} {
		require.Equal(t, apperror.Invalid, apperror.CodeOf(s.CompleteUpload(t.Context(), "f", id, parts)), id)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(s.AbortUpload(t.Context(), "f", id)), id)
	}
	for _, n := range []int{-1, 0, 10_001} {
		_, _, err = s.CreateUpload(t.Context(), "f", n)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), n)
	}
}

func TestWhatIsWrongAtTheStart(t *testing.T) {
	remote := server(t)
	for _, address := range []string{"s3://", "s3:///p", "file:x", "s3://b/../p", "s3://b//p", `s3://b/a\b`} {
		_, err := s3store.Open(t.Context(), address, remote.Endpoint)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), address)
		require.ErrorContains(t, err, "does not name a folder of S3; write it as s3://bucket/prefix", address)
	}
	_, err := s3store.Open(t.Context(), "s3://missing/p", remote.Endpoint)
	require.EqualError(t, err, "there is no bucket missing at the S3 server ("+remote.Endpoint+"); make it, or check its name")

	t.Run("away", func(t *testing.T) {
		t.Setenv("AWS_MAX_ATTEMPTS", "1")
		away := "http://" + testkit.FreeAddress(t)
		_, err := s3store.Open(t.Context(), "s3://artifacts/p", away)
		require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
		require.ErrorContains(t, err, "the S3 server ("+away+") cannot be reached or broke off: connection refused")
	})
	t.Run("wrong key", func(t *testing.T) {
		t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
		_, err := s3store.Open(t.Context(), "s3://artifacts/p", remote.Endpoint)
		require.Equal(t, apperror.PermissionDenied, apperror.CodeOf(err))
		require.ErrorContains(t, err, "does not let these access keys use s3://artifacts")
	})
	t.Run("no key", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "")
		t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
		t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
		_, err := s3store.Open(t.Context(), "s3://artifacts/p", remote.Endpoint)
		require.ErrorContains(t, err, "there are no access keys of S3; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	})
}
