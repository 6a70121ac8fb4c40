package roles_test

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/experiment"
	"tasador/pkg/realtor"
	"tasador/pkg/registry"
	"tasador/pkg/trackingclient"
)

// values are what the page of the run must show, as tracking's REST API and its database have them.
type values struct {
	run      experiment.Run
	version  registry.Version
	testRMSE float64
	alpha    string
}

// logged reads what the DAG run trained: over REST, and again from the tables.
func (s *stack) logged(t *testing.T, dagRunID string) values {
	t.Helper()
	client := trackingclient.New(s.cfg.Tracking.URI, trackingclient.Options{})
	e, err := client.ExperimentByName(t.Context(), realtor.Experiment)
	require.NoError(t, err)
	q := experiment.RunSearch{ExperimentIDs: []string{e.ID}}
	q.Filter = "attributes.run_name = '" + realtor.TrainRun(dagRunID) + "'"
	page, err := client.SearchRuns(t.Context(), q)
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	versions, err := client.LatestVersions(t.Context(), realtor.Model, []registry.Stage{registry.Production})
	require.NoError(t, err)
	require.Len(t, versions, 1)
	v := values{run: page.Items[0], version: versions[0]}

	db, err := sql.Open("sqlite", filepath.Join(s.cfg.DataDir, "tracking.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT value FROM latest_metrics WHERE run_id = ? AND key = 'test_rmse'", v.run.ID).Scan(&v.testRMSE))
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT value FROM params WHERE run_id = ? AND key = 'best_alpha'", v.run.ID).Scan(&v.alpha))
	return v
}

func TestAPersonFollowsARunToItsModel(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, nil, config.RoleNames()...)
	b := tab{t: t, ctx: browser(t)}
	b.open(s.cfg.Tracking.URI)
	require.Contains(t, b.text("main"), "There are no runs yet")
	s.runDAG(t, "night")
	want := s.logged(t, "night")

	// From the experiment by a filter, first with a mistake, to the run.
	b.open(s.cfg.Tracking.URI)
	require.Contains(t, b.text("#export"), s.cfg.Tracking.URI)
	b.follow(realtor.Experiment)
	b.replace("#filter", "metrics.test_rmse >"+kb.Enter)
	require.Contains(t, b.text("#filter-error"), "Nothing was searched")
	require.Equal(t, "metrics.test_rmse >", evaluate[string](b, `document.querySelector("#filter").value`))
	b.replace("#filter", "tags.dag_run_id = 'night' AND metrics.test_rmse > 0"+kb.Enter)
	require.Contains(t, b.text("tbody tr"), "night")
	require.Equal(t, 1, evaluate[int](b, `document.querySelectorAll("tbody tr").length`), "the run with the decision has no test_rmse")
	b.picture("tracking-runs")
	b.follow(realtor.TrainRun("night"))

	// What the page says is what is stored.
	require.Equal(t, want.run.ID, b.text("dd.id a[href^='/runs/']"))
	require.Equal(t, fmt.Sprint(want.testRMSE), evaluate[string](b, `document.querySelector("[data-metric=test_rmse] span").title`))
	require.Equal(t, money(want.testRMSE), "$"+b.text("[data-metric=test_rmse] span"))
	require.Equal(t, want.alpha, evaluate[string](b, `document.querySelector("[aria-labelledby=params] td").textContent`))
	require.Equal(t, "http://"+s.cfg.Pipeline.Listen+"/dags/realtor_price_model/runs/night", evaluate[string](b, `document.querySelector(".about .dag-run").href`))
	b.picture("tracking-run")

	// On to the version in Production, and to its files.
	b.follow(realtor.Model + " " + want.version.Version)
	require.Equal(t, "version "+want.version.Version, b.text(".in-production"))
	require.Contains(t, b.text("[aria-labelledby=production]"), strings.TrimPrefix(money(want.testRMSE), "$"))
	b.picture("tracking-model")
	b.click("#version-" + want.version.Version + " a[href^='/logged-models/']")
	b.follow("MLmodel")
	require.Equal(t, "MLmodel", b.text("#file-name"))
	shown := evaluate[string](b, `document.querySelector("pre.text").textContent`)
	address := evaluate[string](b, `document.querySelector("#file a[download]").href`)
	status, downloaded := get(t, address)
	require.Equal(t, http.StatusOK, status)
	client := trackingclient.New(s.cfg.Tracking.URI, trackingclient.Options{})
	file, _, err := client.OpenArtifact(t.Context(), want.version.Source, "MLmodel")
	require.NoError(t, err)
	stored, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Equal(t, string(stored), downloaded)
	require.Equal(t, string(stored), shown)
	s.requireFits(b, "/", "/runs/"+s.drawnRun(t, want.version), "/experiments/1", "/experiments/1?filter=x", "/runs/"+want.run.ID, "/models", "/models/"+realtor.Model,
		"/logged-models/"+strings.TrimPrefix(want.version.Source, "models:/")+"?file=MLmodel", "/runs/nobody")
}

// drawnRun logs a run with a history and a file, which became another version: its pages have charts. It returns the run's id.
func (s *stack) drawnRun(t *testing.T, before registry.Version) string {
	t.Helper()
	client := trackingclient.New(s.cfg.Tracking.URI, trackingclient.Options{})
	run, err := client.CreateRun(t.Context(), experiment.NewRun{ExperimentID: experiment.DefaultID, Name: "drawn"})
	require.NoError(t, err)
	batch := experiment.Batch{Metrics: []experiment.Metric{{Key: realtor.MetricTestRMSE, Value: 1000}}, Params: []experiment.Param{{Key: "long", Value: strings.Repeat("x", 500)}}}
	for step := range int64(9) {
		batch.Metrics = append(batch.Metrics, experiment.Metric{Key: "loss", Value: 1 / float64(step+1), Step: step})
	}
	require.NoError(t, client.LogBatch(t.Context(), run.ID, batch))
	require.NoError(t, client.PutArtifact(t.Context(), run.ArtifactURI, "notes.txt", strings.NewReader("read me")))
	_, err = client.CreateVersion(t.Context(), registry.NewVersion{Name: before.Name, Source: before.Source, RunID: run.ID})
	require.NoError(t, err)
	return run.ID
}

// follow clicks the first link with that text and waits for its page.
func (b tab) follow(text string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.Search(`//main//a[normalize-space()="` + text + `"]`)))
}

// requireFits opens pages of tracking in both languages, light and dark, and looks that none is wider than the screen and that axe-core
// finds nothing wrong.
func (s *stack) requireFits(b tab, paths ...string) {
	b.t.Helper()
	source := axe(b.t)
	for _, width := range []int64{360, 1440} {
		b.do(chromedp.EmulateViewport(width, 900))
		for i, path := range paths {
			for _, taste := range []string{"lang=es&theme=dark", "lang=en&theme=light"} {
				mark := "?"
				if strings.Contains(path, "?") {
					mark = "&"
				}
				b.open(s.cfg.Tracking.URI + path + mark + taste)
				over := evaluate[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
				require.Zero(b.t, over, "%s is wider than %d pixels", path, width)
				b.requireAccessible(source, path)
				b.picture(fmt.Sprintf("tracking-%d-%d-%s", i, width, taste[5:7]))
			}
		}
	}
}
