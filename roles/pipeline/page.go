package pipeline

import (
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/httpserver"
	"tasador/web"
)

// pages answers people: the same runs and tasks as the REST interface, drawn.
type pages struct {
	*role
	site   *web.Site
	header *httpserver.Header
	feeds  *feeds
}

func newPages(r *role, cfg *config.Config) (*pages, error) {
	site, err := web.New()
	if err != nil {
		return nil, err
	}
	return &pages{role: r, site: site, header: httpserver.NewHeader(cfg, config.RolePipeline, nil), feeds: newFeeds()}, nil
}

// sentence is a text of ours, a key of the translations, with what it names.
type sentence = apperror.Sentence

// write completes a page with the header and sends it; name is that of the template after dag_.
func (p *pages) write(c echo.Context, status int, name string, page web.Page) error {
	page.Role, page.Version = config.RolePipeline, p.build.Version
	p.header.Fill(c.Request(), &page)
	return p.site.Write(c.Response(), c.Request(), status, "dag_"+name, page)
}

// errorPage is the content of the page that says what went wrong.
type errorPage struct{ What sentence }

// writeError answers pages with a page, and a browser that asks for an address of nothing; all others in Airflow's shape.
func (p *pages) writeError(c echo.Context, err error) error {
	if !httpserver.WantsErrorPage(c, err, "/api/") {
		return writeError(c, err)
	}
	body, title := errorPage{apperror.SentenceOf(err)}, "This did not work"
	if apperror.CodeOf(err) == apperror.NotFound {
		body.What, title = sentence{Format: "There is no page at %s.", Args: []any{c.Request().URL.RequestURI()}}, "Not found"
	}
	return p.write(c, httpserver.StatusOf(err), "error", web.Page{Title: title, Body: body})
}

// The addresses of the pages.

func dagPath(dagID string) string { return "/dags/" + url.PathEscape(dagID) }

func runPath(dagID, runID string) string { return dagPath(dagID) + "/runs/" + url.PathEscape(runID) }

func taskPath(dagID, runID, taskID string) string {
	return runPath(dagID, runID) + "/tasks/" + url.PathEscape(taskID)
}

// when is an instant as pages show it; the zero one is shown as nothing.
type when struct{ time.Time }

// clock says how long something took, or since when it runs.
type clock struct {
	Took  *time.Duration
	Since int64 // milliseconds since 1970, 0 unless it runs
}

func clockOf(from, to, now time.Time) clock {
	if from.IsZero() {
		return clock{}
	}
	c := clock{}
	if to.IsZero() {
		to, c.Since = now, from.UnixMilli()
	}
	took := max(to.Sub(from), 0)
	c.Took = &took
	return c
}
