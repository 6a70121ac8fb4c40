package roles_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"tasador/pkg/auth"
	"tasador/pkg/testkit"
)

// login fills in the form that the browser is at.
func (b tab) login(name, password string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS("#login")))
	b.replace("#name", name)
	b.replace("#password", password+kb.Enter)
}

// TestAPersonLogsInAndKeepsUsers is sent from a page to the login, mistypes the password, gets to that page, adds a user, makes a token, and logs out.
func TestAPersonLogsInAndKeepsUsers(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	w := startGuarded(t, nil)
	b, source := tab{t: t, ctx: browser(t)}, axe(t)
	b.open(w.cfg.Tracking.URI + "/models?max_results=5")
	b.login("admin", "not the password")
	require.Equal(t, "User or password is not right.", b.text("#failed"))
	b.requireAccessible(source, "login")
	b.picture("login-failed")
	b.login("admin", password)
	b.do(chromedp.WaitVisible(chromedp.CSS("#who")))
	require.Equal(t, "/models?max_results=5", evaluate[string](b, "location.pathname + location.search"))
	require.Equal(t, "admin", b.text("#who"))

	b.open("http://" + w.cfg.Serving.Listen + "/users") // the cookie counts on every port of the host
	b.do(chromedp.WaitVisible(chromedp.CSS("#users")))
	b.requireGoodPage(source, "users", "users", 1440)
	b.replace("#name", "ana")
	b.replace("#password", "a long enough one"+kb.Enter)
	b.do(chromedp.WaitVisible(chromedp.CSS("#done")))
	users, err := w.store.Users(t.Context())
	require.NoError(t, err)
	require.Len(t, users, 4)
	for _, u := range users {
		if u.Name == "ana" {
			require.Equal(t, auth.Viewer, u.Role)
		}
	}

	b.open("http://" + w.cfg.Pipeline.Listen + "/account")
	b.replace("#token_name", "nightly"+kb.Enter)
	b.do(chromedp.WaitVisible(chromedp.CSS("#secret")))
	secret := b.text("#secret")
	require.Equal(t, http.StatusOK, w.send(http.MethodGet, w.cfg.Tracking.URI+"/version", bearer(secret)).status)
	for _, width := range []int64{360, 1440} {
		b.do(chromedp.EmulateViewport(width, 900))
		b.requireGoodPage(source, "account", "account", width)
	}

	require.Eventually(t, func() bool { // lines are on disk a moment later
		b.open("http://" + w.cfg.Pipeline.Listen + "/audit")
		return strings.Contains(b.text("#changes"), "POST /account/tokens name=nightly")
	}, 30*time.Second, 50*time.Millisecond)
	require.Contains(t, b.text("#changes"), "by login")
	require.NotContains(t, b.text("#changes"), "a long enough one")
	for _, width := range []int64{360, 1440} {
		b.do(chromedp.EmulateViewport(width, 900))
		b.requireGoodPage(source, "audit", "audit", width)
	}
	b.replace("#user", "nobody"+kb.Enter)
	b.do(chromedp.WaitVisible(chromedp.CSS(".empty")))

	b.click("#logout")
	require.Equal(t, "You have logged out.", b.text("#left"))
	b.open("http://" + w.cfg.Pipeline.Listen + "/")
	b.do(chromedp.WaitVisible(chromedp.CSS("#login")))
	sessions, err := w.store.Sessions(t.Context(), "admin")
	require.NoError(t, err)
	require.Empty(t, sessions)
}

// TestALoginLeadsNowhereElse asks for a page after the login that another server could have made up.
func TestALoginLeadsNowhereElse(t *testing.T) {
	w := startGuarded(t, nil)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for next, want := range map[string]string{
		"/models?a=b": "/models?a=b", "https://evil.invalid/": "/", "//evil.invalid": "/", `/\evil.invalid`: "/", "/\t/evil.invalid": "/", "javascript:alert(1)": "/", "/login": "/", "": "/",
	} {
		form := strings.NewReader("name=viewer&password=" + strings.ReplaceAll(password, " ", "+") + "&next=" + url.QueryEscape(next))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.cfg.Tracking.URI+"/login", form)
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusSeeOther, res.StatusCode, next)
		require.Equal(t, want, res.Header.Get("Location"), next)
		cookie := res.Cookies()[0]
		require.True(t, cookie.HttpOnly)
		require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	}
}

func TestWhoGuessesPasswordsHasToWait(t *testing.T) {
	w := startGuarded(t, nil)
	guess := func(name string) (int, string) {
		body, err := json.Marshal(map[string]string{"username": name, "password": "a wrong one"})
		require.NoError(t, err)
		res, err := http.Post("http://"+w.cfg.Pipeline.Listen+"/auth/token", "application/json", bytes.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode, res.Header.Get("Retry-After")
	}
	for range 100 {
		status, wait := guess("viewer")
		if status == http.StatusTooManyRequests {
			require.NotEmpty(t, wait)
			return
		}
		require.Equal(t, http.StatusUnauthorized, status)
	}
	t.Fatal("a hundred guesses in a row were answered")
}

// TestAirflowsClientLogsIn gets a token with a name and a password, as Airflow's users do, and lists the DAGs with it.
func TestAirflowsClientLogsIn(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Python packages")
	}
	w := startGuarded(t, nil)
	python := testkit.Venv(t, "python")
	cmd := exec.Command(python, filepath.Join(testkit.ModuleRoot(t), "scripts", "python", "airflow_login.py"), "http://"+w.cfg.Pipeline.Listen, "viewer")
	cmd.Env = append(os.Environ(), "TASADOR_TEST_PASSWORD="+password)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "realtor_price_model\nwrong password: 401\nno token: 401\nviewer triggers: 403\n", string(out))
}
