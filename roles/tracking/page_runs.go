package tracking

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/realtor"
	"tasador/web"
)

const (
	runsPerPage = 50
	// filterExample teaches the language of the filter.
	filterExample = "metrics.test_rmse < 90000 AND tags.promoted = 'true'"
	// lesson logs a run to an experiment.
	lesson = "export MLFLOW_TRACKING_URI=%s\nexport MLFLOW_EXPERIMENT_ID=%s\npython -c 'import mlflow; mlflow.log_metric(\"rmse\", 1.0)'"
)

// runsPage is the content of the page of an experiment.
type runsPage struct {
	Experiment  experiment.Experiment
	Deleted     bool
	Filter      string
	FilterError *apperror.Sentence
	Example     string
	Sort, Way   string
	Choices     map[string][]choice
	Columns     int // shown beside the fixed ones
	Heads       []head
	Rows        []runRow
	First, Next string
	Lesson      string // what logs a first run
	All         string // the address without a filter
	CSV         string // the address of the same runs as a file
}

// head is the head of a column. Sorted is what aria-sort takes; Href sorts by it, empty if the store cannot.
type head struct {
	Label   string // a key of the translations, unless Own
	Own     bool   // the label is a client's
	Kind    string
	Href    string
	Sorted  string
	Numeric bool
}

// runLine is what tables say of a run.
type runLine struct {
	ID, Name string
	Status   experiment.Status
	Start    moment
	Took     *time.Duration // nil until it ended
}

func newRunLine(r experiment.Run) runLine {
	line := runLine{ID: r.ID, Name: r.Name, Status: r.Status, Start: moment(r.StartTime)}
	if r.EndTime > 0 {
		took := time.Duration(max(r.EndTime-r.StartTime, 0)) * time.Millisecond
		line.Took = &took
	}
	return line
}

// runRow is one run of the table.
type runRow struct {
	runLine
	Versions []versionLink
	Cells    []cell
}

// cell is what a run has in a column: a number, a text with perhaps a link, or nothing.
type cell struct {
	Number *float64
	Text   string
	Full   string // the whole text, if Text is cut
	Href   string
}

// runs is GET /experiments/:id. The search is in the address, so it can be kept and sent.
func (p *pages) runs(c echo.Context) error {
	ctx := c.Request().Context()
	e, err := p.store.Experiment(ctx, last(c))
	if err != nil {
		return found(err, "There is no experiment %s.", last(c))
	}
	body := runsPage{
		Experiment: *e, Deleted: e.LifecycleStage == experiment.Deleted, Filter: c.QueryParam("filter"), Example: filterExample,
		Lesson: fmt.Sprintf(lesson, p.trackingURI(c), e.ID), All: "/experiments/" + e.ID,
	}
	body.Sort, body.Way = sortOf(c.QueryParam("sort"), c.QueryParam("way"))
	status := http.StatusOK
	runs, err := p.store.SearchRuns(ctx, runSearch(c, e))
	if apperror.CodeOf(err) == apperror.Invalid && err != nil {
		what := apperror.SentenceOf(err)
		status, body.FilterError = http.StatusBadRequest, &what
	} else if err != nil {
		return err
	}
	if err := p.fillRuns(c, &body, runs); err != nil {
		return err
	}
	return p.write(c, status, "runs", web.Page{Title: "Experiments", Name: e.Name, Body: body})
}

// runSearch is the search that an address of the runs of an experiment asks for.
func runSearch(c echo.Context, e *experiment.Experiment) experiment.RunSearch {
	q := experiment.RunSearch{ExperimentIDs: []string{e.ID}}
	q.Filter, q.MaxResults, q.PageToken = c.QueryParam("filter"), runsPerPage, c.QueryParam("page")
	if e.LifecycleStage == experiment.Deleted {
		q.View = experiment.All
	}
	if by, way := sortOf(c.QueryParam("sort"), c.QueryParam("way")); by != "" {
		q.OrderBy = []string{orderClause(by, way)}
	}
	return q
}

