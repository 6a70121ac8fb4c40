package roles_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/audit"
	"tasador/pkg/auth"
	"tasador/pkg/cli"
	"tasador/pkg/config"
	"tasador/pkg/httpserver"
	"tasador/pkg/lifecycle"
	"tasador/pkg/sqlstore/authstore"
	"tasador/pkg/testkit"
	"tasador/roles"
	"tasador/roles/pipeline"
	"tasador/roles/serving"
	"tasador/roles/source"
	"tasador/roles/tracking"
)

// password is that of all users of the tests, each of whom is called as its role.
const password = "correct horse battery"

// guarded is all roles in this process, for which everybody has to log in.
type guarded struct {
	*testing.T
	cfg    *config.Config
	guard  *httpserver.Guard
	store  *authstore.Store
	tokens map[auth.Role]string
}

// addUsers makes a user for each role, with an API token.
func addUsers(t *testing.T, url string) (*authstore.Store, map[auth.Role]string) {
	t.Helper()
	store, err := authstore.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	hash, tokens := auth.HashPassword(password), map[auth.Role]string{}
	for _, role := range auth.Roles() {
		_, err := store.AddUser(t.Context(), string(role), role, hash)
		require.NoError(t, err)
		tokens[role] = auth.NewToken()
		_, err = store.AddToken(t.Context(), auth.Token{Owner: string(role), Name: "test", Role: role}, auth.HashSecret(tokens[role]))
		require.NoError(t, err)
	}
	return store, tokens
}

// startGuarded runs all roles until the test ends.
func startGuarded(t *testing.T, change func(*config.Config)) *guarded {
	t.Helper()
	cfg, err := config.Default()
	require.NoError(t, err)
	cfg.DataDir, cfg.Role = t.TempDir(), config.RoleNames()
	cfg.Schedule.Cron = "none"
	cfg.Auth.Enabled = true
	if change != nil {
		change(cfg)
	}
	listeners := map[string]net.Listener{}
	for _, role := range cfg.Role {
		listeners[role] = testkit.Listen(t)
		*cfg.Listen(role) = listeners[role].Addr().String()
	}
	cfg.SetDefaults(cfg.Role)
	w := &guarded{T: t, cfg: cfg}
	w.store, w.tokens = addUsers(t, cfg.Auth.URL)
	log := slog.New(slog.DiscardHandler)
	w.guard, err = httpserver.OpenGuard(t.Context(), cfg, log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.guard.Close()) })
	changes, err := audit.Open(cfg.Audit.Options(cfg.DataDir), log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, changes.Close()) })
	open := map[string]func(context.Context, *config.Config, net.Listener, *slog.Logger, *httpserver.Guard) (lifecycle.Service, error){
		config.RoleSource: source.New, config.RoleTracking: tracking.New, config.RolePipeline: pipeline.New, config.RoleServing: serving.New,
	}
	for _, role := range cfg.Role { // in this order: serving would wait a minute for a tracking that listens and does not answer yet
		service, err := open[role](t.Context(), cfg, httpserver.Common{Audit: changes}.Listener(listeners[role]), log, w.guard)
		require.NoError(t, err)
		testkit.Serve(t, service)
	}
	return w
}

// filledIn replaces what an address leaves open.
func filledIn(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, ":") || part == "*" {
			parts[i] = "1"
		}
	}
	return strings.Join(parts, "/")
}

// answer is what a client sees of an answer, without the body of an endless one.
type answer struct {
	status int
	header http.Header
	body   string
}

func (w *guarded) send(method, address string, header http.Header) answer {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, http.NoBody)
	require.NoError(w, err)
	maps.Copy(req.Header, header)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	require.NoError(w, err, "%s %s", method, address)
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	if res.StatusCode >= 300 {
		b, err := io.ReadAll(res.Body)
		require.NoError(w, err)
		a.body = string(b)
	}
	return a
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func basic(name, password string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))}}
}

