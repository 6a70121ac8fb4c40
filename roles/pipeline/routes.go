package pipeline

import (
	"net/http"

	"tasador/pkg/config"
	"tasador/pkg/httpserver"
	"tasador/pkg/realtor"
	"tasador/web"
)

// routes lists every address of the role with the right that it needs.
func (r *role) routes() []httpserver.Route {
	const (
		dags  = "/api/v2/dags"
		runs  = dags + "/:dag_id/dagRuns"
		tasks = runs + "/:dag_run_id/taskInstances"
		task  = tasks + "/:task_id"
	)
	return []httpserver.Route{
		{Method: http.MethodGet, Path: "/api/v2/version", Right: httpserver.Public, Handler: r.version},
		{Method: http.MethodGet, Path: "/api/v2/monitor/health", Right: httpserver.Public, Handler: r.health},
		{Method: http.MethodGet, Path: dags, Right: httpserver.Read, Handler: r.listDAGs},
		{Method: http.MethodGet, Path: dags + "/:dag_id", Right: httpserver.Read, Handler: r.getDAG},
		{Method: http.MethodPatch, Path: dags + "/:dag_id", Right: httpserver.Write, Handler: r.patchDAG},
		{Method: http.MethodGet, Path: dags + "/:dag_id/tasks", Right: httpserver.Read, Handler: r.listTasks},
		{Method: http.MethodGet, Path: dags + "/:dag_id/tasks/:task_id", Right: httpserver.Read, Handler: r.getTask},
		{Method: http.MethodPost, Path: dags + "/:dag_id/clearTaskInstances", Right: httpserver.Write, Handler: r.clearTaskInstances},
		{Method: http.MethodGet, Path: runs, Right: httpserver.Read, Handler: r.listRuns},
		{Method: http.MethodPost, Path: runs, Right: httpserver.Write, Handler: r.triggerRun},
		{Method: http.MethodGet, Path: runs + "/:dag_run_id", Right: httpserver.Read, Handler: r.getRun},
		{Method: http.MethodGet, Path: tasks, Right: httpserver.Read, Handler: r.listInstances},
		{Method: http.MethodGet, Path: task, Right: httpserver.Read, Handler: r.getInstance},
		{Method: http.MethodGet, Path: task + "/tries", Right: httpserver.Read, Handler: r.listTries},
		{Method: http.MethodGet, Path: task + "/tries/:try_number", Right: httpserver.Read, Handler: r.getTry},
		{Method: http.MethodGet, Path: task + "/logs/:try_number", Right: httpserver.Read, Handler: r.getLog},
		{Method: http.MethodGet, Path: task + "/xcomEntries", Right: httpserver.Read, Handler: r.listXComs},
		{Method: http.MethodGet, Path: task + "/xcomEntries/:key", Right: httpserver.Read, Handler: r.getXCom},
	}
}

// landing is the first page. Its texts are keys of the translations.
func landing(version string) web.LandingOptions {
	return web.LandingOptions{
		Role: config.RolePipeline, Version: version,
		Intro: "This server runs the DAG that collects listings, trains and promotes the price model.",
		Entries: []web.Entry{
			{Path: "/api/v2/dags", What: "DAGs, their runs and tasks, in the shapes of Airflow's REST API"},
			{Path: "/api/v2/dags/" + realtor.DAG + "/dagRuns", What: "The runs of the DAG; POST starts one"},
		},
	}
}
