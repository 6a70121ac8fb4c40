package roles_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/registry"
	"tasador/pkg/trackingclient"
)

// tracked reads rows of tracking's database, each as its columns joined by spaces.
func (s *stack) tracked(t *testing.T, query string, args ...any) (rows []string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.cfg.DataDir, "tracking.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	found, err := db.QueryContext(t.Context(), query, args...)
	require.NoError(t, err)
	defer func() { require.NoError(t, found.Close()) }()
	for found.Next() {
		var row string
		require.NoError(t, found.Scan(&row))
		rows = append(rows, row)
	}
	require.NoError(t, found.Err())
	return rows
}

// TestAPersonMovesAModel puts a version into Production and gives it an alias, sees before what changes, and finds it in the audit trail.
func TestAPersonMovesAModel(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, nil, config.RoleTracking)
	client := trackingclient.New(s.cfg.Tracking.URI, trackingclient.Options{})
	_, err := client.CreateModel(t.Context(), "prices", "", nil)
	require.NoError(t, err)
	for range 3 {
		_, err := client.CreateVersion(t.Context(), registry.NewVersion{Name: "prices", Source: "s3://bucket/model"})
		require.NoError(t, err)
	}
	_, err = client.TransitionStage(t.Context(), "prices", "1", registry.Production, true)
	require.NoError(t, err)
	const stages = "SELECT version || ' ' || stage FROM model_versions ORDER BY version"
	before := s.tracked(t, stages)
	require.Equal(t, []string{"1 Production", "2 None", "3 None"}, before)

	b, source := tab{t: t, ctx: browser(t)}, axe(t)
	b.open(s.cfg.Tracking.URI + "/models/prices")
	b.click("#version-3 .mover")
	b.do(chromedp.WaitVisible(chromedp.CSS(`#stage-version[value="3"]`)))
	b.replace("#stage-version", "9"+kb.Enter)
	require.Equal(t, "This model has no version 9.", b.text("#stage-version-error"))
	b.requireAccessible(source, "a version that does not exist")
	b.picture("move-mistake")
	b.replace("#stage-version", "3"+kb.Enter)
	require.Contains(t, b.text("#changes tbody tr:first-child"), "version 1")
	require.Contains(t, b.text("#changes tbody tr:first-child"), "Archived")
	require.Contains(t, b.text("#by"), "page, 127.0.0.1")
	require.Equal(t, before, s.tracked(t, stages), "nothing has changed yet")
	for _, view := range []struct {
		taste string
		width int64
	}{{"theme=dark", 360}, {"theme=light", 1440}} {
		b.do(chromedp.EmulateViewport(view.width, 900))
		b.requireGoodPage(source, "move", fmt.Sprintf("move-confirm-%d", view.width), view.width)
	}
	b.click("#confirm")
	require.Contains(t, b.text("#done"), "The audit trail has it.")
	require.Equal(t, []string{"1 Archived", "2 None", "3 Production"}, s.tracked(t, stages))

	b.replace("#alias", "champion")
	b.replace("#alias-version", "3"+kb.Enter)
	b.do(chromedp.WaitVisible(chromedp.CSS("#confirm")))
	require.Contains(t, b.text("h1"), "Let the alias champion name version 3?")
	require.Empty(t, s.tracked(t, "SELECT alias FROM model_aliases"))
	b.click("#confirm")
	b.do(chromedp.WaitVisible(chromedp.CSS("#done")))
	require.Contains(t, b.text("#version-3"), "@champion")
	require.Equal(t, []string{"champion 3"}, s.tracked(t, "SELECT alias || ' ' || version FROM model_aliases"))
	require.Equal(t, []string{
		"api stage 1 None>Production", "page stage 1 Production>Archived", "page stage 3 None>Production", "page alias 0 champion>3",
	}, s.tracked(t, "SELECT via || ' ' || matter || ' ' || version || ' ' || alias || from_value || '>' || to_value FROM model_moves ORDER BY id"))
	require.Equal(t, "version 3", b.text(".in-production"))
	require.Contains(t, b.text("#before"), "Before that: version 1")
	require.Equal(t, 4, evaluate[int](b, `document.querySelectorAll("[data-move]").length`))
	s.requireFits(b, "/models/prices", "/models/prices?version=2")
}
