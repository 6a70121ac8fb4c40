package tracking_test

import (
	"encoding/csv"
	"fmt"
	"html"
	"io"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/pkg/registry"
)

// csvOf follows the link to the file that a page of runs has, and returns its records.
func (s server) csvOf(t *testing.T, path string) (records [][]string, raw string) {
	t.Helper()
	link := regexp.MustCompile(`<a href="([^"]+)" id="csv"`).FindStringSubmatch(s.page(t, path, http.StatusOK))
	require.NotNil(t, link)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.uri+html.UnescapeString(link[1]), nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "text/csv; charset=utf-8; header=present", resp.Header.Get("Content-Type"))
	require.Equal(t, `attachment; filename=runs-of-experiment-0.csv`, resp.Header.Get("Content-Disposition"))
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	records, err = csv.NewReader(strings.NewReader(string(body))).ReadAll()
	require.NoError(t, err)
	return records, string(body)
}

func TestTheFileHasWhatTheTableShows(t *testing.T) {
	s := start(t)
	c := s.client()
	for i, rmse := range []float64{0.30000000000000004, -1e-7, math.NaN()} {
		id := newRun(t, c, "0", fmt.Sprintf("=cmd%d", i), experiment.Batch{
			Metrics: []experiment.Metric{{Key: "rmse", Value: rmse}}, Params: []experiment.Param{{Key: "p", Value: "-0.5"}},
			Tags: []experiment.Tag{{Key: "t", Value: "@SUM(1+1)*cmd|' /C calc'!A0"}, {Key: "q", Value: "one \"two\",\r\nthree"}, {Key: "hidden", Value: "x"}},
		})
		if i == 0 {
			end, status := int64(1_800_000_004_200), experiment.Finished
			_, err := c.UpdateRun(t.Context(), id, experiment.RunUpdate{Status: &status, EndTime: &end})
			require.NoError(t, err)
			_, err = c.CreateModel(t.Context(), "prices", "", nil)
			require.NoError(t, err)
			_, err = c.CreateVersion(t.Context(), registry.NewVersion{Name: "prices", Source: "runs:/" + id + "/model", RunID: id})
			require.NoError(t, err)
		}
	}
	records, raw := s.csvOf(t, "/experiments/0?sort=metrics.rmse&way=desc&col=&col=metrics.rmse&col=params.p&col=tags.t&col=tags.q&col=metrics.none")
	require.Len(t, records, 4)
	require.Equal(t, []string{"run_id", "run_name", "status", "start_time", "duration_seconds", "model_versions", "metrics.rmse", "params.p", "tags.t", "tags.q", "metrics.none"}, records[0])
	require.Equal(t, []string{
		"'=cmd0", "FINISHED", "2027-01-15T08:00:00Z", "4.2", "prices 1", "0.30000000000000004", "-0.5", "'@SUM(1+1)*cmd|' /C calc'!A0", "one \"two\",\nthree", "",
	}, records[1][1:])
	require.Equal(t, []string{"'=cmd1", "RUNNING", "2027-01-15T08:00:00Z", "", "", "-1e-07"}, records[2][1:7])
	require.Equal(t, "NaN", records[3][6], "NaN comes after the numbers")
	require.Contains(t, raw, "metrics.none\r\n", "lines end as RFC 4180 has it")
	require.NotContains(t, raw, "hidden")

	// Without a choice the file has the columns that the page chose.
	standard, _ := s.csvOf(t, "/experiments/0")
	require.Equal(t, []string{"metrics.rmse", "params.p"}, standard[0][6:])
}

func TestTheFileHasAllPages(t *testing.T) {
	s := start(t)
	const runs = 520 // more than a page of the table, and more than are read at once
	for i := range runs {
		newRun(t, s.client(), "0", fmt.Sprintf("run %03d", i), experiment.Batch{Metrics: []experiment.Metric{{Key: "m", Value: float64(i)}}})
	}
	records, _ := s.csvOf(t, "/experiments/0?sort=metrics.m&way=asc&filter="+url.QueryEscape("metrics.m >= 5"))
	require.Len(t, records, runs-5+1)
	for i, r := range records[1:] {
		require.Equal(t, fmt.Sprintf("run %03d", i+5), r[1])
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.uri+"/experiments/0/runs.csv?filter=nonsense", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Contains(t, s.page(t, "/experiments/77/runs.csv", http.StatusNotFound), "There is no experiment 77.")
}
