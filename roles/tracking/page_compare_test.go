package tracking_test

import (
	"fmt"
	"html"
	"math"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
)

// rowOf returns the texts of the cells of a row of a comparison, and the row itself.
func rowOf(t *testing.T, page, key string) (cells []string, row string) {
	t.Helper()
	m := regexp.MustCompile(`(?s)<tr data-key="` + regexp.QuoteMeta(html.EscapeString(key)) + `".*?</tr>`).FindString(page)
	require.NotEmpty(t, m, key)
	for _, c := range regexp.MustCompile(`(?s)<td[^>]*>(.*?)</td>`).FindAllStringSubmatch(m, -1) {
		cells = append(cells, html.UnescapeString(strings.TrimSpace(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(c[1], ""))))
	}
	return cells, m
}

func compareAddress(ids ...string) string { return "/compare?run=" + strings.Join(ids, "&run=") }

func TestRunsSideBySide(t *testing.T) {
	s := start(t)
	c := s.client()
	metric := func(key string, value float64, step int64) experiment.Metric {
		return experiment.Metric{Key: key, Value: value, Step: step, Timestamp: 1000 + step}
	}
	a := newRun(t, c, "0", "first", experiment.Batch{
		Params: []experiment.Param{{Key: "alpha", Value: "1.0"}, {Key: "seed", Value: "42"}, {Key: "own", Value: "x"}},
		Metrics: []experiment.Metric{
			metric("test_rmse", 300, 0), metric("r2", 0.5, 0), metric("rows", 10, 0), metric("loss", 4, 0), metric("loss", 2, 10), metric("loss", 0, 20), metric("even_error", 1, 0),
		},
		Tags: []experiment.Tag{{Key: "colour", Value: "blue"}, {Key: "mlflow.user", Value: "ana"}},
	})
	b := newRun(t, c, "0", "<second>", experiment.Batch{
		Params: []experiment.Param{{Key: "alpha", Value: "10.0"}, {Key: "seed", Value: "42"}},
		Metrics: []experiment.Metric{
			metric("test_rmse", -100, 0), metric("r2", 0.7, 0), metric("rows", 20, 0), metric("loss", 2, 0), metric("loss", 2, 10), metric("even_error", 1, 0),
		},
		Tags: []experiment.Tag{{Key: "colour", Value: "blue"}},
	})
	page := s.page(t, compareAddress(a, b), http.StatusOK)
	cells, row := rowOf(t, page, "alpha")
	require.Equal(t, []string{"1.0", "10.0"}, cells)
	require.Contains(t, row, "differs")
	cells, row = rowOf(t, page, "seed")
	require.Equal(t, []string{"42", "42"}, cells)
	require.NotContains(t, row, "differs")
	cells, _ = rowOf(t, page, "own")
	require.Equal(t, []string{"x", "–"}, cells)
	for key, best := range map[string][]string{
		"test_rmse": {"300", "★best -100"}, "r2": {"0.5", "★best 0.7"}, "rows": {"10", "20"}, "even_error": {"1", "1"}, "loss": {"★best 0", "2"},
	} {
		cells, _ := rowOf(t, page, key)
		require.Equal(t, best, cells, key)
	}
	require.NotContains(t, page, "ana", "tags of MLflow are left out")

	_, loss, _ := strings.Cut(page, `data-history="loss"`)
	loss, _, _ = strings.Cut(loss, "</figure>")
	// From 8 to 432 over the steps 0 to 20, from 174 at the value 0 to 14 at 4.
	require.Contains(t, loss, `d="M8.0 14.0L220.0 94.0L432.0 174.0"`)
	require.Contains(t, loss, `d="M8.0 94.0L220.0 94.0"`)
	require.Contains(t, loss, `<title>2: &lt;second&gt;, 10: 2</title>`, "the value under the pointer")
	require.Equal(t, 5, strings.Count(loss, `<tr><td>`), "the same points are in a table")
	_, bars, _ := strings.Cut(page, `data-history="test_rmse"`)
	bars, _, _ = strings.Cut(bars, "</figure>")
	// −100…300 lies on 40…432, so zero is at 138 and a unit is 0.98 wide.
	require.Contains(t, bars, `<rect class="bar-one" x="138.0" y="4" width="294.0"`)
	require.Contains(t, bars, `<rect class="bar-one" x="40.0" y="24" width="98.0"`)

	differing := s.page(t, compareAddress(a, b)+"&differing=yes", http.StatusOK)
	require.NotContains(t, differing, `data-key="seed"`)
	require.Contains(t, differing, `data-key="alpha"`)
	require.Contains(t, differing, "Rows that are alike and not shown: 1.")
	require.Contains(t, differing, "Nothing differs here.", "the tags")
}

func TestOddComparisons(t *testing.T) {
	s := start(t)
	require.Contains(t, s.page(t, "/compare", http.StatusOK), "Choose runs in the table of an experiment")
	require.Contains(t, s.page(t, "/compare?run=%3Cb%3E", http.StatusNotFound), `<span class="id">&lt;b&gt;</span>`)
	var ids []string
	for i := range 22 {
		batch := experiment.Batch{Metrics: []experiment.Metric{{Key: "same", Value: 1}, {Key: "same", Value: 1, Step: int64(i + 1)}, {Key: "nan", Value: math.NaN()}}}
		ids = append(ids, newRun(t, s.client(), "0", fmt.Sprintf("run %d", i), batch))
	}
	one := s.page(t, compareAddress(ids[0], ids[0]), http.StatusOK)
	require.Contains(t, one, `id="alone"`)
	require.Equal(t, 1, strings.Count(one, `data-history="nan"`))
	many := s.page(t, compareAddress(append(ids, "gone")...), http.StatusOK)
	require.Contains(t, many, "At most 20 runs can be compared; of the 23 chosen the first ones are shown.")
	require.Contains(t, many, `r20"`)
	require.NotContains(t, many, `r21"`)
	_, chart, _ := strings.Cut(many, `data-history="same"`)
	chart, _, _ = strings.Cut(chart, "</figure>")
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`<text class="ending" x="432" y="([^"]+)"`).FindAllStringSubmatch(chart, -1) {
		seen[m[1]] = true
	}
	require.Len(t, seen, 20, "no label lies on another, though all lines end at the same height")
	cells, _ := rowOf(t, many, "nan")
	require.Equal(t, "NaN", cells[0])
	require.Contains(t, s.page(t, compareAddress(ids[0], "gone"), http.StatusOK), "These are no runs:")
}
