// Package s3test starts a real S3 server (versitygw) for tests and puts objects into it. Only tests import it.
package s3test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

// binary is the server; make test builds it.
const binary = "versitygw-v1.8.0"

// Server is a running S3 server with one account.
type Server struct {
	Endpoint             string // http://host:port
	AccessKey, SecretKey string
	client               *s3.Client
	dir                  string
	stop                 func()
	log                  bytes.Buffer
}

// Start runs a server on its own port and folder until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{Endpoint: "http://" + testkit.FreeAddress(t), AccessKey: "tester", SecretKey: "not-a-secret", dir: t.TempDir(), stop: func() {}}
	for _, part := range []string{"objects", "sidecar"} {
		require.NoError(t, os.Mkdir(filepath.Join(s.dir, part), 0o750))
	}
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("the log of the S3 server:\n%s", &s.log)
		}
	})
	s.Restart(t)
	s.client = s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint), UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
	})
	return s
}

// Restart starts a server that was stopped at the same address, with what it holds.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	path := filepath.Join(testkit.ModuleRoot(t), ".cache", "bin", binary)
	require.FileExists(t, path, "the S3 server of the tests is missing; run make test: it builds it")
	cmd := exec.Command(path, "--port", s.Endpoint[len("http://"):], "--health", "/health", "--quiet", "posix", "--sidecar", filepath.Join(s.dir, "sidecar"),
		filepath.Join(s.dir, "objects"))
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.AccessKey, "ROOT_SECRET_KEY="+s.SecretKey)
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	require.NoError(t, cmd.Start())
	s.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	require.Eventually(t, func() bool {
		answer, err := http.Get(s.Endpoint + "/health")
		return err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	}, time.Minute, 20*time.Millisecond, "the S3 server does not start")
}

// Stop ends the server before the test does.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.stop()
}

// Env are the variables (NAME=value) with which programs find the account.
func (s *Server) Env() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + s.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s.SecretKey, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true"}
}

// SetEnv sets the variables of Env for this test.
func (s *Server) SetEnv(t *testing.T) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", s.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s.SecretKey)
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// MakeBucket makes a bucket.
func (s *Server) MakeBucket(t testing.TB, bucket string) {
	t.Helper()
	_, err := s.client.CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
}

// Put makes an object, or replaces it.
func (s *Server) Put(t testing.TB, bucket, key string, content []byte) {
	t.Helper()
	_, err := s.client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader(content)})
	require.NoError(t, err)
}

// Get returns the content of an object.
func (s *Server) Get(t testing.TB, bucket, key string) []byte {
	t.Helper()
	out, err := s.client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	require.NoError(t, err)
	content, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	require.NoError(t, out.Body.Close())
	return content
}
