package httpserver_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"tasador/pkg/httpserver"
	"tasador/pkg/testkit"
)

const expiryMetric = "tasador_tls_certificate_expiry_timestamp_seconds"

// startSecure serves one route with the certificate of a pair of files.
func startSecure(t *testing.T, pair testkit.Pair, routes ...httpserver.Route) running {
	t.Helper()
	certificate, err := httpserver.OpenCertificate(pair.Cert, pair.Key, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	s := startWith(t, routes, httpserver.Options{Listener: httpserver.Common{Certificate: certificate}.Listener(testkit.Listen(t))})
	s.base = strings.Replace(s.base, "http://", "https://", 1)
	return s
}

func ask(t *testing.T, client *http.Client, address string) (int, string) {
	t.Helper()
	res, err := client.Get(address)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

// waitForEnd waits until the certificate in use ends at a time.
func waitForEnd(t *testing.T, s running, client *http.Client, end time.Time) {
	t.Helper()
	want := fmt.Sprintf("%s %v\n", expiryMetric, float64(end.Unix()))
	require.Eventually(t, func() bool {
		_, body := ask(t, client, s.base+"/metrics")
		return strings.Contains(body, want)
	}, time.Minute, 50*time.Millisecond, want)
}

func ends(hours int) time.Time {
	return time.Now().Add(time.Duration(hours) * time.Hour).Truncate(time.Second)
}

func TestCertificateIsReplacedUnderLoadWithoutAFailedRequest(t *testing.T) {
	// As Kubernetes lays secrets out: files are links through a link to a folder, which is exchanged.
	authority, mount := testkit.NewAuthority(t), t.TempDir()
	issue := func(name string, end time.Time) {
		folder := filepath.Join(mount, name)
		require.NoError(t, os.Mkdir(folder, 0o700))
		authority.Issue(t, folder, end, "127.0.0.1")
		require.NoError(t, os.Symlink(name, filepath.Join(mount, "next")))
		require.NoError(t, os.Rename(filepath.Join(mount, "next"), filepath.Join(mount, "..data")))
	}
	issue("first", ends(300))
	pair := testkit.Pair{Cert: filepath.Join(mount, "cert.pem"), Key: filepath.Join(mount, "key.pem")}
	require.NoError(t, os.Symlink("..data/cert.pem", pair.Cert))
	require.NoError(t, os.Symlink("..data/key.pem", pair.Key))
	s := startSecure(t, pair, httpserver.Route{Method: http.MethodPost, Path: "/echo", Handler: echoBody})

	var answered, failed atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	for i := range 4 {
		client := authority.Client(t)
		client.Transport.(*http.Transport).DisableKeepAlives = i%2 == 0 // a handshake for each request
		clients.Go(func() {
			for ctx.Err() == nil {
				res, err := client.Post(s.base+"/echo", "text/plain", strings.NewReader("hi"))
				if err != nil || res.StatusCode != http.StatusOK {
					failed.Add(1)
					continue
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				answered.Add(1)
			}
		})
	}
	for i, end := range []time.Time{ends(400), ends(500), ends(600)} {
		before := answered.Load()
		issue(fmt.Sprint("next", i), end)
		waitForEnd(t, s, authority.Client(t), end)
		require.Eventually(t, func() bool { return answered.Load() > before+20 }, time.Minute, time.Millisecond)
	}
	cancel()
	clients.Wait()
	require.Zero(t, failed.Load(), "of %d", answered.Load())

	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.base, "https://"), authority.Client(t).Transport.(*http.Transport).TLSClientConfig)
	require.NoError(t, err)
	defer conn.Close()
	require.WithinDuration(t, ends(600), conn.ConnectionState().PeerCertificates[0].NotAfter, time.Minute, "the newest is shown")
}

func TestABrokenCertificateKeepsTheOldOneAndIsTold(t *testing.T) {
	authority, folder := testkit.NewAuthority(t), t.TempDir()
	end := ends(300)
	pair := authority.Issue(t, folder, end, "127.0.0.1")
	s := startSecure(t, pair)
	client := authority.Client(t)
	_, body := ask(t, client, s.base+"/readyz")
	require.NotContains(t, body, "notes")

	other := authority.Issue(t, t.TempDir(), ends(400), "127.0.0.1")
	key, err := os.ReadFile(other.Key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(pair.Key, key, 0o600)) // of another certificate
	require.Eventually(t, func() bool {
		_, body := ask(t, client, s.base+"/metrics")
		return strings.Contains(body, "tasador_tls_certificate_reload_success 0\n")
	}, time.Minute, 50*time.Millisecond)
	waitForEnd(t, s, client, end)
	status, body := ask(t, client, s.base+"/readyz")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "the certificate before stays in use: the certificate "+pair.Cert+" and the key "+pair.Key+" are no pair")
	problems, err := testutil.GatherAndLint(s.metrics)
	require.NoError(t, err)
	require.Empty(t, problems)

	soon := ends(20)
	authority.Issue(t, folder, soon, "127.0.0.1")
	waitForEnd(t, s, client, soon)
	_, body = ask(t, client, s.base+"/metrics")
	require.Contains(t, body, "tasador_tls_certificate_reload_success 1\n")
	_, body = ask(t, client, s.base+"/readyz")
	require.Contains(t, body, "the certificate ends on "+soon.UTC().Format(time.DateTime))
}

