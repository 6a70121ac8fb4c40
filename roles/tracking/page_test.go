package tracking_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/pkg/registry"
	"tasador/pkg/trackingclient"
)

// page asks for a page as a browser does.
func (s server) page(t *testing.T, path string, wantStatus int) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.uri+path, nil)
	require.NoError(t, err)
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	a := readAnswer(t, resp)
	require.Equal(t, wantStatus, a.status, "%s: %s", path, a.body)
	require.Contains(t, a.header.Get("Content-Type"), "text/html")
	require.Contains(t, a.header.Get("Content-Security-Policy"), "default-src 'none'")
	require.True(t, strings.HasSuffix(strings.TrimSpace(a.body), "</html>"), "the page is whole")
	return a.body
}

// names returns the texts of the links to addresses that begin with prefix, in the order of the page.
func names(page, prefix string) []string {
	var found []string
	for _, m := range regexp.MustCompile(`<a [^>]*href="`+prefix+`[^"]*"[^>]*>([^<]*)</a>`).FindAllStringSubmatch(page, -1) {
		found = append(found, html.UnescapeString(m[1]))
	}
	return found
}

func newRun(t *testing.T, c *trackingclient.Client, experimentID, name string, batch experiment.Batch) string {
	t.Helper()
	run, err := c.CreateRun(t.Context(), experiment.NewRun{ExperimentID: experimentID, Name: name, StartTime: 1_800_000_000_000})
	require.NoError(t, err)
	require.NoError(t, c.LogBatch(t.Context(), run.ID, batch))
	return run.ID
}

func TestThePageOfExperiments(t *testing.T) {
	s := start(t)
	first := s.page(t, "/", http.StatusOK)
	require.Equal(t, []string{"Default"}, names(first, "/experiments/"))
	require.Contains(t, first, "export MLFLOW_TRACKING_URI="+s.uri, "clients find where to go")
	require.Contains(t, first, "There are no runs yet", "an empty page teaches")
	require.Contains(t, names(first, "/models"), "Models")

	id, err := s.client().CreateExperiment(t.Context(), experiment.NewExperiment{Name: "prices"})
	require.NoError(t, err)
	newRun(t, s.client(), id, "older", experiment.Batch{})
	run, err := s.client().CreateRun(t.Context(), experiment.NewRun{ExperimentID: id, Name: "newer", StartTime: 1_800_000_060_000})
	require.NoError(t, err)
	after := s.page(t, "/", http.StatusOK)
	require.Equal(t, []string{"prices", "Default"}, names(after, "/experiments/"))
	require.Equal(t, []string{"newer"}, names(after, "/runs/"+run.ID))
	require.Regexp(t, `prices</a></td><td class="num">2</td>`, after)
	require.NotContains(t, after, "There are no runs yet")
}

func TestTheTableOfRuns(t *testing.T) {
	s := start(t)
	require.Contains(t, s.page(t, "/experiments/0", http.StatusOK), "This experiment has no runs yet")
	for i, rmse := range []float64{80000, 70000.125, 90000} {
		newRun(t, s.client(), "0", fmt.Sprintf("run %d", i), experiment.Batch{
			Metrics: []experiment.Metric{{Key: "test_rmse", Value: rmse}}, Params: []experiment.Param{{Key: "best_alpha", Value: "10.0"}},
			Tags: []experiment.Tag{{Key: "dag_run_id", Value: "manual__2026-11-23T10:00:00+00:00"}, {Key: "colour", Value: "blue"}},
		})
	}
	plain := s.page(t, "/experiments/0", http.StatusOK)
	require.Contains(t, plain, "70,000.12", "metrics stand in a column")
	require.Contains(t, plain, ">10.0<")
	require.NotContains(t, plain, ">blue<", "only chosen columns are shown")
	require.Contains(t, plain, "/dags/realtor_price_model/runs/manual__2026-11-23T10:00:00&#43;00:00\"", "a DAG run is a link to the pipeline")
	require.Contains(t, plain, `title="Jan 15, 2027, 08:00:00 UTC"`)

	sorted := func(way string) []string {
		return names(s.page(t, "/experiments/0?sort=metrics.test_rmse&way="+way, http.StatusOK), "/runs/")
	}
	require.Equal(t, []string{"run 1", "run 0", "run 2"}, sorted("asc"))
	require.Equal(t, []string{"run 2", "run 0", "run 1"}, sorted("desc"))
	ascending := s.page(t, "/experiments/0?sort=metrics.test_rmse&way=asc", http.StatusOK)
	require.Contains(t, ascending, `aria-sort="ascending"`)
	require.Contains(t, ascending, `sort=metrics.test_rmse&amp;way=desc`, "a second click turns the order around")

	filtered := s.page(t, "/experiments/0?filter="+url.QueryEscape("metrics.test_rmse < 85000 AND tags.colour = 'blue'")+"&col=&col=tags.colour", http.StatusOK)
	require.Equal(t, []string{"run 1", "run 0"}, reverseSorted(names(filtered, "/runs/")))
	require.Contains(t, filtered, ">blue<")
	require.Contains(t, filtered, `value="tags.colour" checked`)
	require.NotContains(t, filtered, "70,000.12", "what is not chosen is not shown")

	nothing := s.page(t, "/experiments/0?filter="+url.QueryEscape("metrics.test_rmse > 1e9"), http.StatusOK)
	require.Contains(t, nothing, "No run matches the filter.")

	wrong := s.page(t, "/experiments/0?filter="+url.QueryEscape(`metrics.test_rmse ~ "x"`), http.StatusBadRequest)
	require.Contains(t, wrong, `id="filter-error"`)
	require.Contains(t, wrong, `value="metrics.test_rmse ~ &#34;x&#34;"`, "what was typed stays")
	require.Empty(t, names(wrong, "/runs/"))
}