// TestEveryRouteIsRefusedWithoutItsRight asks every address of every role as nobody, and as users who lack the right or have it.
func TestEveryRouteIsRefusedWithoutItsRight(t *testing.T) {
	w := startGuarded(t, nil)
	routes := w.guard.Routes()
	require.Greater(t, len(routes), 250)
	public := map[string]bool{}
	for _, r := range routes {
		name := r.Role + " " + r.Method + " " + r.Path
		address := "http://" + r.Address + strings.ReplaceAll(filledIn(r.Path), "tokens/1/", "tokens/99/") // the first ones are in use
		refused := []int{http.StatusUnauthorized, http.StatusForbidden}
		nobody := w.send(r.Method, address, nil)
		if r.Right == httpserver.Public {
			public[r.Path] = true
			if r.Method+" "+r.Path != "POST /login" { // it refuses wrong passwords
				require.NotContains(t, refused, nobody.status, name)
			}
			continue
		}
		require.Equal(t, http.StatusUnauthorized, nobody.status, name)
		require.Equal(t, []string{`Bearer realm="tasador"`, `Basic realm="tasador", charset="UTF-8"`}, nobody.header.Values("WWW-Authenticate"), name)
		page := w.send(r.Method, address, http.Header{"Accept": {"text/html,*/*"}})
		require.Equal(t, http.StatusSeeOther, page.status, name)
		require.True(t, strings.HasPrefix(page.header.Get("Location"), "/login?next=%2F"), "%s: %s", name, page.header.Get("Location"))
		require.Equal(t, http.StatusUnauthorized, w.send(r.Method, address, bearer("tsd_wrong")).status, name)

		for _, role := range auth.Roles() {
			credentials := bearer(w.tokens[role])
			if strings.HasPrefix(r.Path, "/account") || strings.HasPrefix(r.Path, "/users") { // for people, not for their tokens
				credentials = basic(string(role), password)
			}
			got := w.send(r.Method, address, credentials)
			if !role.May(r.Right) {
				require.Equal(t, http.StatusForbidden, got.status, "%s as %s", name, role)
				if r.Method != http.MethodHead {
					require.Contains(t, got.body, string(role)+" is "+string(role)+", who may not do this", name)
				}
			} else if role == least(r.Right) { // once, since it does what it says
				require.NotContains(t, refused, got.status, "%s as %s", name, role)
			}
		}
	}
	require.ElementsMatch(t, []string{
		"/healthz", "/readyz", "/static/*", "/health", "/ping", "/v2/health/live", "/v2/health/ready", "/api/v2/monitor/health", "/login", "/auth/token", "/auth/token/cli",
	}, slices.Collect(maps.Keys(public)), "what answers without a login")
}

// least is the role that has a right and no more.
func least(right httpserver.Right) auth.Role {
	for _, role := range auth.Roles() {
		if role.May(right) {
			return role
		}
	}
	return ""
}

func TestWhoIsNotRecognisedIsToldInTheShapeOfTheRole(t *testing.T) {
	w := startGuarded(t, nil)
	for _, c := range []struct{ method, address, nobody, viewer string }{
		{"POST", w.cfg.Tracking.Listen + "/api/2.0/mlflow/runs/create", `{"error_code":"UNAUTHENTICATED","message":"log in first`, `{"error_code":"PERMISSION_DENIED","message":"viewer is viewer`},
		{"POST", w.cfg.Pipeline.Listen + "/api/v2/dags/d/dagRuns", `{"detail":"log in first`, `{"detail":"viewer is viewer`},
		{"POST", w.cfg.Serving.Listen + "/feedback", `{"detail":"log in first`, `{"detail":"viewer is viewer`},
		{"GET", w.cfg.Source.Listen + "/data", `{"detail":"log in first`, `{"detail":"viewer is viewer`},
	} {
		got := w.send(c.method, "http://"+c.address, nil)
		require.Equal(t, http.StatusUnauthorized, got.status)
		require.Contains(t, got.body, c.nobody)
		got = w.send(c.method, "http://"+c.address, bearer(w.tokens[auth.Viewer]))
		require.Equal(t, http.StatusForbidden, got.status)
		require.Contains(t, got.body, c.viewer)
	}
	// An unknown address tells nothing, and a browser asks for no password by itself.
	got := w.send("GET", w.cfg.Tracking.URI+"/nowhere", nil)
	require.Equal(t, http.StatusUnauthorized, got.status)
	require.Equal(t, http.StatusNotFound, w.send("GET", w.cfg.Tracking.URI+"/nowhere", bearer(w.tokens[auth.Viewer])).status)
	got = w.send("GET", w.cfg.Tracking.URI+"/version", http.Header{"Sec-Fetch-Mode": {"cors"}})
	require.Equal(t, []string{`Bearer realm="tasador"`}, got.header.Values("WWW-Authenticate"))
}

