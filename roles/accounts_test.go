package roles_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/auth"
	"tasador/pkg/config"
)

// reader is a browser that follows no redirect: what it is sent with each request, and what was set.
type reader struct {
	*guarded
	root    string // of the server
	cookies map[string]string
}

func (w *guarded) reader(root string) *reader { return &reader{w, root, map[string]string{}} }

// post sends a form, keeps the cookies of the answer, and returns where it leads or what it says.
func (r *reader) post(path string, form url.Values, more ...http.Header) (status int, location, body string) {
	r.Helper()
	return r.do(http.MethodPost, path, form, more...)
}

func (r *reader) get(path string) (int, string) {
	r.Helper()
	status, _, body := r.do(http.MethodGet, path, nil)
	return status, body
}

func (r *reader) do(method, path string, form url.Values, more ...http.Header) (status int, location, body string) {
	r.Helper()
	header := http.Header{"Accept": {"text/html"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	for name, value := range r.cookies {
		header.Add("Cookie", name+"="+value)
	}
	for _, h := range more {
		maps.Copy(header, h)
	}
	req, err := http.NewRequestWithContext(r.Context(), method, r.root+path, strings.NewReader(form.Encode()))
	require.NoError(r, err)
	req.Header = header
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(r, err)
	defer res.Body.Close()
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(r.cookies, c.Name)
			continue
		}
		r.cookies[c.Name] = c.Value
	}
	content, err := io.ReadAll(res.Body)
	require.NoError(r, err)
	return res.StatusCode, res.Header.Get("Location"), string(content)
}

// login logs in, which must succeed, and returns the session's secret.
func (r *reader) login(name string) string {
	r.Helper()
	status, location, body := r.post("/login", url.Values{"name": {name}, "password": {password}, "next": {"/account"}})
	require.Equal(r, http.StatusSeeOther, status, body)
	require.Equal(r, "/account", location)
	return r.cookies["tasador_session"]
}

func TestASessionIsNewAtEachLogin(t *testing.T) {
	w := startGuarded(t, nil)
	planted := w.session("viewer") // which somebody else knows and has put into the browser
	r := w.reader(w.cfg.Tracking.URI)
	r.cookies["tasador_session"] = planted
	secret := r.login("admin")
	require.NotEqual(t, planted, secret)
	status, body := r.get("/users") // as a browser that says nothing of where it comes from, which it does only with TLS or on loopback
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `href="/users/viewer"`)
	other := w.reader(w.cfg.Tracking.URI)
	other.cookies["tasador_session"] = planted
	status, _ = other.get("/account")
	require.Equal(t, http.StatusSeeOther, status, "the session of before has ended")

	// After the logout the cookie is worth nothing, whoever has kept it.
	status, location, _ := r.post("/logout", nil)
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "/login?left=yes", location)
	require.Empty(t, r.cookies["tasador_session"])
	other.cookies["tasador_session"] = secret
	status, _ = other.get("/users")
	require.Equal(t, http.StatusSeeOther, status)
}

