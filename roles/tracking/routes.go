package tracking

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"tasador/pkg/httpserver"
	"tasador/pkg/mlflowapi"
)

// The methods, short enough for a table.
const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	patch  = http.MethodPatch
	remove = http.MethodDelete
)

// call is one line of the table of MLflow's calls. Its path is below /api/2.0/mlflow and, for pages, /ajax-api/2.0/mlflow.
type call struct {
	method  string
	path    string
	right   httpserver.Right
	handler handler
}

// calls lists MLflow's calls with the right that each needs.
func (a *api) calls() []call {
	const read, write = httpserver.Read, httpserver.Write
	return []call{
		{post, "/experiments/create", write, a.createExperiment},
		{get, "/experiments/get", read, a.getExperiment},
		{get, "/experiments/get-by-name", read, a.getExperimentByName},
		{get, "/experiments/search", read, a.searchExperiments},
		{post, "/experiments/search", read, a.searchExperiments},
		{post, "/experiments/delete", write, a.deleteExperiment},
		{post, "/experiments/restore", write, a.restoreExperiment},
		{post, "/experiments/update", write, a.updateExperiment},
		{post, "/experiments/set-experiment-tag", write, a.setExperimentTag},
		{post, "/experiments/delete-experiment-tag", write, a.deleteExperimentTag},
		{post, "/experiments/search-datasets", read, a.searchDatasets},

		{post, "/runs/create", write, a.createRun},
		{get, "/runs/get", read, a.getRun},
		{post, "/runs/update", write, a.updateRun},
		{post, "/runs/delete", write, a.deleteRun},
		{post, "/runs/restore", write, a.restoreRun},
		{post, "/runs/search", read, a.searchRuns},
		{post, "/runs/log-metric", write, a.logMetric},
		{post, "/runs/log-parameter", write, a.logParam},
		{post, "/runs/set-tag", write, a.setTag},
		{post, "/runs/delete-tag", write, a.deleteTag},
		{post, "/runs/log-batch", write, a.logBatch},
		{post, "/runs/log-inputs", write, a.logInputs},
		{post, "/runs/outputs", write, a.logOutputs},
		{post, "/runs/log-model", write, a.logModel},
		{get, "/metrics/get-history", read, a.metricHistory},
		{get, "/metrics/get-history-bulk", read, a.metricHistoryBulk},
		{get, "/metrics/get-history-bulk-interval", read, a.metricHistoryInterval},
		{get, "/artifacts/list", read, a.listRunArtifacts},

		{post, "/logged-models", write, a.createLoggedModel},
		{post, "/logged-models/search", read, a.searchLoggedModels},
		{get, "/logged-models/:model_id", read, a.getLoggedModel},
		{patch, "/logged-models/:model_id", write, a.finalizeLoggedModel},
		{remove, "/logged-models/:model_id", write, a.deleteLoggedModel},
		{patch, "/logged-models/:model_id/tags", write, a.setLoggedModelTags},
		{remove, "/logged-models/:model_id/tags/:key", write, a.deleteLoggedModelTag},
		{post, "/logged-models/:model_id/params", write, a.logLoggedModelParams},
		{get, "/logged-models/:model_id/artifacts/directories", read, a.listModelArtifacts},

		{post, "/registered-models/create", write, a.createModel},
		{post, "/registered-models/rename", write, a.renameModel},
		{patch, "/registered-models/update", write, a.updateModel},
		{remove, "/registered-models/delete", write, a.deleteModel},
		{get, "/registered-models/get", read, a.getModel},
		{get, "/registered-models/search", read, a.searchModels},
		{get, "/registered-models/get-latest-versions", read, a.latestVersions},
		{post, "/registered-models/get-latest-versions", read, a.latestVersions},
		{post, "/registered-models/set-tag", write, a.setModelTag},
		{remove, "/registered-models/delete-tag", write, a.deleteModelTag},
		{post, "/registered-models/alias", write, a.setAlias},
		{remove, "/registered-models/alias", write, a.deleteAlias},
		{get, "/registered-models/alias", read, a.getVersionByAlias},

		{post, "/model-versions/create", write, a.createVersion},
		{patch, "/model-versions/update", write, a.updateVersion},
		{post, "/model-versions/transition-stage", write, a.transitionStage},
		{remove, "/model-versions/delete", write, a.deleteVersion},
		{get, "/model-versions/get", read, a.getVersion},
		{get, "/model-versions/search", read, a.searchVersions},
		{get, "/model-versions/get-download-uri", read, a.downloadURI},
		{post, "/model-versions/set-tag", write, a.setVersionTag},
		{remove, "/model-versions/delete-tag", write, a.deleteVersionTag},
	}
}

// often reports whether a client calls an address again and again for one run.
func often(path string) bool {
	switch path {
	case "/runs/log-metric", "/runs/log-batch", "/runs/log-parameter", "/runs/log-inputs", "/runs/outputs", "/runs/set-tag", "/logged-models/:model_id/params":
		return true
	}
	return false
}

