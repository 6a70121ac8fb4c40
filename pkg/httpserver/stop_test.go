package httpserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"tasador/pkg/httpserver"
	"tasador/pkg/testkit"
)

// dial opens a connection of its own, as a client that writes its requests by hand.
func dial(t *testing.T, s running) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return conn, bufio.NewReader(conn)
}

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(conn, text)
	require.NoError(t, err)
}

// reply is what a client learns from the head of an answer.
type reply struct {
	StatusCode int
	Close      bool // the connection ends with it
}

func answer(t *testing.T, r *bufio.Reader) (reply, string) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return reply{res.StatusCode, res.Close}, string(body)
}

func TestStopAnswersWhoeverIsConnectedAndDisconnectsAfterTheAnswer(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := start(t, []httpserver.Route{
		{Method: http.MethodPost, Path: "/slow", Handler: func(c echo.Context) error {
			close(entered)
			<-release
			return c.NoContent(http.StatusNoContent)
		}},
		{Method: http.MethodPost, Path: "/echo", Handler: echoBody},
	})
	slow, slowAnswer := dial(t, s)
	write(t, slow, "POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
	<-entered
	// Two that are connected when the stop begins, one of which has asked before.
	fresh, freshAnswer := dial(t, s)
	used, usedAnswer := dial(t, s)
	const request = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi"
	write(t, used, request)
	res, _ := answer(t, usedAnswer)
	require.False(t, res.Close, "a connection is kept while nobody stops")
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	require.Eventually(t, func() bool { // the listener closes first
		c, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}, time.Minute, time.Millisecond)
	write(t, fresh, request)
	res, body := answer(t, freshAnswer)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "hi", body)
	for last := false; !last; { // the client learns with an answer that its connection ends, and loses none
		write(t, used, request)
		res, body = answer(t, usedAnswer)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, "hi", body)
		last = res.Close
	}
	close(release)
	res, _ = answer(t, slowAnswer)
	require.Equal(t, http.StatusNoContent, res.StatusCode)
	require.NoError(t, <-stopped)
}

func TestStopUnderLoadFailsNoRequestThatReachedUs(t *testing.T) {
	var handled atomic.Int64
	s := start(t, []httpserver.Route{{Method: http.MethodPost, Path: "/work", Handler: func(c echo.Context) error {
		_, err := io.Copy(io.Discard, c.Request().Body)
		handled.Add(1)
		return err
	}}})
	// Each client keeps one connection; it may be refused a new one, but one that it has must answer what it sends.
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	var answered, broken atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/work", io.NopCloser(strings.NewReader("x")))
				if err != nil {
					broken.Add(1)
					return
				}
				res, err := client.Do(req)
				switch {
				case err != nil && strings.Contains(err.Error(), "connection refused"):
					return
				case err != nil:
					broken.Add(1)
					return
				}
				_ = res.Body.Close()
				answered.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return answered.Load() > 200 }, time.Minute, time.Millisecond)
	require.NoError(t, s.stop())
	cancel()
	clients.Wait()
	require.Zero(t, broken.Load())
	require.Equal(t, handled.Load(), answered.Load())
}

// watched notes when it is closed.
type watched struct {
	net.Listener
	closed atomic.Bool
}

func (w *watched) Close() error {
	w.closed.Store(true)
	return w.Listener.Close()
}

// TestNewConnectionsAreAnsweredDuringTheStopDelay hammers with a new connection for each request. None may fail before the listener is closed, long after
// /readyz has said that the server stops.
func TestNewConnectionsAreAnsweredDuringTheStopDelay(t *testing.T) {
	ln := &watched{Listener: testkit.Listen(t)}
	s := startWith(t, []httpserver.Route{{Method: http.MethodPost, Path: "/echo", Handler: echoBody}}, httpserver.Options{Listener: ln, StopDelay: 500 * time.Millisecond})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(method, path string) (int, error) {
		req, err := http.NewRequestWithContext(t.Context(), method, s.base+path, strings.NewReader("hi"))
		if err != nil {
			return 0, err
		}
		res, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, res.Body)
		return res.StatusCode, errors.Join(err, res.Body.Close())
	}
	var leaving atomic.Bool
	var late atomic.Int64 // answers given while it was not ready
	failed := make(chan error, 8)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for {
				wasLeaving := leaving.Load()
				status, err := ask(http.MethodPost, "/echo")
				switch {
				case err != nil && ln.closed.Load():
					return
				case err == nil && status != http.StatusOK:
					err = fmt.Errorf("status %d", status)
				}
				if err != nil {
					failed <- err
					return
				}
				if wasLeaving {
					late.Add(1)
				}
			}
		})
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	require.Eventually(t, func() bool {
		status, err := ask(http.MethodGet, "/readyz")
		return err == nil && status == http.StatusServiceUnavailable
	}, time.Minute, time.Millisecond)
	leaving.Store(true)
	clients.Wait()
	require.NoError(t, <-stopped)
	select {
	case err := <-failed:
		require.NoError(t, err)
	default:
	}
	require.Positive(t, late.Load())
}

func TestABodyThatDoesNotComeHoldsUpNoStop(t *testing.T) {
	entered := make(chan struct{}) // before that, the kernel may hold the connection for us, and resets it when we stop listening
	s := start(t, []httpserver.Route{{Method: http.MethodPost, Path: "/echo", Handler: func(c echo.Context) error {
		close(entered)
		return echoBody(c)
	}}})
	conn, r := dial(t, s)
	write(t, conn, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
	<-entered
	begin := time.Now()
	require.NoError(t, s.stop())
	require.Less(t, time.Since(begin), 10*time.Second)
	res, body := answer(t, r)
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	require.Contains(t, body, "came too slowly")
}

func TestAMalformedBodyIsTheClientsFault(t *testing.T) {
	for _, limit := range []int64{0, httpserver.NoBodyLimit} {
		s := start(t, []httpserver.Route{{Method: http.MethodPost, Path: "/echo", Handler: echoBody, BodyLimit: limit}})
		conn, r := dial(t, s)
		write(t, conn, "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
		res, body := answer(t, r)
		require.Equal(t, http.StatusBadRequest, res.StatusCode)
		require.Contains(t, body, "is malformed")
	}
}

func TestWhatMayBeReadAnswersHead(t *testing.T) {
	text := func(c echo.Context) error { return c.String(http.StatusOK, "text") }
	s := start(t, []httpserver.Route{
		{Method: http.MethodGet, Path: "/page", Right: httpserver.Read, Handler: text},
		{Method: http.MethodGet, Path: "/restart", Right: httpserver.Write, Handler: text},
	})
	for path, want := range map[string]int{"/page": http.StatusOK, "/healthz": http.StatusOK, "/restart": http.StatusMethodNotAllowed} {
		status, body := do(t, http.MethodHead, s.base+path, "")
		require.Equal(t, want, status, path)
		require.Empty(t, body)
	}
}
