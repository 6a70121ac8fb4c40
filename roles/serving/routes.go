package serving

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"tasador/pkg/httpserver"
)

// routes lists every address of the role with the right that it needs. Who may read may ask for prices, though they are recorded.
func (r *role) routes() []httpserver.Route {
	static := echo.WrapHandler(r.site.Static())
	all := []httpserver.Route{
		{Method: http.MethodPost, Path: "/predict", Right: httpserver.Read, Handler: r.predict, BodyLimit: maxListBody, NoPage: true},
		{Method: http.MethodPost, Path: "/feedback", Right: httpserver.Write, Handler: r.feedback, BodyLimit: maxBody, Often: true},
		{Method: http.MethodPost, Path: "/models/:" + versionParam + "/predict", Right: httpserver.Read, Handler: r.predict, BodyLimit: maxListBody, NoPage: true},
		{Method: http.MethodGet, Path: "/models", Right: httpserver.Read, Handler: r.models},
		{Method: http.MethodGet, Path: "/drift", Right: httpserver.Read, Handler: r.drift},
		{Method: http.MethodPost, Path: batchPath, Right: httpserver.Read, Handler: r.predictBatch, BodyLimit: httpserver.NoBodyLimit},
		{Method: http.MethodPost, Path: invocationsPath, Right: httpserver.Read, Handler: r.invocations, BodyLimit: maxFrame},
		{Method: http.MethodGet, Path: "/ping", Right: httpserver.Public, Handler: r.ping},
		{Method: http.MethodGet, Path: "/version", Right: httpserver.Read, Handler: r.mlflowVersion},
		{Method: http.MethodGet, Path: oipPath, Right: httpserver.Read, Handler: r.oipServer},
		{Method: http.MethodGet, Path: oipPath + "/health/live", Right: httpserver.Public, Handler: r.oipLive},
		{Method: http.MethodGet, Path: oipPath + "/health/ready", Right: httpserver.Public, Handler: r.oipReady},
		{Method: http.MethodGet, Path: oipPath + "/models", Right: httpserver.Read, Handler: r.oipModels},
		{Method: http.MethodGet, Path: oipModel, Right: httpserver.Read, Handler: r.oipMetadata},
		{Method: http.MethodGet, Path: oipModel + "/ready", Right: httpserver.Read, Handler: r.oipModelReady},
		{Method: http.MethodPost, Path: oipModel + "/infer", Right: httpserver.Read, Handler: r.oipInfer, BodyLimit: maxFrame},
		{Method: http.MethodGet, Path: oipVersion, Right: httpserver.Read, Handler: r.oipMetadata},
		{Method: http.MethodGet, Path: oipVersion + "/ready", Right: httpserver.Read, Handler: r.oipModelReady},
		{Method: http.MethodPost, Path: oipVersion + "/infer", Right: httpserver.Read, Handler: r.oipInfer, BodyLimit: maxFrame},
		{Method: http.MethodGet, Path: "/health", Right: httpserver.Public, Handler: r.health},
		{Method: http.MethodGet, Path: "/openapi.json", Right: httpserver.Read, Handler: r.openAPI},
		{Method: http.MethodGet, Path: "/docs", Right: httpserver.Read, Handler: r.docs},
		{Method: http.MethodGet, Path: "/", Right: httpserver.Read, Handler: r.showForm},
		{Method: http.MethodGet, Path: "/predictions", Right: httpserver.Read, Handler: httpserver.Page(r.predictions)},
		{Method: http.MethodGet, Path: salePath, Right: httpserver.Read, Handler: httpserver.Page(r.saleForm)},
		{Method: http.MethodPost, Path: salePath, Right: httpserver.Write, Handler: httpserver.Page(r.tellSale), BodyLimit: maxBody},
		{Method: http.MethodGet, Path: watchPath, Right: httpserver.Read, Handler: httpserver.Page(r.watch)},
		{Method: http.MethodPost, Path: uploadPath, Right: httpserver.Read, Handler: r.upload, BodyLimit: httpserver.NoBodyLimit},
		{Method: http.MethodPost, Path: "/check", Right: httpserver.Read, Handler: r.checkForm, BodyLimit: maxBody},
		{Method: http.MethodPost, Path: "/", Right: httpserver.Read, Handler: r.submitForm, BodyLimit: maxBody},
		{Method: http.MethodGet, Path: "/static/*", Right: httpserver.Public, Handler: static},
	}
	for i := range all {
		if all[i].Method == http.MethodPost && all[i].Path != batchPath { // which unpacks
			all[i].Handler = unpackedOnly(all[i].Handler)
		}
	}
	return all
}
