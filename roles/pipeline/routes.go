package pipeline

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"tasador/pkg/httpserver"
)

// routes lists every address of the role with the right that it needs.
func (r *role) routes() []httpserver.Route {
	const (
		dags  = "/api/v2/dags"
		runs  = dags + "/:dag_id/dagRuns"
		tasks = runs + "/:dag_run_id/taskInstances"
		task  = tasks + "/:task_id"
		fills = "/api/v2/backfills"
	)
	return []httpserver.Route{
		{Method: http.MethodGet, Path: "/api/v2/version", Right: httpserver.Read, Handler: r.version},
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
		{Method: http.MethodGet, Path: fills, Right: httpserver.Read, Handler: r.listBackfills},
		{Method: http.MethodPost, Path: fills, Right: httpserver.Write, Handler: r.createBackfill},
		{Method: http.MethodPost, Path: fills + "/dry_run", Right: httpserver.Read, Handler: r.dryRunBackfill},
		{Method: http.MethodGet, Path: fills + "/:backfill_id", Right: httpserver.Read, Handler: r.getBackfill},
		{Method: http.MethodPut, Path: fills + "/:backfill_id/cancel", Right: httpserver.Write, Handler: r.cancelBackfill},
	}
}

// routes lists every page with the right that it needs.
func (p *pages) routes() []httpserver.Route {
	const (
		one  = "/dags/:dag_id"
		run  = one + "/runs/:dag_run_id"
		task = run + "/tasks/:task_id"
	)
	return []httpserver.Route{
		{Method: http.MethodGet, Path: "/", Right: httpserver.Read, Handler: httpserver.Page(p.dags)},
		{Method: http.MethodGet, Path: one, Right: httpserver.Read, Handler: httpserver.Page(p.dag)},
		{Method: http.MethodPost, Path: one, Right: httpserver.Write, Handler: httpserver.Page(p.trigger)},
		{Method: http.MethodPost, Path: one + "/pause", Right: httpserver.Write, Handler: httpserver.Page(p.pause)},
		{Method: http.MethodGet, Path: one + "/gantt", Right: httpserver.Read, Handler: httpserver.Page(p.gantt)},
		{Method: http.MethodGet, Path: one + "/durations", Right: httpserver.Read, Handler: httpserver.Page(p.durations)},
		{Method: http.MethodGet, Path: one + "/calendar", Right: httpserver.Read, Handler: httpserver.Page(p.calendar)},
		{Method: http.MethodGet, Path: one + "/backfills", Right: httpserver.Read, Handler: httpserver.Page(p.backfills)},
		{Method: http.MethodPost, Path: one + "/backfills", Right: httpserver.Write, Handler: httpserver.Page(p.backfill)},
		{Method: http.MethodPost, Path: one + "/backfills/:backfill_id/cancel", Right: httpserver.Write, Handler: httpserver.Page(p.cancelBackfillPage)},
		{Method: http.MethodGet, Path: one + "/events", Right: httpserver.Read, Handler: p.events},
		{Method: http.MethodGet, Path: run, Right: httpserver.Read, Handler: httpserver.Page(p.showRun)},
		{Method: http.MethodPost, Path: run, Right: httpserver.Write, Handler: httpserver.Page(p.clearTasks)},
		{Method: http.MethodGet, Path: task, Right: httpserver.Read, Handler: httpserver.Page(p.showTask)},
		{Method: http.MethodGet, Path: "/data", Right: httpserver.Read, Handler: httpserver.Page(p.listData)},
		{Method: http.MethodGet, Path: "/data/:dag_run_id", Right: httpserver.Read, Handler: httpserver.Page(p.showBatch)},
		{Method: http.MethodGet, Path: "/static/*", Right: httpserver.Public, Handler: echo.WrapHandler(p.site.Static())},
	}
}
