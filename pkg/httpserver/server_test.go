package httpserver_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/httpserver"
	"tasador/pkg/observability"
	"tasador/pkg/testkit"
)

type running struct {
	base    string
	metrics *prometheus.Registry
	stop    func() error
}

// start serves routes on a free port until the test ends.
func start(t *testing.T, routes []httpserver.Route, checks ...httpserver.Check) running {
	t.Helper()
	return startWith(t, routes, httpserver.Options{Checks: checks})
}

func startWith(t *testing.T, routes []httpserver.Route, opts httpserver.Options) running {
	t.Helper()
	if opts.Listener == nil {
		opts.Listener = testkit.Listen(t)
	}
	opts.Role, opts.Log = "test", slog.New(slog.DiscardHandler)
	opts.Build = observability.Build{Version: "v1", Commit: "c", GoVersion: "go"}
	opts.Metrics = observability.NewRegistry(opts.Build)
	s := httpserver.New(opts)
	for i := range routes {
		routes[i].Right = cmp.Or(routes[i].Right, httpserver.Read)
	}
	s.Register(routes...)
	return running{base: "http://" + opts.Listener.Addr().String(), metrics: opts.Metrics, stop: testkit.Serve(t, s)}
}

func do(t *testing.T, method, url, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(b)
}

func echoBody(c echo.Context) error {
	b, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return err
	}
	return c.String(http.StatusOK, string(b))
}

func TestErrorsBecomeSentencesAndInternalsStayInside(t *testing.T) {
	routes := []httpserver.Route{
		{Method: http.MethodGet, Path: "/invalid", Handler: func(echo.Context) error { return apperror.New(apperror.Invalid, "bed must be a number") }},
		{Method: http.MethodGet, Path: "/secret", Handler: func(echo.Context) error { return errors.New("password is hunter2") }},
		{Method: http.MethodGet, Path: "/panic", Handler: func(echo.Context) error { panic("hunter2") }},
		{Method: http.MethodGet, Path: "/away", Handler: func(echo.Context) error { return apperror.New(apperror.Unavailable, "tracking is away") }},
	}
	s := start(t, routes)
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/invalid": {http.StatusBadRequest, "bed must be a number"},
		"/secret":  {http.StatusInternalServerError, "the log of this server"},
		"/panic":   {http.StatusInternalServerError, "the log of this server"},
		"/away":    {http.StatusServiceUnavailable, "tracking is away"},
		"/nowhere": {http.StatusNotFound, "there is nothing at GET /nowhere"},
	} {
		status, body := do(t, http.MethodGet, s.base+path, "")
		require.Equal(t, want.status, status, path)
		require.Contains(t, body, want.text)
		require.NotContains(t, body, "hunter2")
	}
	status, body := do(t, http.MethodPost, s.base+"/invalid", "")
	require.Equal(t, http.StatusMethodNotAllowed, status)
	require.Contains(t, body, "/invalid does not take POST; it takes OPTIONS, GET")
}

func TestOnlyAnswersThatAreNoPagesLackTheHeadersOfPages(t *testing.T) {
	text := func(c echo.Context) error { return c.String(http.StatusOK, "text") }
	fail := func(echo.Context) error { return apperror.New(apperror.Invalid, "bed must be a number") }
	s := start(t, []httpserver.Route{
		{Method: http.MethodGet, Path: "/page", Handler: text},
		{Method: http.MethodGet, Path: "/program", Handler: text, NoPage: true},
		{Method: http.MethodGet, Path: "/wrong", Handler: fail, NoPage: true},
		{Method: http.MethodGet, Path: "/sandbox", Handler: func(c echo.Context) error {
			c.Response().Header().Set("Content-Security-Policy", "sandbox")
			return fail(c)
		}},
	})
	for path, want := range map[string]string{"/page": "frame-ancestors 'none'", "/program": "", "/wrong": "frame-ancestors 'none'", "/nowhere": "frame-ancestors 'none'", "/sandbox": "sandbox"} {
		res, err := http.Get(s.base + path)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"), path)
		require.Contains(t, res.Header.Get("Content-Security-Policy"), want, path)
		require.Equal(t, want != "", res.Header.Get("Content-Security-Policy") != "", path)
		require.Equal(t, want != "", res.Header.Get("Referrer-Policy") != "", path)
	}
}

func TestBodiesAreLimitedUnlessARouteStreams(t *testing.T) {
	s := start(t, []httpserver.Route{
		{Method: http.MethodPost, Path: "/small", Handler: echoBody, BodyLimit: 10},
		{Method: http.MethodPost, Path: "/stream", Handler: echoBody, BodyLimit: httpserver.NoBodyLimit},
	})
	status, body := do(t, http.MethodPost, s.base+"/small", "0123456789")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "0123456789", body)
	status, body = do(t, http.MethodPost, s.base+"/small", "0123456789x")
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Contains(t, body, "larger than this address accepts")
	status, body = do(t, http.MethodPost, s.base+"/stream", strings.Repeat("x", 5<<20))
	require.Equal(t, http.StatusOK, status)
	require.Len(t, body, 5<<20)
}