func TestCertificatesThatAreNoneAreRefusedAtTheStart(t *testing.T) {
	authority, folder := testkit.NewAuthority(t), t.TempDir()
	pair := authority.Issue(t, folder, ends(1), "127.0.0.1")
	for _, c := range []struct{ cert, key, says string }{
		{filepath.Join(folder, "none.pem"), pair.Key, "none.pem cannot be read"},
		{folder, pair.Key, folder + " is not a file"},
		{authority.File, pair.Key, "are no pair"},
		{pair.Key, pair.Cert, "are no pair"},
	} {
		_, err := httpserver.OpenCertificate(c.cert, c.key, nil)
		require.ErrorContains(t, err, c.says)
	}
}

func TestOldProtocolsAndPlainRequestsAreRefused(t *testing.T) {
	authority := testkit.NewAuthority(t)
	s := startSecure(t, authority.Issue(t, t.TempDir(), ends(300), "127.0.0.1"))
	address := strings.TrimPrefix(s.base, "https://")
	config := authority.Client(t).Transport.(*http.Transport).TLSClientConfig.Clone()
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	_, err := tls.Dial("tcp", address, config)
	require.ErrorContains(t, err, "protocol version")
	config.MinVersion, config.MaxVersion, config.NextProtos = tls.VersionTLS12, tls.VersionTLS13, []string{"h2", "http/1.1"}
	conn, err := tls.Dial("tcp", address, config)
	require.NoError(t, err)
	require.Equal(t, "http/1.1", conn.ConnectionState().NegotiatedProtocol)
	require.NoError(t, conn.Close())
	status, body := ask(t, http.DefaultClient, "http://"+address+"/healthz")
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, "HTTP request to an HTTPS server")
}

func TestStopOverTLSFailsNoRequestThatReachedUs(t *testing.T) {
	authority := testkit.NewAuthority(t)
	entered, release := make(chan struct{}), make(chan struct{})
	s := startSecure(t, authority.Issue(t, t.TempDir(), ends(300), "127.0.0.1"), httpserver.Route{Method: http.MethodGet, Path: "/slow", Handler: func(c echo.Context) error {
		close(entered)
		<-release
		return c.String(http.StatusOK, "done")
	}})
	client, got := authority.Client(t), make(chan string, 1)
	go func() {
		_, body := ask(t, client, s.base+"/slow")
		got <- body
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.base, "https://"))
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}, time.Minute, time.Millisecond)
	close(release)
	require.Equal(t, "done", <-got)
	require.NoError(t, <-stopped)
}

func TestABodyThatDoesNotComeEncryptedHoldsUpNoStop(t *testing.T) {
	authority := testkit.NewAuthority(t)
	entered := make(chan struct{})
	s := startSecure(t, authority.Issue(t, t.TempDir(), ends(300), "127.0.0.1"), httpserver.Route{Method: http.MethodPost, Path: "/echo", Handler: func(c echo.Context) error {
		close(entered)
		return echoBody(c)
	}})
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.base, "https://"), authority.Client(t).Transport.(*http.Transport).TLSClientConfig)
	require.NoError(t, err)
	defer conn.Close()
	write(t, conn, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
	<-entered
	begin := time.Now()
	require.NoError(t, s.stop())
	require.Less(t, time.Since(begin), 10*time.Second)
	res, body := answer(t, bufio.NewReader(conn))
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	require.Contains(t, body, "came too slowly")
}