// fillRuns makes the table of the runs that were found.
func (p *pages) fillRuns(c echo.Context, body *runsPage, runs experiment.Page[experiment.Run]) error {
	offered := offeredColumns(runs.Items)
	columns, chosen := chosenColumns(c.QueryParams()["col"])
	if !chosen {
		columns = standardColumns(offered)
	}
	query := url.Values{}
	for _, name := range []string{"filter", "sort", "way", "col"} {
		if values := c.QueryParams()[name]; len(values) > 0 && (len(values) > 1 || values[0] != "" || name == "col") {
			query[name] = values
		}
	}
	body.Choices, body.Columns = choices(offered, columns), len(columns)
	body.First, body.Next = pager(query, body.All, c.QueryParam("page"), runs.NextPageToken)
	body.Heads = heads(body, columns, query)
	body.CSV = csvHref(body.All, query, columns)
	byRun, err := p.versionsByRun(c, runs.Items)
	if err != nil {
		return err
	}
	for i := range runs.Items {
		run := &runs.Items[i]
		row := runRow{runLine: newRunLine(*run), Versions: byRun[run.ID]}
		for _, col := range columns {
			row.Cells = append(row.Cells, p.cell(c, run, col))
		}
		body.Rows = append(body.Rows, row)
	}
	return nil
}

// versionsByRun returns the versions that came of runs, by the ids of the runs.
func (p *pages) versionsByRun(c echo.Context, runs []experiment.Run) (map[string][]versionLink, error) {
	ids := make([]string, len(runs))
	for i, r := range runs {
		ids[i] = r.ID
	}
	versions, err := p.store.VersionsOfRuns(c.Request().Context(), ids)
	if err != nil {
		return nil, err
	}
	byRun := map[string][]versionLink{}
	for _, v := range versionLinks(versions) {
		byRun[v.RunID] = append(byRun[v.RunID], v)
	}
	return byRun, nil
}

// heads are the fixed columns and those chosen, with the addresses that sort by them.
func heads(body *runsPage, columns []column, query url.Values) []head {
	list := []head{
		{Label: "Run", Kind: "attributes.run_name"}, {Label: "Run status", Kind: "attributes.status"},
		{Label: "Start", Kind: "attributes.start_time"}, {Label: "Duration", Numeric: true}, {Label: "Model version"},
	}
	for _, c := range columns {
		list = append(list, head{Label: c.Key, Own: true, Kind: c.ID(), Numeric: c.Kind == metricColumn})
	}
	for i := range list {
		h := &list[i]
		if h.Kind == "" {
			continue
		}
		way := ascending
		if h.Kind == body.Sort {
			h.Sorted = "ascending"
			if body.Way == descending {
				h.Sorted = "descending"
			} else {
				way = descending
			}
		}
		q := url.Values{"sort": {h.Kind}, "way": {way}}
		for name, values := range query {
			if name != "sort" && name != "way" {
				q[name] = values
			}
		}
		h.Href = address(body.All, q)
	}
	return list
}

const (
	ascending  = "asc"
	descending = "desc"
)

// sortOf reads what the table is sorted by; nothing that the store does not know.
func sortOf(by, way string) (column, direction string) {
	if _, ok := parseColumn(by); !ok {
		switch by {
		case "attributes.run_name", "attributes.status", "attributes.start_time":
		default:
			return "", ""
		}
	}
	if way != descending {
		way = ascending
	}
	return by, way
}

func orderClause(by, way string) string {
	if c, ok := parseColumn(by); ok {
		by = c.Kind + ".`" + c.Key + "`"
	}
	return by + " " + strings.ToUpper(way)
}

func (p *pages) cell(c echo.Context, run *experiment.Run, col column) cell {
	if col.Kind == metricColumn {
		if v, ok := run.Metric(col.Key); ok {
			return cell{Number: &v}
		}
		return cell{}
	}
	value := textOf(run, col)
	shown := text(value)
	if col.Kind == tagColumn && col.Key == realtor.TagDAGRunID {
		shown.Href = p.dagRun(c, value)
	}
	return shown
}

const maxCell = 160 // characters of a text that a cell shows

// text is a cell with a text, cut if it is long.
func text(s string) cell {
	if utf8.RuneCountInString(s) <= maxCell {
		return cell{Text: s}
	}
	return cell{Text: string([]rune(s)[:maxCell]) + "…", Full: s}
}
