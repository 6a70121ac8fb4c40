package roles_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/experiment"
	"tasador/pkg/trackingclient"
)

// logSweep logs a run with four child runs, which have params, a history each, numbers and a picture. It returns the ids, the parent's first.
func (s *stack) logSweep(t *testing.T) []string {
	t.Helper()
	client := trackingclient.New(s.cfg.Tracking.URI, trackingclient.Options{})
	parent, err := client.CreateRun(t.Context(), experiment.NewRun{ExperimentID: experiment.DefaultID, Name: "sweep", StartTime: 1_800_000_000_000})
	require.NoError(t, err)
	ids := []string{parent.ID}
	for i, alpha := range []string{"0.01", "0.1", "1.0", "10.0"} {
		run, err := client.CreateRun(t.Context(), experiment.NewRun{
			ExperimentID: experiment.DefaultID, Name: "alpha " + alpha, StartTime: 1_800_000_060_000 + int64(i), Tags: []experiment.Tag{{Key: "mlflow.parentRunId", Value: parent.ID}},
		})
		require.NoError(t, err)
		batch := experiment.Batch{
			Params:  []experiment.Param{{Key: "alpha", Value: alpha}, {Key: "seed", Value: "42"}},
			Metrics: []experiment.Metric{{Key: "test_rmse", Value: 70000 + 1000*math.Abs(float64(i)-2)}, {Key: "bias", Value: float64(i) - 1.5}},
			Tags:    []experiment.Tag{{Key: "note", Value: "=1+1"}},
		}
		for step := range int64(40) {
			batch.Metrics = append(batch.Metrics, experiment.Metric{Key: "loss", Value: float64(i+1) * math.Exp(-float64(step)/12), Step: step})
		}
		require.NoError(t, client.LogBatch(t.Context(), run.ID, batch))
		ids = append(ids, run.ID)
	}
	picture := image.NewRGBA(image.Rect(0, 0, 240, 120))
	for x := range 240 {
		picture.Set(x, 119-x/2, color.RGBA{R: 11, G: 110, B: 110, A: 255})
	}
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, picture))
	require.NoError(t, client.PutArtifact(t.Context(), strings.Replace(parent.ArtifactURI, parent.ID, ids[1], 1), "fit.png", &out))
	require.NoError(t, client.LogInputs(t.Context(), ids[1], experiment.Inputs{Datasets: []experiment.DatasetInput{{
		Dataset: experiment.Dataset{Name: "listings", Digest: "0a1b2c", SourceType: "local", Source: `{"uri": "train.csv"}`, Schema: `{"bed": "double"}`, Profile: `{"rows": 12885}`},
		Tags:    []experiment.Tag{{Key: experiment.TagDataContext, Value: "training"}},
	}}}))
	return ids
}

// TestAPersonComparesRuns sorts and narrows the table of runs, takes it away as a file, chooses runs and sees what was different about the best.
func TestAPersonComparesRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	s := startStack(t, nil, config.RoleTracking)
	ids := s.logSweep(t)
	b, source := tab{t: t, ctx: browser(t)}, axe(t)
	b.open(s.cfg.Tracking.URI + "/experiments/0")
	b.click(".pick summary")
	for _, column := range []string{"params.alpha", "metrics.test_rmse", "tags.note"} {
		if !evaluate[bool](b, fmt.Sprintf(`document.querySelector('input[value=%q]').checked`, column)) {
			b.click(fmt.Sprintf(`input[value=%q]`, column))
		}
	}
	b.click(`form[role="search"] button`)
	b.do(chromedp.WaitVisible(chromedp.CSS(`th a[href*="sort=metrics.test_rmse"]`)))
	b.click(`th a[href*="sort=metrics.test_rmse"]`)
	b.do(chromedp.WaitVisible(chromedp.CSS(`th[aria-sort="ascending"]`)))
	best := s.tracked(t, "SELECT r.name FROM latest_metrics m JOIN runs r ON r.id = m.run_id WHERE m.key = 'test_rmse' ORDER BY m.value LIMIT 1")
	require.Equal(t, best[0], b.text("tbody tr:first-child a"))
	b.click(`th[aria-sort="ascending"] a`)
	b.do(chromedp.WaitVisible(chromedp.CSS(`th[aria-sort="descending"]`)))
	require.Contains(t, evaluate[string](b, `location.search`), "way=desc", "the address remembers the order")
	b.requireAccessible(source, "runs")
	b.picture("runs-sorted")

	// The file has what the table shows, in its order, and no formula.
	status, body := get(t, evaluate[string](b, `document.querySelector("#csv").href`))
	require.Equal(t, http.StatusOK, status)
	records, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	require.NoError(t, err)
	shown := evaluate[string](b, `[...document.querySelectorAll("tbody .titled:nth-child(2) a")].map((a) => a.textContent).join("|")`)
	var named []string
	at := map[string]int{}
	for i, head := range records[0] {
		at[head] = i
	}
	for _, r := range records[1:] {
		named = append(named, r[1])
		require.Contains(t, []string{"", "'=1+1"}, r[at["tags.note"]])
	}
	require.Equal(t, shown, strings.Join(named, "|"))

	for _, id := range ids[1:4] {
		b.click(fmt.Sprintf(`input[name="run"][value=%q]`, id))
	}
	b.click("#compare")
	require.Contains(t, b.text(`[data-key="test_rmse"] .best`), "70,000")
	require.Contains(t, b.text(`[data-key="alpha"]`), "differs")
	require.Equal(t, 3, evaluate[int](b, `document.querySelectorAll('[data-history="loss"] .line').length`))
	require.Equal(t, 3, evaluate[int](b, `document.querySelectorAll('[data-history="test_rmse"] rect').length`))
	b.click(".views a:not([aria-current])")
	b.do(chromedp.WaitNotPresent(chromedp.CSS(`[data-key="seed"]`)))
	b.picture("compare-differing")
	b.requireAccessible(source, "only what differs")

	// From a run to its family.
	b.open(s.cfg.Tracking.URI + "/runs/" + ids[1])
	require.Equal(t, "sweep", b.text("#parent"))
	require.Contains(t, b.text("table.datasets"), "training")
	b.click("#with-siblings")
	b.do(chromedp.WaitVisible(chromedp.CSS(`#runs thead th:nth-child(5)`)))
	b.open(s.cfg.Tracking.URI + "/runs/" + ids[1] + "/artifacts?file=fit.png")
	b.do(chromedp.WaitVisible(chromedp.CSS("img.preview")))
	require.Equal(t, 240, evaluate[int](b, `(() => { const i = document.querySelector("img.preview"); return i.complete ? i.naturalWidth : -1; })()`))
	all := "/compare?run=" + strings.Join(ids, "&run=")
	s.requireFits(b, "/experiments/0?sort=metrics.test_rmse&way=desc", all, "/compare", "/compare?run=gone&run="+ids[1], "/runs/"+ids[0], "/runs/"+ids[1], "/runs/"+ids[1]+"/artifacts?file=fit.png")
}
