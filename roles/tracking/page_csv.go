package tracking

import (
	"encoding/csv"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/experiment"
	"tasador/pkg/registry"
)

// runsPerChunk is how many runs are read at once for a CSV file, whose length does not matter.
const runsPerChunk = 500

// runsCSV is GET /experiments/:id/runs.csv: all runs that the same address without runs.csv shows, page after page, with their ids and
// full numbers.
func (p *pages) runsCSV(c echo.Context) error {
	e, err := p.store.Experiment(c.Request().Context(), c.Param("id"))
	if err != nil {
		return found(err, "There is no experiment %s.", c.Param("id"))
	}
	q := runSearch(c, e)
	q.MaxResults, q.PageToken = runsPerChunk, ""
	runs, err := p.store.SearchRuns(c.Request().Context(), q)
	if err != nil {
		return err
	}
	columns, chosen := chosenColumns(c.QueryParams()["col"])
	if !chosen {
		columns = standardColumns(offeredColumns(runs.Items))
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "text/csv; charset=utf-8; header=present")
	h.Set(echo.HeaderContentDisposition, mime.FormatMediaType("attachment", map[string]string{"filename": "runs-of-experiment-" + e.ID + ".csv"}))
	h.Set("Cache-Control", "no-store")
	c.Response().WriteHeader(http.StatusOK)
	if err := p.writeRuns(c, q, runs, columns); err != nil {
		// The status is sent: only a transfer that breaks off tells the reader that the file is not whole.
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (p *pages) writeRuns(c echo.Context, q experiment.RunSearch, runs experiment.Page[experiment.Run], columns []column) error {
	w := csv.NewWriter(c.Response())
	w.UseCRLF = true // RFC 4180, 2.1
	head := []string{"run_id", "run_name", "status", "start_time", "duration_seconds", "model_versions"}
	for _, col := range columns {
		head = append(head, harmless(col.ID()))
	}
	if err := w.Write(head); err != nil {
		return err
	}
	for {
		byRun, err := p.versionsByRun(c, runs.Items)
		if err != nil {
			return err
		}
		for i := range runs.Items {
			run := &runs.Items[i]
			if err := w.Write(csvRecord(run, byRun[run.ID], columns)); err != nil {
				return err
			}
		}
		w.Flush()
		if err := w.Error(); err != nil {
			return err
		}
		c.Response().Flush()
		if runs.NextPageToken == "" {
			return nil
		}
		q.PageToken = runs.NextPageToken
		if runs, err = p.store.SearchRuns(c.Request().Context(), q); err != nil {
			return err
		}
	}
}

// csvRecord is a run as a line of the file: times as ISO 8601 in UTC, numbers with all their digits.
func csvRecord(run *experiment.Run, versions []versionLink, columns []column) []string {
	line := newRunLine(*run)
	record := []string{run.ID, harmless(run.Name), string(run.Status), line.Start.UTC().Format(time.RFC3339Nano), "", ""}
	if line.Took != nil {
		record[4] = strconv.FormatFloat(line.Took.Seconds(), 'f', -1, 64)
	}
	names := make([]string, len(versions))
	for i, v := range versions {
		names[i] = versionName(v.Version)
	}
	record[5] = harmless(strings.Join(names, "; "))
	for _, col := range columns {
		record = append(record, csvCell(run, col))
	}
	return record
}

func versionName(v registry.Version) string { return v.Name + " " + v.Version }

func csvCell(run *experiment.Run, col column) string {
	if col.Kind == metricColumn {
		if v, ok := run.Metric(col.Key); ok {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
		return ""
	}
	return harmless(textOf(run, col))
}

// textOf is what a run has in a column of texts.
func textOf(run *experiment.Run, col column) string {
	if col.Kind == tagColumn {
		v, _ := run.Tag(col.Key)
		return v
	}
	for _, param := range run.Params {
		if param.Key == col.Key {
			return param.Value
		}
	}
	return ""
}

var (
	number   = regexp.MustCompile(`^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$`)
	formulas = "=+-@\t\r\n＝＋－＠"
)

// harmless keeps spreadsheets from taking a text that clients wrote for a formula: an apostrophe before it makes it a text. Numbers stay.
func harmless(s string) string {
	if s == "" || number.MatchString(s) || !strings.ContainsRune(formulas, []rune(s)[0]) {
		return s
	}
	return "'" + s
}

// csvHref is the address of the file with the columns that are shown.
func csvHref(path string, query url.Values, columns []column) string {
	q := url.Values{"col": {""}}
	for name, values := range query {
		if name != "col" && name != "page" {
			q[name] = values
		}
	}
	for _, col := range columns {
		q.Add("col", col.ID())
	}
	return address(path+"/runs.csv", q)
}
