package tracking

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"tasador/pkg/experiment"
	"tasador/pkg/realtor"
	"tasador/web"
)

// Bounds of a comparison.
const (
	maxCompared      = 20
	maxCompareCharts = 12
	maxComparePoints = 400 // of all runs in one chart
	minComparePoints = 20  // of one run
)

// comparePage is the content of the page that shows runs side by side.
type comparePage struct {
	Runs                  []comparedRun
	Missing               []string // ids of no run
	Chosen, Most          int      // runs that the address names, and how many are shown at most
	OnlyDiffering         bool
	All, Differing        string // addresses
	Params, Metrics, Tags comparison
	Charts                []compareChart
	MoreCharts            bool // than are drawn
}

// AnyEnded, AnyDAGRun and AnyVersion report whether a run has what a row of the table would show.
func (b *comparePage) AnyEnded() bool {
	return slices.ContainsFunc(b.Runs, func(r comparedRun) bool { return r.Took != nil })
}

func (b *comparePage) AnyDAGRun() bool {
	return slices.ContainsFunc(b.Runs, func(r comparedRun) bool { return r.DAGRunID != "" })
}

func (b *comparePage) AnyVersion() bool {
	return slices.ContainsFunc(b.Runs, func(r comparedRun) bool { return len(r.Versions) > 0 })
}

// comparedRun is one run: a column of the tables and a line in the charts.
type comparedRun struct {
	runLine
	Number       int
	ExperimentID string
	Experiment   string // its name
	DAGRunID     string
	DAGRun       string
	Versions     []versionLink
	Without      string // the address of the page without this run
}

// comparison is one table: what the runs have under each key.
type comparison struct {
	ID     string // params, metrics or tags
	Runs   []comparedRun
	Rows   []compareRow
	Hidden int // rows that are alike and not shown
}

// compareRow is one key. It differs if not all runs have the same under it.
type compareRow struct {
	Key     string
	Differs bool
	Cells   []compareCell
}

// compareCell is what one run has; Missing if nothing.
type compareCell struct {
	cell
	Missing bool
	Best    bool
}

// compareChart is one metric of all runs: lines if one of them has a history, else bars.
type compareChart struct {
	Key    string
	Lines  *linechart
	Bars   *barchart
	Series []series // the same points, for a table
	Most   int      // how many points of a run are drawn, if that may be fewer than there are; else 0
}

// compare is GET /compare?run=…&run=….
func (p *pages) compare(c echo.Context) error {
	ctx := c.Request().Context()
	var ids []string
	for _, id := range c.QueryParams()["run"] {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	body := comparePage{Chosen: len(ids), Most: maxCompared, OnlyDiffering: c.QueryParam("differing") != ""}
	ids = ids[:min(maxCompared, len(ids))]
	found, err := p.store.RunsByID(ctx, ids)
	if err != nil {
		return err
	}
	var runs []*experiment.Run
	for _, id := range ids {
		if run, ok := found[id]; ok {
			runs = append(runs, &run)
		} else {
			body.Missing = append(body.Missing, id)
		}
	}
	body.All, body.Differing = compareHref(runs, false), compareHref(runs, true)
	if body.Runs, err = p.comparedRuns(c, runs, body.OnlyDiffering); err != nil {
		return err
	}
	body.Params = body.compareBy("params", runs, func(r *experiment.Run) map[string]cell {
		values := map[string]cell{}
		for _, param := range r.Params {
			values[param.Key] = text(param.Value)
		}
		return values
	})
	body.Tags = body.compareBy("tags", runs, tagCells)
	body.Metrics = body.compareBy("metrics", runs, func(r *experiment.Run) map[string]cell {
		values := map[string]cell{}
		for _, m := range r.Metrics {
			values[m.Key] = cell{Number: &m.Value}
		}
		return values
	})
	markBest(body.Metrics.Rows)
	if err := p.compareCharts(ctx, &body, runs); err != nil {
		return err
	}
	status := http.StatusOK
	if len(runs) == 0 && len(body.Missing) > 0 {
		status = http.StatusNotFound
	}
	return p.write(c, status, "compare", web.Page{Title: "Compare runs", Body: &body})
}

// tagCells are the tags of a run that are not MLflow's own.
func tagCells(r *experiment.Run) map[string]cell {
	values := map[string]cell{}
	for _, tag := range r.Tags {
		if !strings.HasPrefix(tag.Key, systemTags) {
			values[tag.Key] = text(tag.Value)
		}
	}
	return values
}

// compareHref is the address of a comparison.
func compareHref(runs []*experiment.Run, onlyDiffering bool) string {
	q := url.Values{}
	for _, r := range runs {
		q.Add("run", r.ID)
	}
	if onlyDiffering {
		q.Set("differing", "yes")
	}
	return address("/compare", q)
}

func (p *pages) comparedRuns(c echo.Context, runs []*experiment.Run, onlyDiffering bool) ([]comparedRun, error) {
	plain := make([]experiment.Run, len(runs))
	for i, r := range runs {
		plain[i] = *r
	}
	versions, err := p.versionsByRun(c, plain)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	list := make([]comparedRun, len(runs))
	for i, r := range runs {
		if _, known := names[r.ExperimentID]; !known {
			e, err := p.store.Experiment(c.Request().Context(), r.ExperimentID)
			if err != nil {
				return nil, err
			}
			names[r.ExperimentID] = e.Name
		}
		run := comparedRun{
			runLine: newRunLine(*r), Number: i + 1, ExperimentID: r.ExperimentID, Experiment: names[r.ExperimentID], Versions: versions[r.ID],
			Without: compareHref(slices.Concat(runs[:i], runs[i+1:]), onlyDiffering),
		}
		run.DAGRunID, _ = r.Tag(realtor.TagDAGRunID)
		run.DAGRun = p.dagRun(c, run.DAGRunID)
		list[i] = run
	}
	return list, nil
}

// compareBy makes the table of what runs have, by key.
func (b *comparePage) compareBy(id string, runs []*experiment.Run, values func(*experiment.Run) map[string]cell) comparison {
	var keys []string
	columns := make([]map[string]cell, len(runs))
	for i, r := range runs {
		columns[i] = values(r)
		for key := range columns[i] {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	table := comparison{ID: id, Runs: b.Runs}
	for _, key := range slices.Compact(keys) {
		row := compareRow{Key: key}
		for i := range runs {
			value, ok := columns[i][key]
			row.Cells = append(row.Cells, compareCell{cell: value, Missing: !ok})
			row.Differs = row.Differs || !row.Cells[i].same(row.Cells[0])
		}
		if b.OnlyDiffering && !row.Differs {
			table.Hidden++
			continue
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

// same reports whether two runs have the same. NaN is the same as NaN here: it reads the same.
func (c compareCell) same(other compareCell) bool {
	if c.Missing || other.Missing {
		return c.Missing == other.Missing
	}
	if c.Number != nil && other.Number != nil {
		return *c.Number == *other.Number || (*c.Number != *c.Number && *other.Number != *other.Number)
	}
	return c.Text == other.Text && c.Full == other.Full
}