func TestCredentialsThatAreNoneAreRefused(t *testing.T) {
	w := startGuarded(t, nil)
	address := w.cfg.Tracking.URI + "/version"
	require.Equal(t, http.StatusOK, w.send("GET", address, bearer(w.tokens[auth.Viewer])).status)
	require.Equal(t, http.StatusOK, w.send("GET", address, basic("viewer", password)).status)
	require.Equal(t, http.StatusOK, w.send("GET", address, basic("viewer", w.tokens[auth.Viewer])).status)
	require.Equal(t, http.StatusOK, w.send("GET", address, http.Header{"Authorization": {"bearer " + w.tokens[auth.Viewer]}}).status)
	expired := auth.NewToken()
	_, err := w.store.AddToken(t.Context(), auth.Token{Owner: "viewer", Name: "short", Role: auth.Viewer, ExpiresAt: time.Now().Add(time.Millisecond)}, auth.HashSecret(expired))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return w.send("GET", address, bearer(expired)).status == http.StatusUnauthorized }, time.Minute, time.Millisecond)
	for _, header := range []http.Header{
		{"Authorization": {""}}, {"Authorization": {"Bearer"}}, {"Authorization": {"Bearer "}}, {"Authorization": {"Basic"}}, {"Authorization": {"Basic !!"}},
		{"Authorization": {"Digest username=admin"}}, {"Authorization": {w.tokens[auth.Admin]}}, bearer(w.tokens[auth.Admin] + "x"), bearer(w.tokens[auth.Admin][:46]),
		bearer(strings.ToUpper(w.tokens[auth.Admin])), bearer(auth.HashSecret(w.tokens[auth.Admin])), bearer("tsi_" + w.tokens[auth.Admin][4:]),
		basic("admin", ""), basic("", ""), basic("admin", "' OR '1'='1"), basic("admin' --", password), basic("admin\x00", password), basic("viewer", w.tokens[auth.Admin]),
		basic("admin", strings.Repeat("x", 1<<19)), bearer(strings.Repeat("x", 1<<19)),
		{"Cookie": {"tasador_session=" + w.tokens[auth.Admin]}}, {"Cookie": {"tasador_session="}}, {"Cookie": {"tasador_session=tsp_" + w.tokens[auth.Admin][4:]}},
		{"X-Forwarded-User": {"admin"}}, {"Authorization": {"Bearer x"}, "X-Remote-User": {"admin"}},
	} {
		got := w.send("GET", address, header)
		require.Equal(t, http.StatusUnauthorized, got.status, "%.100v", header)
		require.NotContains(t, got.body, password)
		require.Less(t, len(got.body), 500)
	}
	for i := range 40 { // each from this address
		got := w.send("GET", address, basic(fmt.Sprint("u", i), "wrong"))
		if got.status == http.StatusTooManyRequests {
			require.NotEmpty(t, got.header.Get("Retry-After"))
			require.Contains(t, got.body, "REQUEST_LIMIT_EXCEEDED")
			require.Equal(t, http.StatusOK, w.send("GET", address, basic("viewer", password)).status, "who was right before goes on")
			return
		}
	}
	t.Fatal("nothing slows guessing down")
}

