package httpserver

import (
	"cmp"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/realtor"
	"tasador/web"
)

// landings say what the roles without pages of their own serve. The texts are keys of the translations.
func landings() map[string]web.LandingOptions {
	return map[string]web.LandingOptions{
		config.RolePipeline: {
			Intro: "This server runs the DAG that collects listings, trains and promotes the price model.",
			Entries: []web.Entry{
				{Path: "/api/v2/dags", What: "DAGs, their runs and tasks, in the shapes of Airflow's REST API"},
				{Path: "/api/v2/dags/" + realtor.DAG + "/dagRuns", What: "The runs of the DAG; POST starts one"},
			},
		},
		config.RoleTracking: {
			Intro: "This server keeps experiments, runs, models and their files, for every MLflow client.",
			Entries: []web.Entry{
				{Path: "/api/2.0/mlflow/…", What: "Experiments, runs and registered models, as MLflow's REST API"},
				{Path: "/api/2.0/mlflow-artifacts/artifacts/…", What: "Files of runs and models"},
			},
		},
		config.RoleSource: {
			Intro: "This server hands out listings in batches, for demonstrations and tests.",
			Entries: []web.Entry{
				{Path: "/data?group_number=7&day=Tuesday", What: "The next batch of listings"},
				{Path: "/restart_data_generation?group_number=7&day=Tuesday", What: "Begins again with the first batch"},
			},
		},
	}
}

// LandingRoutes returns the first page of a role without pages of its own, and the style that it needs. version is the program's.
func LandingRoutes(cfg *config.Config, role, version string) ([]Route, error) {
	site, err := web.New()
	if err != nil {
		return nil, err
	}
	options, ok := landings()[role]
	if !ok {
		return nil, apperror.New(apperror.Internal, "the role %s has pages of its own", role)
	}
	options.Role, options.Version = role, version
	options.Entries = append(options.Entries,
		web.Entry{Path: "/readyz", What: "Whether the server is ready, and what is missing"},
		web.Entry{Path: "/metrics", What: "Metrics for Prometheus"},
		web.Entry{Path: "/buildinfo", What: "What runs here"},
	)
	options.Links = func(r *http.Request) []web.Link { return ServerLinks(r, cfg, role) }
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
		{Label: "Experiments", Href: cmp.Or(cfg.Tracking.PublicURL, cfg.Tracking.URI), Current: current == config.RoleTracking},
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
