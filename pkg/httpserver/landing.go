package httpserver

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"tasador/web"
)

// LandingRoutes returns the first page of a role without pages of its own, and the style that it needs. The options say what is on
// it; what all roles serve and the links to the other servers are added.
func LandingRoutes(header *Header, options web.LandingOptions) ([]Route, error) {
	site, err := web.New()
	if err != nil {
		return nil, err
	}
	options.Entries = append(options.Entries,
		web.Entry{Path: "/readyz", What: "Whether the server is ready, and what is missing"},
		web.Entry{Path: "/metrics", What: "Metrics for Prometheus"},
		web.Entry{Path: "/buildinfo", What: "What runs here"},
	)
	options.Header = header.Fill
	page := site.Landing(options)
	return []Route{
		{Method: http.MethodGet, Path: "/", Right: Read, Handler: func(c echo.Context) error { return page(c.Response(), c.Request()) }},
		{Method: http.MethodGet, Path: "/static/*", Right: Public, Handler: echo.WrapHandler(site.Static())},
	}, nil
}
