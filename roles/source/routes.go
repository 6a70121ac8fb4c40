package source

import (
	"net/http"

	"tasador/pkg/httpserver"
	"tasador/pkg/listingapi"
)

// routes lists every address of the role. The restart is a GET because the protocol has it so.
func (r *role) routes() []httpserver.Route {
	return []httpserver.Route{
		{Method: http.MethodGet, Path: "/" + listingapi.PathData, Right: httpserver.Read, Handler: r.data},
		{Method: http.MethodGet, Path: "/" + listingapi.PathRestart, Right: httpserver.Write, Handler: r.restart},
	}
}