// routes lists every route of the role with the right that it needs.
func (a *api) routes() []httpserver.Route {
	routes := []httpserver.Route{
		{Method: get, Path: "/health", Right: httpserver.Public, Handler: health},
		{Method: get, Path: "/version", Right: httpserver.Read, Handler: version},
		{Method: get, Path: mlflowapi.PrefixV3 + "/mlflow/server-info", Right: httpserver.Read, Handler: handler(a.serverInfo).json},
		{Method: get, Path: mlflowapi.PrefixAjax + "/3.0/mlflow/server-info", Right: httpserver.Read, Handler: handler(a.serverInfo).json},
		{Method: get, Path: "/get-artifact", Right: httpserver.Read, Handler: a.getRunArtifact},
		{Method: get, Path: "/model-versions/get-artifact", Right: httpserver.Read, Handler: a.getVersionArtifact},
		{Method: get, Path: "//model-versions/get-artifact", Right: httpserver.Read, Handler: a.getVersionArtifact}, // for a base address that ends in a slash
		{
			Method: get, Path: mlflowapi.PrefixAjax + "/2.0/mlflow/logged-models/:model_id/artifacts/files", Right: httpserver.Read,
			Handler: a.getModelArtifact,
		},
		{
			Method: post, Path: mlflowapi.PrefixAjax + "/2.0/mlflow/upload-artifact", Right: httpserver.Write, Handler: a.uploadRunArtifact,
			BodyLimit: httpserver.NoBodyLimit, // it has one of its own
		},
	}
	for _, prefix := range []string{mlflowapi.Prefix, mlflowapi.PrefixAjax + "/2.0"} {
		for _, c := range a.calls() {
			routes = append(routes, httpserver.Route{Method: c.method, Path: prefix + "/mlflow" + c.path, Right: c.right, Handler: c.handler.json, Often: often(c.path)})
		}
		routes = append(routes, proxyRoutes(prefix+"/mlflow-artifacts", a)...)
	}
	return routes
}

// plainAddresses are the routes with their addresses checked first: texts that no database keeps are refused alike on all.
func plainAddresses(routes []httpserver.Route) []httpserver.Route {
	for i, r := range routes {
		routes[i].Handler = func(c echo.Context) error {
			if err := checkAddress(c); err != nil {
				return err
			}
			return r.Handler(c)
		}
	}
	return routes
}

// proxyRoutes are those of the artifact proxy. Files are streamed, so an upload may have any length.
func proxyRoutes(prefix string, a *api) []httpserver.Route {
	return []httpserver.Route{
		{Method: get, Path: prefix + "/artifacts", Right: httpserver.Read, Handler: handler(a.listArtifacts).json},
		{Method: get, Path: prefix + "/artifacts/*", Right: httpserver.Read, Handler: a.getArtifact},
		{Method: put, Path: prefix + "/artifacts/*", Right: httpserver.Write, Handler: a.putArtifact, BodyLimit: httpserver.NoBodyLimit},
		{Method: remove, Path: prefix + "/artifacts/*", Right: httpserver.Write, Handler: a.deleteArtifact},
		{Method: post, Path: prefix + "/mpu/create/*", Right: httpserver.Write, Handler: handler(a.createUpload).json},
		{Method: post, Path: prefix + "/mpu/complete/*", Right: httpserver.Write, Handler: handler(a.completeUpload).json},
		{Method: post, Path: prefix + "/mpu/abort/*", Right: httpserver.Write, Handler: handler(a.abortUpload).json},
		{Method: get, Path: prefix + "/presigned/*", Right: httpserver.Read, Handler: handler(a.signDownload).json},
	}
}

// routes lists every page with the right that it needs.
func (p *pages) routes() []httpserver.Route {
	const read, write = httpserver.Read, httpserver.Write
	return []httpserver.Route{
		{Method: get, Path: "/", Right: read, Handler: httpserver.Page(p.experiments)},
		{Method: get, Path: "/experiments/:id", Right: read, Handler: httpserver.Page(p.runs)},
		{Method: get, Path: "/experiments/:id/runs.csv", Right: read, Handler: httpserver.Page(p.runsCSV)},
		{Method: get, Path: "/compare", Right: read, Handler: httpserver.Page(p.compare)},
		{Method: get, Path: "/runs/:id", Right: read, Handler: httpserver.Page(p.run)},
		{Method: get, Path: "/runs/:id/artifacts", Right: read, Handler: httpserver.Page(p.runFiles)},
		{Method: get, Path: "/runs/:id/image", Right: read, Handler: httpserver.Page(p.runImage)},
		{Method: get, Path: "/logged-models/:id", Right: read, Handler: httpserver.Page(p.loggedModel)},
		{Method: get, Path: "/logged-models/:id/image", Right: read, Handler: httpserver.Page(p.modelImage)},
		{Method: get, Path: "/models", Right: read, Handler: httpserver.Page(p.registered)},
		{Method: get, Path: "/models/:name", Right: read, Handler: httpserver.Page(p.model)},
		{Method: post, Path: "/models/:name", Right: write, Handler: httpserver.Page(p.move)},
		{Method: get, Path: "/static/*", Right: httpserver.Public, Handler: echo.WrapHandler(p.site.Static())},
	}
}
