package roles_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"tasador/pkg/auth"
	"tasador/pkg/outgoing"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore/trackingstore"
	"tasador/pkg/trackingclient"
)

// TestWhoHasLoggedInIsNamed triggers a DAG run by a program, and moves a version on the page.
func TestWhoHasLoggedInIsNamed(t *testing.T) {
	w := startGuarded(t, nil)
	client := trackingclient.New(w.cfg.Tracking.URI, trackingclient.Options{Outgoing: outgoing.Options{Login: outgoing.Login{Token: w.tokens[auth.Editor]}}})
	_, err := client.CreateModel(t.Context(), "prices", "", nil)
	require.NoError(t, err)
	_, err = client.CreateVersion(t.Context(), registry.NewVersion{Name: "prices", Source: "s3://bucket/model"})
	require.NoError(t, err)
	_, err = client.TransitionStage(t.Context(), "prices", "1", registry.Staging, false)
	require.NoError(t, err)
	store, err := trackingstore.Open(t.Context(), w.cfg.Tracking.DB, "mlflow-artifacts:/", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	last := func() registry.Actor {
		moves, _, err := store.Moves(t.Context(), "prices", trackingstore.MoveQuery{Limit: 1})
		require.NoError(t, err)
		return moves[0].By
	}
	require.Equal(t, "editor", last().User)
	require.True(t, last().Verified)
	require.Equal(t, registry.ViaAPI, last().Via)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.cfg.Pipeline.Listen+"/api/v2/dags/realtor_price_model/dagRuns", strings.NewReader(`{"logical_date":null}`))
	require.NoError(t, err)
	req.Header = bearer(w.tokens[auth.Editor])
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	var run struct {
		ID   string `json:"dag_run_id"`
		User string `json:"triggering_user_name"`
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&run))
	require.Equal(t, "editor", run.User)

	if testing.Short() {
		t.Skip("needs Chromium")
	}
	b := tab{t: t, ctx: browser(t)}
	b.open("http://" + w.cfg.Pipeline.Listen + "/dags/realtor_price_model/runs/" + url.PathEscape(run.ID))
	b.login("editor", password)
	b.do(chromedp.WaitVisible(chromedp.CSS("#who")))
	require.Contains(t, b.text("main"), "manual (rest_api) · editor")
	b.open(w.cfg.Tracking.URI + "/models/prices") // logged in there too
	b.click("#version-1 .mover")
	b.do(chromedp.WaitVisible(chromedp.CSS(`#stage-version[value="1"]`)))
	b.replace("#stage-version", "1"+kb.Enter)
	b.do(chromedp.WaitVisible(chromedp.CSS("#confirm")))
	require.Equal(t, "editor, page, 127.0.0.1", b.text("#by"))
	require.NotContains(t, b.text("main"), "Nobody signs in here yet")
	b.click("#confirm")
	b.do(chromedp.WaitVisible(chromedp.CSS("#done")))
	require.Equal(t, registry.ViaPage, last().Via)
	require.Equal(t, "editor", last().User)
	require.True(t, last().Verified)
	b.click("#logout")
	require.Equal(t, "You have logged out.", b.text("#left"))
	b.open(w.cfg.Tracking.URI + "/models/prices")
	b.do(chromedp.WaitVisible(chromedp.CSS("#login")))
}
