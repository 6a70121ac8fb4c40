package source

import (
	"net/http"

	"tasador/pkg/config"
	"tasador/pkg/httpserver"
	"tasador/pkg/listingapi"
	"tasador/web"
)

// routes lists every address of the role. The restart is a GET because the protocol has it so.
func (r *role) routes() []httpserver.Route {
	return []httpserver.Route{
		{Method: http.MethodGet, Path: "/" + listingapi.PathData, Right: httpserver.Write, Handler: r.data},
		{Method: http.MethodGet, Path: "/" + listingapi.PathRestart, Right: httpserver.Write, Handler: r.restart},
	}
}

// landing is the first page. Its texts are keys of the translations.
func landing(version string) web.LandingOptions {
	return web.LandingOptions{
		Role: config.RoleSource, Version: version,
		Intro: "This server hands out listings in batches, for demonstrations and tests.",
		Entries: []web.Entry{
			{Path: "/data?group_number=7&day=Tuesday", What: "The next batch of listings"},
			{Path: "/restart_data_generation?group_number=7&day=Tuesday", What: "Begins again with the first batch"},
		},
	}
}