func TestForeignHostsAndOriginsAreRefused(t *testing.T) {
	s := start(t, []httpserver.Route{{Method: http.MethodPost, Path: "/change", Handler: echoBody}})
	host := strings.TrimPrefix(s.base, "http://")
	cases := []struct {
		name   string
		header []string
		want   int
	}{
		{"no origin, as a command line sends it", nil, http.StatusOK},
		{"own origin", []string{"Origin", s.base}, http.StatusOK},
		{"localhost", []string{"Host", "localhost:" + host[strings.LastIndex(host, ":")+1:]}, http.StatusOK},
		{"foreign origin", []string{"Origin", "http://evil.example"}, http.StatusForbidden},
		{"opaque origin", []string{"Origin", "null"}, http.StatusForbidden},
		{"rebound name", []string{"Host", "evil.example"}, http.StatusForbidden},
		{"address of another network", []string{"Host", "192.0.2.1"}, http.StatusForbidden},
	}
	for _, c := range cases {
		status, _ := do(t, http.MethodPost, s.base+"/change", "", c.header...)
		require.Equal(t, c.want, status, c.name)
	}
}

// TestAClientOfHTTP10NeedsNoHost asks as balancers do that check a server.
func TestAClientOfHTTP10NeedsNoHost(t *testing.T) {
	s := start(t, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /healthz HTTP/1.0\r\n\r\n")
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Regexp(t, "^HTTP/1.0 200 OK\r\n", string(answer))
}

// TestMethodsThatClientsInventMakeNoMetrics asks with a hundred of them.
func TestMethodsThatClientsInventMakeNoMetrics(t *testing.T) {
	s := start(t, nil)
	for i := range 100 {
		status, _ := do(t, fmt.Sprint("METHOD", i), s.base+"/healthz", "")
		require.Equal(t, http.StatusMethodNotAllowed, status)
	}
	_, metrics := do(t, http.MethodGet, s.base+"/metrics", "")
	require.Contains(t, metrics, `tasador_http_requests_total{method="other",route="/healthz",status="405"} 100`)
	require.NotContains(t, metrics, "METHOD")
}

func TestHostNamesCanBeAllowed(t *testing.T) {
	routes := []httpserver.Route{{Method: http.MethodGet, Path: "/", Handler: func(c echo.Context) error { return c.NoContent(http.StatusOK) }}}
	for _, c := range []struct {
		allowed []string
		host    string
		want    int
	}{
		{[]string{"houses.example"}, "houses.example", http.StatusOK},
		{[]string{"Houses.example"}, "HOUSES.example:8000", http.StatusOK},
		{[]string{"houses.example"}, "houses.example.evil.example", http.StatusForbidden},
		{[]string{"*"}, "whatever.example", http.StatusOK},
	} {
		s := startWith(t, routes, httpserver.Options{AllowedHosts: c.allowed})
		status, body := do(t, http.MethodGet, s.base+"/", "", "Host", c.host)
		require.Equal(t, c.want, status, "%v asked as %s: %s", c.allowed, c.host, body)
	}
}

func TestReadinessNamesWhatIsMissing(t *testing.T) {
	var problem error
	s := start(t, nil, httpserver.Check{Name: "model", Probe: func(context.Context) error { return problem }})
	status, _ := do(t, http.MethodGet, s.base+"/readyz", "")
	require.Equal(t, http.StatusOK, status)

	problem = apperror.New(apperror.Unavailable, "no version is in Production yet")
	status, body := do(t, http.MethodGet, s.base+"/readyz", "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	var answer struct {
		Status string
		Parts  map[string]string
	}
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	require.Equal(t, "not ready", answer.Status)
	require.Equal(t, "no version is in Production yet", answer.Parts["model"])
}

func TestStopLetsRequestsFinish(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := start(t, []httpserver.Route{{Method: http.MethodGet, Path: "/slow", Handler: func(c echo.Context) error {
		close(entered)
		<-release
		return c.String(http.StatusOK, "finished")
	}}})
	answer := make(chan string, 1)
	go func() {
		_, body := do(t, http.MethodGet, s.base+"/slow", "")
		answer <- body
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	require.Eventually(t, func() bool { // the listener closes first
		c, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}, time.Minute, 5*time.Millisecond)
	close(release)
	require.Equal(t, "finished", <-answer)
	require.NoError(t, <-stopped)
}

func TestMetricsAreLabelledByPatternAndPassTheLinter(t *testing.T) {
	s := start(t, []httpserver.Route{{Method: http.MethodGet, Path: "/things/:id", Handler: func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }}})
	do(t, http.MethodGet, s.base+"/things/1", "")
	do(t, http.MethodGet, s.base+"/things/2", "")
	do(t, http.MethodGet, s.base+"/made/up/path", "")
	_, text := do(t, http.MethodGet, s.base+"/metrics", "")
	require.Contains(t, text, `tasador_http_requests_total{method="GET",route="/things/:id",status="204"} 2`)
	require.Contains(t, text, `tasador_http_requests_total{method="GET",route="none",status="404"} 1`)
	require.NotContains(t, text, "/made/up/path")
	problems, err := testutil.GatherAndLint(s.metrics)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestMetricsTellWhichPartIsAway(t *testing.T) {
	s := start(t, nil,
		httpserver.Check{Name: "database", Probe: func(context.Context) error { return errors.New("away") }},
		httpserver.Check{Name: "files", Probe: func(context.Context) error { return nil }},
		httpserver.Check{Name: "notes"})
	require.NoError(t, testutil.GatherAndCompare(s.metrics, strings.NewReader(`
# HELP tasador_part_ready 1 if a part that the server needs is ready, else 0; /readyz says what is missing.
# TYPE tasador_part_ready gauge
tasador_part_ready{part="database"} 0
tasador_part_ready{part="files"} 1
`), "tasador_part_ready"))
}