func TestScrapersMayReadMetricsByChoice(t *testing.T) {
	w := startGuarded(t, func(cfg *config.Config) { cfg.Auth.OpenMetrics = true })
	for _, role := range w.cfg.Role {
		require.Equal(t, http.StatusOK, w.send("GET", "http://"+*w.cfg.Listen(role)+"/metrics", nil).status)
		require.Equal(t, http.StatusUnauthorized, w.send("GET", "http://"+*w.cfg.Listen(role)+"/buildinfo", nil).status)
	}
}

func TestPagesOfOtherOriginsChangeNothing(t *testing.T) {
	w := startGuarded(t, nil)
	change, read := w.cfg.Tracking.URI+"/api/2.0/mlflow/experiments/create", w.cfg.Tracking.URI+"/version"
	restart := w.cfg.Source.URI + "/restart_data_generation?group_number=7&day=Tuesday" // a GET that changes something
	secret := w.session("editor")
	for _, c := range []struct {
		name   string
		header http.Header
		other  bool
	}{
		{"a program", nil, false},
		{"a page of ours", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {w.cfg.Tracking.URI}}, false},
		{"an address that was typed", http.Header{"Sec-Fetch-Site": {"none"}}, false},
		{"a page of another port", http.Header{"Sec-Fetch-Site": {"same-site"}, "Origin": {w.cfg.Source.URI}}, true},
		{"a page elsewhere", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}, true},
		{"a page elsewhere, of an old browser", http.Header{"Origin": {"https://evil.example"}}, true},
		{"a file", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"null"}}, true},
	} {
		for _, by := range []http.Header{{"Cookie": {"tasador_session=" + secret}}, bearer(w.tokens[auth.Editor])} {
			header := maps.Clone(by)
			maps.Copy(header, c.header)
			require.Equal(t, c.other, w.send("POST", change, header).status == http.StatusForbidden, c.name)
			require.Equal(t, http.StatusOK, w.send("GET", read, header).status, c.name)
			if header.Get("Origin") == "" || c.other { // browsers send none with a GET
				got := w.send("GET", restart, header).status
				refused := got == http.StatusForbidden || got == http.StatusUnauthorized
				require.Equal(t, c.other || (c.header == nil && header.Get("Cookie") != ""), refused, "%s: %d", c.name, got)
			}
		}
	}
}

// session begins a session of a user and returns its cookie's value.
func (w *guarded) session(user string) string {
	w.Helper()
	a := auth.New(w.store, auth.Limits{SessionIdle: time.Hour, SessionLife: time.Hour})
	defer a.Close()
	secret, _, err := a.LogIn(w.Context(), auth.Login{Name: user, Password: password}, auth.ForPages)
	require.NoError(w, err)
	return secret
}

func TestServersDoNotStartUnguarded(t *testing.T) {
	run := func(args ...string) (int, string) {
		var errOut bytes.Buffer
		app := cli.App{IO: cli.IO{In: strings.NewReader(password), Out: io.Discard, Err: &errOut}, RunRoles: roles.Run}
		return app.Main(t.Context(), args), errOut.String()
	}
	dir := t.TempDir()
	code, says := run("--role=source", "--source.listen=0.0.0.0:0", "--data-dir="+dir)
	require.NotZero(t, code)
	require.Contains(t, says, "can be reached from other machines, where anybody could change everything; let everybody log in with --auth.enabled, listen on 127.0.0.1, or say --insecure")
	code, says = run("--role=source", "--source.listen=127.0.0.1:0", "--auth.enabled", "--data-dir="+dir)
	require.NotZero(t, code)
	require.Contains(t, says, "make one with tasador user add NAME --role=admin")
	code, says = run("user", "add", "bob", "--role=editor", "--data-dir="+dir)
	require.Zero(t, code, says)
	code, _ = run("--role=source", "--source.listen=127.0.0.1:0", "--auth.enabled", "--data-dir="+dir)
	require.NotZero(t, code, "an editor cannot add users")
	_, err := authstore.Open(t.Context(), "sqlite:"+filepath.Join(dir, "auth.db"), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
}