func TestTheCookieIsForTLSWhereBrowsersSpeakIt(t *testing.T) {
	w := startGuarded(t, func(cfg *config.Config) { cfg.Tracking.PublicURL = "https://tasador.example" })
	form := url.Values{"name": {"viewer"}, "password": {password}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.cfg.Tracking.URI+"/login", strings.NewReader(form.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Len(t, res.Cookies(), 1)
	c := res.Cookies()[0]
	require.Equal(t, "__Host-tasador_session", c.Name)
	require.True(t, c.Secure && c.HttpOnly)
	require.Equal(t, "/", c.Path)
	require.Equal(t, http.StatusUnauthorized, w.send("GET", w.cfg.Tracking.URI+"/version", http.Header{"Cookie": {"tasador_session=" + c.Value}}).status)
	require.Equal(t, http.StatusOK, w.send("GET", w.cfg.Tracking.URI+"/version", http.Header{"Cookie": {c.Name + "=" + c.Value}}).status)
}

func TestNobodyReachesWhatIsAnothers(t *testing.T) {
	w := startGuarded(t, nil)
	r := w.reader(w.cfg.Tracking.URI)
	r.login("viewer")
	all, err := w.store.Tokens(t.Context(), "admin")
	require.NoError(t, err)
	status, _, _ := r.post(fmt.Sprintf("/account/tokens/%d/revoke", all[0].ID), nil)
	require.Equal(t, http.StatusNotFound, status)
	require.Equal(t, http.StatusOK, w.send("GET", w.cfg.Tracking.URI+"/version", bearer(w.tokens[auth.Admin])).status)
	for _, path := range []string{"/users", "/users/admin/role", "/users/viewer/role", "/users/admin/password", "/users/admin/logins/end", "/users/admin/remove"} {
		status, _, body := r.post(path, url.Values{"role": {"admin"}, "name": {"eve"}, "password": {"eve has a password"}})
		require.Equal(t, http.StatusForbidden, status, path)
		require.Contains(t, body, "viewer is viewer, who may not do this")
	}

	// A token that asks for more than its user may gets no more.
	status, _, body := r.post("/account/tokens", url.Values{"name": {"more"}, "role": {"admin"}})
	require.Equal(t, http.StatusOK, status, body)
	_, secret, _ := strings.Cut(body, `<code id="secret">`)
	secret, _, _ = strings.Cut(secret, "<")
	require.Equal(t, http.StatusForbidden, w.send("POST", w.cfg.Tracking.URI+"/api/2.0/mlflow/experiments/create", bearer(secret)).status)
	for _, role := range []string{"root", ""} {
		status, _, body = r.post("/account/tokens", url.Values{"name": {"odd" + role}, "role": {role}})
		require.Equal(t, http.StatusBadRequest, status, body)
	}

	// Tokens make no tokens and change no users, not even an admin's.
	for _, path := range []string{"/account/tokens", "/account/password", "/account/logins/end", "/users", "/users/viewer/role"} {
		got := w.send("POST", w.cfg.Tracking.URI+path, bearer(w.tokens[auth.Admin]))
		require.Equal(t, http.StatusForbidden, got.status, path)
	}
	users, err := w.store.Users(t.Context())
	require.NoError(t, err)
	require.Len(t, users, 3)
	for _, u := range users {
		require.Equal(t, u.Name, string(u.Role))
	}
}

func TestAnAdminIsLeftAndMistakesAreTold(t *testing.T) {
	w := startGuarded(t, nil)
	r := w.reader(w.cfg.Tracking.URI)
	r.login("admin")
	for _, c := range []struct {
		path   string
		form   url.Values
		status int
		says   string
	}{
		{"/users/admin/role", url.Values{"role": {"viewer"}}, http.StatusConflict, "admin is the only admin; make another user admin first"},
		{"/users/admin/remove", nil, http.StatusConflict, "admin is the only admin"},
		{"/users/viewer/role", url.Values{"role": {"root"}}, http.StatusBadRequest, "there is no role"},
		{"/users/viewer/password", url.Values{"password": {"short"}}, http.StatusBadRequest, "the password is too short"},
		{"/users", url.Values{"name": {"x' OR '1'='1"}, "role": {"admin"}, "password": {password}}, http.StatusBadRequest, "is no user name"},
		{"/users", url.Values{"name": {"<script>"}, "role": {"viewer"}, "password": {password}}, http.StatusBadRequest, "&lt;script&gt;"},
		{"/users", url.Values{"name": {"VIEWER"}, "role": {"viewer"}, "password": {password}}, http.StatusConflict, "already exists"},
		{"/users/nobody/remove", nil, http.StatusNotFound, "nobody"},
		{"/account/password", url.Values{"now": {"not the one"}, "new": {"another password"}, "again": {"another password"}}, http.StatusBadRequest, "the password of now is not right"},
		{"/account/password", url.Values{"now": {password}, "new": {"another password"}, "again": {"another"}}, http.StatusBadRequest, "the two new passwords are not the same"},
		{"/account/tokens", url.Values{"name": {"x"}, "role": {"viewer"}, "days": {"-1"}}, http.StatusBadRequest, "the days are a whole number"},
		{"/login", url.Values{"name": {`"><script>alert(1)</script>`}, "password": {"x"}}, http.StatusUnauthorized, "&lt;script&gt;"},
	} {
		status, _, body := r.post(c.path, c.form)
		require.Equal(t, c.status, status, "%s %v", c.path, c.form)
		require.Contains(t, body, c.says, "%s %v", c.path, c.form)
		require.NotContains(t, body, "<script>")
		require.NotContains(t, body, password)
	}
	status, _, _ := r.post("/users", url.Values{"name": {"eve"}, "role": {"admin"}, "password": {password}}, http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}})
	require.Equal(t, http.StatusForbidden, status)
	anonymous := w.reader(w.cfg.Tracking.URI)
	status, _, _ = anonymous.post("/login", url.Values{"name": {"viewer"}, "password": {password}}, http.Header{"Origin": {"https://evil.example"}})
	require.Equal(t, http.StatusForbidden, status, "nobody is logged in by a page elsewhere")
	require.Empty(t, anonymous.cookies)
}

func TestLoginsEndWithTheirPasswordAndUser(t *testing.T) {
	w := startGuarded(t, nil)
	admin, here, there := w.reader(w.cfg.Tracking.URI), w.reader(w.cfg.Tracking.URI), w.reader("http://"+w.cfg.Serving.Listen)
	admin.login("admin")
	here.login("editor")
	there.login("editor")
	status, location, body := here.post("/account/password", url.Values{"now": {password}, "new": {"another password"}, "again": {"another password"}})
	require.Equal(t, http.StatusSeeOther, status, body)
	require.Equal(t, "/account?done=password", location)
	status, body = here.get(location)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "The password is changed; all other logins have ended.")
	status, _ = there.get("/account")
	require.Equal(t, http.StatusSeeOther, status, "at once, in all roles of the process")
	require.Equal(t, http.StatusUnauthorized, w.send("GET", w.cfg.Tracking.URI+"/version", basic("editor", password)).status)
	require.Equal(t, http.StatusOK, w.send("GET", w.cfg.Tracking.URI+"/version", basic("editor", "another password")).status)
	require.Equal(t, http.StatusOK, w.send("GET", w.cfg.Tracking.URI+"/version", bearer(w.tokens[auth.Editor])).status)

	status, _, _ = admin.post("/users/editor/role", url.Values{"role": {"viewer"}})
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, http.StatusForbidden, w.send("POST", w.cfg.Tracking.URI+"/api/2.0/mlflow/experiments/create", bearer(w.tokens[auth.Editor])).status)
	status, _, _ = admin.post("/users/editor/remove", nil)
	require.Equal(t, http.StatusSeeOther, status)
	status, _ = here.get("/account")
	require.Equal(t, http.StatusSeeOther, status)
	for _, header := range []http.Header{basic("editor", "another password"), bearer(w.tokens[auth.Editor])} {
		require.Equal(t, http.StatusUnauthorized, w.send("GET", w.cfg.Tracking.URI+"/version", header).status)
	}
}