func reverseSorted(list []string) []string {
	if len(list) == 2 && list[0] < list[1] {
		list[0], list[1] = list[1], list[0]
	}
	return list
}

func TestThePagesOfATable(t *testing.T) {
	s := start(t)
	const runs = 53
	for i := range runs {
		newRun(t, s.client(), "0", fmt.Sprintf("run %02d", i), experiment.Batch{Metrics: []experiment.Metric{{Key: "m", Value: float64(i)}}})
	}
	path, seen := "/experiments/0?sort=metrics.m&way=asc&filter="+url.QueryEscape("metrics.m >= 1"), []string{}
	for range 3 {
		page := s.page(t, path, http.StatusOK)
		seen = append(seen, names(page, "/runs/")...)
		next := regexp.MustCompile(`href="([^"]+)" rel="next"`).FindStringSubmatch(page)
		if next == nil {
			require.Contains(t, names(page, "/experiments/0"), "First page")
			break
		}
		path = html.UnescapeString(next[1])
	}
	require.Len(t, seen, runs-1, "every run that matches is on one page")
	require.Equal(t, "run 01", seen[0])
	require.Equal(t, "run 52", seen[len(seen)-1])
	require.Contains(t, s.page(t, "/experiments/0?page=nonsense", http.StatusBadRequest), "Invalid page token")
}

func TestThePageOfARun(t *testing.T) {
	s := start(t)
	batch := experiment.Batch{
		Metrics: []experiment.Metric{{Key: "once", Value: 3}},
		Params:  []experiment.Param{{Key: "depth", Value: "7"}},
		Tags:    []experiment.Tag{{Key: "dag_run_id", Value: "night/1 ?"}, {Key: "mlflow.user", Value: "ana"}},
	}
	for step := range 5 {
		batch.Metrics = append(batch.Metrics, experiment.Metric{Key: "loss", Value: float64(5 - step), Step: int64(10 * step), Timestamp: int64(step)})
	}
	id := newRun(t, s.client(), "0", "a run", batch)
	end, status := int64(1_800_000_004_200), experiment.Failed
	_, err := s.client().UpdateRun(t.Context(), id, experiment.RunUpdate{Status: &status, EndTime: &end})
	require.NoError(t, err)
	page := s.page(t, "/runs/"+id, http.StatusOK)
	for _, want := range []string{"a run", "failed", "4.2 s", "depth", "ana", "/dags/realtor_price_model/runs/night%2F1%20%3F", "Jan 15, 2027, 08:00:00 UTC"} {
		require.Contains(t, page, want)
	}
	require.Equal(t, 1, strings.Count(page, "<svg class=\"chart\""), "only a metric with a history is drawn")
	_, chart, _ := strings.Cut(page, "<svg class=\"chart\"")
	require.Contains(t, chart, `d="M84.0 14.0L132.0 34.0L180.0 54.0L228.0 74.0L276.0 94.0"`, "five points on a straight line from edge to edge")
	require.Regexp(t, `<td class="num">40</td>.*<span title="1">1</span>`, chart, "the same points are in a table")
	require.Contains(t, page, "There are no files here.")

	require.NoError(t, s.client().DeleteRun(t.Context(), id))
	require.Contains(t, s.page(t, "/runs/"+id, http.StatusOK), "This run is deleted.")
}

