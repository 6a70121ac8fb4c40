package tracking

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/experiment"
	"tasador/pkg/realtor"
	"tasador/pkg/registry"
	"tasador/web"
)

const (
	modelsPerPage   = 100
	versionsPerPage = 50
)

// modelsPage is the content of the list of registered models.
type modelsPage struct {
	Rows        []modelLine
	First, Next string
}

// modelLine is one registered model in the list.
type modelLine struct {
	Name, Href  string
	Description string
	Newest      string
	InUse       []registry.Version // in Production
	Changed     moment
}

// modelHref is the address of a registered model.
func modelHref(name string) string { return "/models/" + url.PathEscape(name) }

// versionLink is a version as other pages name it.
type versionLink struct {
	registry.Version
	Href string
}

func versionLinks(versions []registry.Version) []versionLink {
	links := make([]versionLink, len(versions))
	for i, v := range versions {
		links[i] = versionLink{v, modelHref(v.Name) + "#version-" + v.Version}
	}
	return links
}

// registered is GET /models.
func (p *pages) registered(c echo.Context) error {
	token := c.QueryParam("page")
	list, err := p.store.SearchModels(c.Request().Context(), experiment.Search{
		PageRequest: experiment.PageRequest{MaxResults: modelsPerPage, PageToken: token},
	})
	if err != nil {
		return err
	}
	var body modelsPage
	body.First, body.Next = pager(url.Values{}, "/models", token, list.NextPageToken)
	for _, m := range list.Items {
		line := modelLine{Name: m.Name, Href: modelHref(m.Name), Description: m.Description, Changed: moment(m.LastUpdatedTimestamp)}
		var newest int64
		for _, v := range m.LatestVersions {
			if v.CreationTimestamp >= newest {
				newest, line.Newest = v.CreationTimestamp, v.Version
			}
			if v.Stage == registry.Production {
				line.InUse = append(line.InUse, v)
			}
		}
		body.Rows = append(body.Rows, line)
	}
	return p.write(c, http.StatusOK, "models", web.Page{Title: "Models", Body: body})
}

// modelBody is the content of the page of a registered model.
type modelBody struct {
	Model       registry.Model
	Href        string
	InUse       []versionLine // in Production
	Versions    []versionLine
	Stages      []registry.Stage
	Chart       *chart
	Compare     string // address that compares the runs of the versions; empty if there are not two
	First, Next string
	Form        moveForm
	Moved       bool // just now
	Timeline    *timeline
	Trail       trail
}

// versionLine is one version of a registered model.
type versionLine struct {
	versionLink
	Created  moment
	Changed  moment // the last time that it was moved or described
	Run      *runLine
	TestRMSE *float64
	Promoted bool
	DAGRunID string
	DAGRun   string
	Uses     string // where what was predicted with it is listed
}

// model is GET /models/:name.
func (p *pages) model(c echo.Context) error {
	return p.modelPage(c, http.StatusOK, newMoveForm(c.QueryParam("version")))
}

// modelPage shows a model with a form that moves its versions.
func (p *pages) modelPage(c echo.Context, status int, form moveForm) error {
	ctx, name, token := c.Request().Context(), last(c), c.QueryParam("page")
	m, err := p.store.Model(ctx, name)
	if err != nil {
		return found(err, "There is no registered model %s.", name)
	}
	list, err := p.store.VersionsOf(ctx, name, experiment.PageRequest{MaxResults: versionsPerPage, PageToken: token})
	if err != nil {
		return err
	}
	body := modelBody{Model: *m, Href: modelHref(name), Stages: registry.Stages(), Form: form, Moved: c.QueryParam("moved") != ""}
	body.First, body.Next = pager(url.Values{}, modelHref(name), token, list.NextPageToken)
	if body.Versions, err = p.versionLines(c, list.Items); err != nil {
		return err
	}
	inUse, err := p.store.LatestVersions(ctx, name, []registry.Stage{registry.Production})
	if err != nil {
		return err
	}
	if body.InUse, err = p.versionLines(c, inUse); err != nil {
		return err
	}
	if body.Timeline, err = p.timelineOf(ctx, name, moment(time.Now().UnixMilli())); err != nil {
		return err
	}
	if body.Trail, err = p.trailOf(c, name); err != nil {
		return err
	}
	body.Chart, body.Compare = rmseChart(body.Versions), compareVersions(body.Versions)
	return p.write(c, status, "model", web.Page{Title: "Models", Name: m.Name, Body: body})
}

