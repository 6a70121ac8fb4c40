package pipeline

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/httpserver"
)

// clearBody is what a clear may say, with Airflow's defaults: nothing changes unless dry_run is false.
type clearBody struct {
	DryRun            bool              `json:"dry_run"`
	OnlyFailed        bool              `json:"only_failed"`
	OnlyRunning       bool              `json:"only_running"`
	ResetDAGRuns      bool              `json:"reset_dag_runs"`
	IncludeUpstream   bool              `json:"include_upstream"`
	IncludeDownstream bool              `json:"include_downstream"`
	IncludePast       bool              `json:"include_past"`
	IncludeFuture     bool              `json:"include_future"`
	LatestVersion     bool              `json:"run_on_latest_version"`
	PreventRunning    bool              `json:"prevent_running_task"`
	TaskIDs           []json.RawMessage `json:"task_ids"` // "id" or ["id", map index]
	RunID             *string           `json:"dag_run_id"`
	StartDate         *string           `json:"start_date"`
	EndDate           *string           `json:"end_date"`
}

func (r *role) clearTaskInstances(c echo.Context) error {
	if err := r.checkDAG(c); err != nil {
		return err
	}
	body := clearBody{DryRun: true, OnlyFailed: true, ResetDAGRuns: true}
	if err := decode(c, &body); err != nil {
		return err
	}
	tasks, err := r.tasksToClear(body)
	if err != nil {
		return err
	}
	var states []dag.TaskState
	if body.OnlyFailed {
		states = []dag.TaskState{dag.StateFailed, dag.StateUpstreamFailed}
	}
	run, err := r.store.Run(c.Request().Context(), r.plan.Definition().ID, *body.RunID)
	if err != nil {
		return err
	}
	httpserver.Touch(c, "dag_run_id", run.ID, "task_ids", strings.Join(tasks, ","))
	if body.DryRun {
		httpserver.Untouched(c)
	}
	cleared, err := r.engine.Clear(c.Request().Context(), run.DAGID, run.ID, tasks, states, body.DryRun)
	if err != nil {
		return err
	}
	out := []instanceJSON{}
	for _, i := range cleared {
		out = append(out, r.instanceJSON(run, i))
	}
	return c.JSON(http.StatusOK, map[string]any{"task_instances": out, "total_entries": len(out)})
}

// tasksToClear returns the ids that a clear means. Codes: Invalid.
func (r *role) tasksToClear(body clearBody) ([]string, error) {
	switch {
	case body.RunID == nil:
		return nil, apperror.New(apperror.Invalid, "the request body lacks dag_run_id; tasks are cleared in one run at a time")
	case body.IncludePast || body.IncludeFuture || body.IncludeUpstream || body.StartDate != nil || body.EndDate != nil:
		return nil, apperror.New(apperror.Invalid,
			"include_past, include_future, include_upstream, start_date and end_date are not supported; name dag_run_id and task_ids")
	case body.OnlyRunning || !body.ResetDAGRuns:
		return nil, apperror.New(apperror.Invalid, "only_running and reset_dag_runs=false are not supported")
	case len(body.TaskIDs) == 0:
		return r.plan.TaskIDs(), nil
	}
	var ids []string
	for _, raw := range body.TaskIDs {
		var id string
		var mapped []any
		if json.Unmarshal(raw, &id) != nil {
			if json.Unmarshal(raw, &mapped) != nil || len(mapped) == 0 {
				return nil, apperror.New(apperror.Invalid, "task_ids holds %s, which is not a task id", raw)
			}
			id, _ = mapped[0].(string)
		}
		if _, known := r.plan.Task(id); !known {
			return nil, apperror.New(apperror.Invalid, "the DAG %s has no task %q", r.plan.Definition().ID, id)
		}
		ids = append(ids, id)
		if body.IncludeDownstream {
			ids = append(ids, r.plan.AllDownstream(id)...)
		}
	}
	return ids, nil
}