func TestMissingPages(t *testing.T) {
	s := start(t)
	for path, says := range map[string]string{
		"/experiments/77": "There is no experiment 77.", "/experiments/x": "There is no experiment x.", "/runs/" + strings.Repeat("0", 32): "There is no run 0000",
		"/runs/%3Cb%3E": "There is no run &lt;b&gt;.", "/models/nobody": "There is no registered model nobody.", "/models/a%2Fb": "There is no registered model",
		"/logged-models/m-1": "There is no logged model m-1.", "/runs/none/artifacts": "There is no run none.", "/nowhere": "There is no page at /nowhere.",
	} {
		require.Contains(t, s.page(t, path, http.StatusNotFound), says)
	}
	require.Contains(t, s.page(t, "/runs/x?lang=es", http.StatusNotFound), "No existe el run x.")
	for _, path := range []string{"/nowhere", "/api/2.0/mlflow/nowhere"} {
		a := s.call(t, http.MethodGet, path, "", "")
		require.Equal(t, "ENDPOINT_NOT_FOUND", a.code, "programs get what they always got")
	}
}

func TestHostileNamesAreText(t *testing.T) {
	s := start(t)
	const evil = `"><script>alert(1)</script>{{.}}%s' onclick=x`
	c := s.client()
	id, err := c.CreateExperiment(t.Context(), experiment.NewExperiment{Name: evil})
	require.NoError(t, err)
	run := newRun(t, c, id, evil, experiment.Batch{
		Params: []experiment.Param{{Key: "p", Value: evil}}, Tags: []experiment.Tag{{Key: "dag_run_id", Value: "javascript:alert(1)//" + evil}},
		Metrics: []experiment.Metric{{Key: "m: 1", Value: 1}, {Key: "m: 1", Value: 2, Step: 1}},
	})
	uri := "mlflow-artifacts:/" + id + "/" + run + "/artifacts"
	require.NoError(t, c.PutArtifact(t.Context(), uri, "<b>'&.html", strings.NewReader("<script>alert(2)</script>")))
	const model = `<i>"name' ?&.%`
	_, err = c.CreateModel(t.Context(), model, evil, nil)
	require.NoError(t, err)
	version, err := c.CreateVersion(t.Context(), registry.NewVersion{Name: model, Source: "runs:/" + run + "/model", RunID: run})
	require.NoError(t, err)
	_, err = c.TransitionStage(t.Context(), model, version.Version, registry.Production, true)
	require.NoError(t, err)
	address := "/models/" + url.PathEscape(model)
	for _, path := range []string{
		"/", "/experiments/" + id, "/experiments/" + id + "?filter=" + url.QueryEscape(evil) + "&col=tags." + url.QueryEscape(evil) + "&sort=tags." + url.QueryEscape(evil),
		"/runs/" + run, "/runs/" + run + "/artifacts?file=" + url.QueryEscape("<b>'&.html"), "/runs/" + run + "/artifacts?path=" + url.QueryEscape(evil), "/models", address,
	} {
		status := http.StatusOK
		if strings.Contains(path, "filter=") {
			status = http.StatusBadRequest
		}
		page := s.page(t, path, status)
		require.NotRegexp(t, `<script>|<b>|<i>|href="javascript`, page, path)
		require.NotContains(t, page, `"><`+"script", "no value ends its attribute")
		require.NotContains(t, page, "%!", path)
	}
	require.Contains(t, s.page(t, "/runs/"+run, http.StatusOK), html.EscapeString(address)+"#version-1", "the link leads to the model")
	require.Contains(t, s.page(t, "/runs/"+run+"/artifacts?file="+url.QueryEscape("<b>'&.html"), http.StatusOK), "&lt;script&gt;alert(2)", "the file is shown as text")
}

