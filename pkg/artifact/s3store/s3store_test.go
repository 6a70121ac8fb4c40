package s3store_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact/s3store"
	"tasador/pkg/testkit"
	"tasador/pkg/testkit/s3test"
)

// noise is content that no two places of it are alike.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func start(t *testing.T) (*s3test.Server, []byte) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the S3 server that make test builds")
	}
	server := s3test.Start(t)
	server.SetEnv(t)
	server.MakeBucket(t, "listings")
	content := noise(3 << 20)
	server.Put(t, "listings", "2026/some file+ñ.csv", content)
	return server, content
}

func client(t *testing.T, endpoint string) *s3store.Client {
	t.Helper()
	c, err := s3store.New(t.Context(), endpoint)
	require.NoError(t, err)
	return c
}

func TestAnObjectIsReadWholeAndInRanges(t *testing.T) {
	server, content := start(t)
	o, err := client(t, server.Endpoint).Open(t.Context(), "listings", "2026/some file+ñ.csv")
	require.NoError(t, err)
	require.EqualValues(t, len(content), o.Size)
	require.NotEmpty(t, o.ETag)

	r := o.Reader()
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.True(t, bytes.Equal(content, got))

	require.NoError(t, iotest.TestReader(io.NewSectionReader(o, 100, 64), content[100:164]))
	last := make([]byte, 100)
	n, err := o.ReadAt(last, o.Size-30)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, content[len(content)-30:], last[:n])
	_, err = o.ReadAt(last, o.Size)
	require.ErrorIs(t, err, io.EOF)

	body, err := client(t, server.Endpoint).Get(t.Context(), "listings", "2026/some file+ñ.csv", 1<<20, -1, "")
	require.NoError(t, err)
	got, err = io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.True(t, bytes.Equal(content[1<<20:], got))
}

func TestAReplacedObjectIsNotReadOn(t *testing.T) {
	server, content := start(t)
	o, err := client(t, server.Endpoint).Open(t.Context(), "listings", "2026/some file+ñ.csv")
	require.NoError(t, err)
	server.Put(t, "listings", "2026/some file+ñ.csv", content[1:])
	_, err = o.ReadAt(make([]byte, 10), 0)
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
	require.ErrorContains(t, err, "the object s3://listings/2026/some file+ñ.csv was replaced while it was read")
}

// A proxy between client and server cuts the first answers short.
func TestReadingGoesOnWhereAConnectionBroke(t *testing.T) {
	server, content := start(t)
	target, err := url.Parse(server.Endpoint)
	require.NoError(t, err)
	var cut atomic.Int64
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method == http.MethodGet && cut.Add(1) <= 5 {
				r.Body = struct {
					io.Reader
					io.Closer
				}{io.LimitReader(r.Body, 300_000), r.Body}
			}
			return nil
		},
		ErrorLog: nil,
	})
	t.Cleanup(proxy.Close)
	o, err := client(t, proxy.URL).Open(t.Context(), "listings", "2026/some file+ñ.csv")
	require.NoError(t, err)
	r := o.Reader()
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.True(t, bytes.Equal(content, got))
	require.Greater(t, cut.Load(), int64(5))
}

func TestWhatIsWrongIsSaidInASentence(t *testing.T) {
	server, _ := start(t)
	c := client(t, server.Endpoint)
	_, err := c.Open(t.Context(), "listings", "nothing")
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
	require.EqualError(t, err, "there is no object s3://listings/nothing at the S3 server ("+server.Endpoint+"); check the bucket and the key")
	_, err = c.Get(t.Context(), "no-such-bucket", "nothing", 0, -1, "")
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
	require.ErrorContains(t, err, "there is no bucket no-such-bucket")

	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
	_, err = client(t, server.Endpoint).Open(t.Context(), "listings", "nothing")
	require.Equal(t, apperror.PermissionDenied, apperror.CodeOf(err))
	require.NotContains(t, err.Error(), "wrong-secret")

	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	away := "http://" + testkit.FreeAddress(t)
	_, err = client(t, away).Open(t.Context(), "listings", "nothing")
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.ErrorContains(t, err, "the S3 server ("+away+") cannot be reached or broke off: connection refused")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Open(ctx, "listings", "nothing")
	require.ErrorIs(t, err, context.Canceled)
}

func TestEndpointsAndKeysAreChecked(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	_, err := s3store.New(t.Context(), "")
	require.ErrorContains(t, err, "there are no access keys of S3; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	_, err = s3store.New(t.Context(), "127.0.0.1:9000")
	require.ErrorContains(t, err, `the S3 endpoint "127.0.0.1:9000" is not an address`)

	for address, want := range map[string][2]string{"s3://b/k": {"b", "k"}, "s3://b/a/b c.csv": {"b", "a/b c.csv"}} {
		bucket, key, err := s3store.ParseURL(address)
		require.NoError(t, err)
		require.Equal(t, want, [2]string{bucket, key})
	}
	for _, address := range []string{"s3://", "s3://b", "s3://b/", "s3:///k", "http://b/k", "b/k"} {
		_, _, err := s3store.ParseURL(address)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), address)
	}
}
