package httpserver

import (
	"cmp"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"

	"tasador/pkg/config"
	"tasador/pkg/redact"
	"tasador/web"
)

// LandingRoutes returns the first page of a role without pages of its own, and the style that it needs. The options say what is on
// it; what all roles serve and the links to the other servers are added.
func LandingRoutes(cfg *config.Config, options web.LandingOptions) ([]Route, error) {
	site, err := web.New()
	if err != nil {
		return nil, err
	}
	options.Entries = append(options.Entries,
		web.Entry{Path: "/readyz", What: "Whether the server is ready, and what is missing"},
		web.Entry{Path: "/metrics", What: "Metrics for Prometheus"},
		web.Entry{Path: "/buildinfo", What: "What runs here"},
	)
	options.Links = func(r *http.Request) []web.Link { return ServerLinks(r, cfg, options.Role) }
	page := site.Landing(options)
	return []Route{
		{Method: http.MethodGet, Path: "/", Right: Read, Handler: func(c echo.Context) error { return page(c.Response(), c.Request()) }},
		{Method: http.MethodGet, Path: "/static/*", Right: Public, Handler: echo.WrapHandler(site.Static())},
	}, nil
}

// ServerLinks are the header's links to the servers, of which current is the one that shows them.
func ServerLinks(r *http.Request, cfg *config.Config, current string) []web.Link {
	links := []web.Link{
		{Label: "Appraise", Href: cmp.Or(cfg.Serving.PublicURL, publicAddress(r, cfg.Serving.Listen)), Current: current == config.RoleServing},
		{Label: "DAGs", Href: cmp.Or(cfg.Pipeline.PublicURL, publicAddress(r, cfg.Pipeline.Listen)), Current: current == config.RolePipeline},
		{Label: "Experiments", Href: cmp.Or(cfg.Tracking.PublicURL, redact.Link(cfg.Tracking.URI)), Current: current == config.RoleTracking},
	}
	for i := range links {
		if links[i].Current {
			links[i].Href = "/"
		}
	}
	return links
}

// publicAddress is where the reader's browser finds a server that listens on addr: on all addresses means on the one it asked.
func publicAddress(r *http.Request, addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = hostOnly(r.Host)
	}
	return "http://" + net.JoinHostPort(host, port)
}