func TestArtifactsOnPages(t *testing.T) {
	s := start(t)
	c := s.client()
	run, err := c.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0", Name: "with files"})
	require.NoError(t, err)
	for name, content := range map[string]string{
		"plots/deep/notes.txt": "line 1\nline 2", "large.txt": strings.Repeat("x", 64<<10+1), "most.txt": strings.Repeat("y", 64<<10), "model.bin": "\x00\x01", "latin1.txt": "a\xf1o",
	} {
		require.NoError(t, c.PutArtifact(t.Context(), run.ArtifactURI, name, strings.NewReader(content)))
	}
	here := "/runs/" + run.ID + "/artifacts"
	root := s.page(t, "/runs/"+run.ID, http.StatusOK)
	require.Equal(t, []string{"large.txt", "latin1.txt", "model.bin", "most.txt", "plots/"}, names(root, here))
	deep := s.page(t, here+"?path=plots/deep&file=notes.txt", http.StatusOK)
	require.Contains(t, deep, "line 1\nline 2")
	require.Equal(t, []string{"/", "plots", "deep", "notes.txt"}, names(deep, here))
	for _, name := range []string{"large.txt", "model.bin", "latin1.txt"} {
		require.Contains(t, s.page(t, here+"?file="+name, http.StatusOK), "Only text of at most 64 kB and PNG", name)
	}
	require.Contains(t, s.page(t, here+"?file=most.txt", http.StatusOK), strings.Repeat("y", 64<<10))
	link := regexp.MustCompile(`href="(/get-artifact[^"]+)" download`).FindStringSubmatch(deep)
	require.NotNil(t, link)
	got := s.call(t, http.MethodGet, html.UnescapeString(link[1]), "", "")
	require.Equal(t, "line 1\nline 2", got.body)
	require.Contains(t, got.header.Get("Content-Disposition"), "attachment")

	secret := filepath.Join(s.cfg.DataDir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("SECRET"), 0o600))
	for _, query := range []string{"file=../../../../secret", "path=..%2F..%2F..&file=secret", "path=%252e%252e/%252e%252e&file=secret", "file=" + url.QueryEscape(secret), "path=/etc", "file=nothing"} {
		page := s.page(t, here+"?"+query, http.StatusOK)
		require.NotContains(t, page, "SECRET", query)
		require.Contains(t, page, `class="notice warn"`, "%s is refused in a sentence", query)
	}
}

func TestThePageOfAModel(t *testing.T) {
	s := start(t)
	c := s.client()
	require.Contains(t, s.page(t, "/models", http.StatusOK), "No model is registered yet.")
	_, err := c.CreateModel(t.Context(), "prices", "", nil)
	require.NoError(t, err)
	require.Contains(t, s.page(t, "/models/prices", http.StatusOK), "No version is in Production.")
	for i, rmse := range []float64{300, 100, 200} {
		run := newRun(t, c, "0", fmt.Sprintf("train %d", i), experiment.Batch{
			Metrics: []experiment.Metric{{Key: "test_rmse", Value: rmse}}, Tags: []experiment.Tag{{Key: "promoted", Value: fmt.Sprint(i < 2)}},
		})
		_, err = c.CreateVersion(t.Context(), registry.NewVersion{Name: "prices", Source: "runs:/" + run + "/model", RunID: run})
		require.NoError(t, err)
	}
	_, err = c.TransitionStage(t.Context(), "prices", "2", registry.Production, true)
	require.NoError(t, err)
	require.NoError(t, c.SetAlias(t.Context(), "prices", "champion", "2"))
	page := s.page(t, "/models/prices", http.StatusOK)
	require.Equal(t, []string{"version 2"}, names(page, "#version-"))
	require.Contains(t, page, "@champion")
	require.Equal(t, []string{"train 1", "train 2", "train 1", "train 0"}, names(page, "/runs/"), "that in production, then all, newest first")
	require.Contains(t, page, `d="M84.0 14.0L320.0 14.0L320.0 144.0L556.0 144.0L556.0 79.0"`, "300, 100, 200 as steps")
	require.Equal(t, 2, strings.Count(page, `class="dot on"`), "the promoted ones are filled")
	require.Equal(t, 1, strings.Count(page, `class="dot"`))
	require.Equal(t, []string{"1: train 2", "2: train 1", "3: train 0"}, names(s.page(t, linkOf(t, page, "compare"), http.StatusOK), "/runs/")[:3])
	list := s.page(t, "/models", http.StatusOK)
	require.Equal(t, []string{"version 2", "version 3"}, names(list, "/models/prices#version"))
}

// TestTextsOfPagesAreTranslated holds what the pages hand to the templates to the Spanish texts; the templates have a test of their own.
func TestTextsOfPagesAreTranslated(t *testing.T) {
	content, err := os.ReadFile("../../web/translations/es.json")
	require.NoError(t, err)
	var es map[string]string
	require.NoError(t, json.Unmarshal(content, &es))
	files, err := filepath.Glob("page*.go")
	require.NoError(t, err)
	texts := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?:Label: |Title: |title = |sentence\{|found\(err, )"([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
			require.Contains(t, es, m[1], file)
			texts++
		}
	}
	require.Greater(t, texts, 15)
}
