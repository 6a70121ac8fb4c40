package tracking

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/realtor"
	"tasador/web"
)

// Bounds of what the page of a run shows.
const (
	maxCharts    = 24
	maxPoints    = 500
	maxRunModels = 20
	systemTags   = "mlflow."
)

// runPage is the content of the page of a run.
type runPage struct {
	Run          experiment.Run
	Line         runLine
	End          moment
	Deleted      bool
	Experiment   experiment.Experiment
	DAGRunID     string
	DAGRun       string // its address
	Versions     []versionLink
	Metrics      []metricLine
	MoreCharts   bool // than are drawn
	Tags, System []experiment.Tag
	Models       []experiment.LoggedModel
	Datasets     []datasetLine
	Family       family
	Files        folder
}

// metricLine is the latest value of a metric, with its history if it has more than one point.
type metricLine struct {
	experiment.Metric
	When    moment
	Points  int64
	History []pointLine
	Chart   *chart
}

// pointLine is one point of a history.
type pointLine struct {
	Step  int64
	When  moment
	Value float64
}

// run is GET /runs/:id.
func (p *pages) run(c echo.Context) error {
	ctx := c.Request().Context()
	run, err := p.store.Run(ctx, last(c))
	if err != nil {
		return found(err, "There is no run %s.", last(c))
	}
	e, err := p.store.Experiment(ctx, run.ExperimentID)
	if err != nil {
		return err
	}
	body := runPage{
		Run: *run, Line: newRunLine(*run), End: moment(run.EndTime), Deleted: run.LifecycleStage == experiment.Deleted, Experiment: *e,
	}
	body.DAGRunID, _ = run.Tag(realtor.TagDAGRunID)
	body.DAGRun = p.dagRun(c, body.DAGRunID)
	for _, tag := range run.Tags {
		if strings.HasPrefix(tag.Key, systemTags) {
			body.System = append(body.System, tag)
		} else {
			body.Tags = append(body.Tags, tag)
		}
	}
	versions, err := p.store.VersionsOfRuns(ctx, []string{run.ID})
	if err != nil {
		return err
	}
	body.Versions = versionLinks(versions)
	if body.Metrics, body.MoreCharts, err = p.metricLines(ctx, run); err != nil {
		return err
	}
	if body.Models, err = p.modelsOf(ctx, run); err != nil {
		return err
	}
	if body.Family, err = p.familyOf(ctx, run); err != nil {
		return err
	}
	body.Datasets = datasetLines(run.DatasetInputs)
	body.Files = p.folder(ctx, runPlace(run), "", "")
	return p.write(c, http.StatusOK, "run", web.Page{Title: "Run", Name: run.Name, Body: body})
}

// metricLines returns the metrics of a run, and whether more have a history than are drawn.
func (p *pages) metricLines(ctx context.Context, run *experiment.Run) (lines []metricLine, more bool, err error) {
	counts, err := p.store.PointCounts(ctx, run.ID)
	if err != nil {
		return nil, false, err
	}
	drawn := 0
	for _, m := range run.Metrics {
		line := metricLine{Metric: m, When: moment(m.Timestamp), Points: counts[m.Key]}
		if line.Points > 1 {
			if drawn++; drawn > maxCharts {
				more = true
			} else if err := p.addHistory(ctx, run.ID, &line); err != nil {
				return nil, false, err
			}
		}
		lines = append(lines, line)
	}
	return lines, more, nil
}

// allSteps is the range that leaves no step out.
func allSteps() experiment.StepRange {
	return experiment.StepRange{First: math.MinInt64, Last: math.MaxInt64}
}

// addHistory draws the points of a metric over its steps; over time if all have one step.
func (p *pages) addHistory(ctx context.Context, runID string, line *metricLine) error {
	items, err := p.store.SampledHistories(ctx, []string{runID}, line.Key, allSteps(), maxPoints)
	if err != nil || len(items) == 0 {
		return err
	}
	overTime := !slices.ContainsFunc(items, func(m experiment.RunMetric) bool { return m.Step != items[0].Step })
	points := make([]point, len(items))
	for i, m := range items {
		line.History = append(line.History, pointLine{Step: m.Step, When: moment(m.Timestamp), Value: m.Value})
		points[i] = point{X: float64(m.Step), Y: m.Value, At: strconv.FormatInt(m.Step, 10)}
		if overTime {
			points[i].X, points[i].At = float64(m.Timestamp), moment(m.Timestamp).Short()
		}
	}
	drawn := plot(points, frame{width: 360, height: 120, pad: 84}, false)
	line.Chart = &drawn
	return nil
}

// modelsOf returns the logged models that a run made.
func (p *pages) modelsOf(ctx context.Context, run *experiment.Run) ([]experiment.LoggedModel, error) {
	q := experiment.RunSearch{ExperimentIDs: []string{run.ExperimentID}}
	q.Filter, q.MaxResults = "source_run_id = '"+run.ID+"'", maxRunModels
	page, err := p.store.SearchLoggedModels(ctx, q)
	if err != nil {
		return nil, err
	}
	models := page.Items
	for _, out := range run.ModelOutputs {
		known := slices.ContainsFunc(models, func(m experiment.LoggedModel) bool { return m.ID == out.ModelID })
		if known || len(models) >= maxRunModels {
			continue
		}
		m, err := p.store.LoggedModel(ctx, out.ModelID)
		switch {
		case err == nil:
			models = append(models, *m)
		case apperror.CodeOf(err) != apperror.NotFound: // it was deleted
			return nil, err
		}
	}
	return models, nil
}