// Since is when a version came to where it is: as the audit trail has it, else its last change.
func (b modelBody) Since(v versionLine) moment {
	if b.Timeline != nil {
		for _, p := range b.Timeline.Periods {
			if p.Version == v.Version.Version && p.To == 0 {
				return p.From
			}
		}
	}
	return v.Changed
}

// Before is the time in Production that ended last, nil if none is known.
func (b modelBody) Before() *period {
	if b.Timeline != nil {
		for _, p := range b.Timeline.Periods {
			if p.To != 0 {
				return &p
			}
		}
	}
	return nil
}

// versionLines joins versions with the runs that trained them.
func (p *pages) versionLines(c echo.Context, versions []registry.Version) ([]versionLine, error) {
	runs, err := p.runsOf(c.Request().Context(), versions)
	if err != nil {
		return nil, err
	}
	lines, places := make([]versionLine, len(versions)), p.header.Places(c.Request())
	for i, v := range versionLinks(versions) {
		line := versionLine{
			versionLink: v, Created: moment(v.CreationTimestamp), Changed: moment(v.LastUpdatedTimestamp), Promoted: v.Stage == registry.Production,
		}
		for _, t := range v.Tags {
			if t.Key == realtor.TagDAGRunID {
				line.DAGRunID = t.Value
			}
		}
		if run, ok := runs[v.RunID]; ok {
			shown := newRunLine(run)
			line.Run = &shown
			if rmse, ok := run.Metric(realtor.MetricTestRMSE); ok {
				line.TestRMSE = &rmse
			}
			if id, ok := run.Tag(realtor.TagDAGRunID); ok {
				line.DAGRunID = id
			}
			if promoted, _ := run.Tag(realtor.TagPromoted); promoted == "true" {
				line.Promoted = true
			}
		}
		line.DAGRun = places.DAGRun(line.DAGRunID)
		line.Uses = places.Predictions(v.Name, v.Version.Version)
		lines[i] = line
	}
	return lines, nil
}

func (p *pages) runsOf(ctx context.Context, versions []registry.Version) (map[string]experiment.Run, error) {
	var ids []string
	for _, v := range versions {
		if v.RunID != "" && !slices.Contains(ids, v.RunID) {
			ids = append(ids, v.RunID)
		}
	}
	return p.store.RunsByID(ctx, ids)
}

// compareVersions is the address that compares the runs of the newest versions.
func compareVersions(versions []versionLine) string {
	q := url.Values{}
	for _, v := range versions {
		if v.Run != nil && !slices.Contains(q["run"], v.Run.ID) && len(q["run"]) < maxCompared {
			q.Add("run", v.Run.ID)
		}
	}
	if len(q["run"]) < 2 {
		return ""
	}
	return address("/compare", q)
}

// rmseChart draws the test RMSE over versions, which come newest first; nil if fewer than two have one.
func rmseChart(versions []versionLine) *chart {
	var points []point
	for _, v := range slices.Backward(versions) {
		if v.TestRMSE != nil && finite(*v.TestRMSE) {
			points = append(points, point{X: float64(len(points)), Y: *v.TestRMSE, At: v.Version.Version, Filled: v.Promoted, Href: v.Href})
		}
	}
	if len(points) < 2 {
		return nil
	}
	drawn := plot(points, frame{width: 640, height: 170, pad: 84}, true)
	return &drawn
}
