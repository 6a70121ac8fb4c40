package tracking

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/httpserver"
	"tasador/pkg/observability"
	"tasador/pkg/sqlstore/trackingstore"
	"tasador/web"
)

// pages answers people. What it shows was written by clients: it reaches the templates as plain text and nowhere else.
type pages struct {
	*api
	store  *trackingstore.Store
	site   *web.Site
	cfg    *config.Config
	build  observability.Build
	header *httpserver.Header
}

// missing says that what an address names does not exist, in a sentence that can be translated.
type missing struct {
	what apperror.Sentence
	err  error
}

func (m *missing) Error() string { return m.err.Error() }

func (m *missing) Unwrap() error { return m.err }

// found turns the error of a look-up by a part of the address into missing: an id that no client could have got is one of nothing.
func found(err error, format, id string) error {
	if code := apperror.CodeOf(err); err != nil && (code == apperror.NotFound || code == apperror.Invalid) {
		return &missing{apperror.Sentence{Format: format, Args: []any{id}}, apperror.Wrap(apperror.NotFound, err, "%s", apperror.SentenceOf(err))}
	}
	return err
}

// errorPage is the content of the page that says what went wrong.
type errorPage struct {
	What    apperror.Sentence
	Missing bool // what the address names does not exist
}

// writeError answers pages with a page, and a browser that asks for an address of nothing; all others in MLflow's shape.
func (p *pages) writeError(c echo.Context, err error) error {
	if !httpserver.WantsErrorPage(c, err, "/api/", "/ajax-api/") {
		return writeError(c, err)
	}
	body := errorPage{What: apperror.SentenceOf(err)}
	title := "This did not work"
	var m *missing
	switch {
	case errors.As(err, &m):
		body, title = errorPage{m.what, true}, "Not found"
	case apperror.CodeOf(err) == apperror.NotFound:
		body, title = errorPage{apperror.Sentence{Format: "There is no page at %s.", Args: []any{c.Request().URL.Path}}, true}, "Not found"
	}
	return p.write(c, httpserver.StatusOf(err), "error", web.Page{Title: title, Body: body})
}

// write completes a page with the header and sends it; name is that of the template after tracking_.
func (p *pages) write(c echo.Context, status int, name string, page web.Page) error {
	page.Role, page.Version = config.RoleTracking, p.build.Version
	p.header.Fill(c.Request(), &page)
	ofModels := strings.HasPrefix(c.Path(), "/models")
	page.Links[2].Current = !ofModels && status == http.StatusOK
	page.Links = append(page.Links, web.Link{Label: "Models", Href: "/models", Current: ofModels})
	return p.site.Write(c.Response(), c.Request(), status, "tracking_"+name, page)
}

// dagRun returns the address of a DAG run on the pipeline's pages, empty without an id and where the pipeline's address is not known.
func (p *pages) dagRun(c echo.Context, id string) string {
	return p.header.Places(c.Request()).DAGRun(id)
}

// trackingURI is where clients find this server: where the reader's browser does, unless a setting says more.
func (p *pages) trackingURI(c echo.Context) string {
	return cmp.Or(p.cfg.Tracking.PublicURL, c.Scheme()+"://"+c.Request().Host)
}

// last returns the last part of the address, decoded once.
func last(c echo.Context) string {
	path := c.Request().URL.Path
	return path[strings.LastIndexByte(path, '/')+1:]
}

// moment is a point in time in milliseconds since 1970 (UTC); 0 is none.
type moment int64

// UTC is the moment as pages write it.
func (m moment) UTC() time.Time { return time.UnixMilli(int64(m)).UTC() }

// Short names the moment on the axis of a chart.
func (m moment) Short() string { return m.UTC().Format("2006-01-02 15:04 UTC") }
