package pipeline

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/httpserver"
)

func (r *role) listDAGs(c echo.Context) error {
	if err := allowQuery(c, "paused", "dag_id_pattern", "limit", "offset"); err != nil {
		return err
	}
	limit, offset, err := page(c)
	if err != nil {
		return err
	}
	stored, err := r.store.DAG(c.Request().Context(), r.plan.Definition().ID)
	if err != nil {
		return err
	}
	dags := []dagJSON{r.dagJSON(stored)}
	if want := c.QueryParam("paused"); want != "" {
		paused, err := strconv.ParseBool(want)
		if err != nil {
			return apperror.New(apperror.Invalid, "paused=%s is not understood; use true or false", want)
		}
		dags = slices.DeleteFunc(dags, func(d dagJSON) bool { return d.IsPaused != paused })
	}
	if part := strings.Trim(c.QueryParam("dag_id_pattern"), "%"); part != "" {
		dags = slices.DeleteFunc(dags, func(d dagJSON) bool { return !strings.Contains(strings.ToLower(d.DAGID), strings.ToLower(part)) })
	}
	return c.JSON(http.StatusOK, map[string]any{"dags": slice(dags, limit, offset), "total_entries": len(dags)})
}

func (r *role) getDAG(c echo.Context) error {
	if err := r.checkDAG(c); err != nil {
		return err
	}
	stored, err := r.store.DAG(c.Request().Context(), r.plan.Definition().ID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, r.dagJSON(stored))
}

func (r *role) patchDAG(c echo.Context) error {
	if err := r.checkDAG(c); err != nil {
		return err
	}
	var body struct {
		IsPaused *bool `json:"is_paused"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	for _, mask := range c.QueryParams()["update_mask"] {
		if mask != "is_paused" {
			return apperror.New(apperror.Invalid, "update_mask=%s is not supported; only is_paused can be changed", mask)
		}
	}
	if body.IsPaused == nil {
		return apperror.New(apperror.Invalid, `the request body lacks is_paused; write it as {"is_paused": true}`)
	}
	httpserver.Touch(c, "is_paused", strconv.FormatBool(*body.IsPaused))
	if err := r.engine.SetPaused(c.Request().Context(), r.plan.Definition().ID, *body.IsPaused); err != nil {
		return err
	}
	r.scheduler.Wake()
	return r.getDAG(c)
}

// timeDelta is how Airflow writes durations.
type timeDelta struct {
	Type         string `json:"__type"`
	Days         int    `json:"days"`
	Seconds      int    `json:"seconds"`
	Microseconds int    `json:"microseconds"`
}

func delta(d time.Duration) timeDelta {
	const day = 24 * time.Hour
	return timeDelta{Type: "TimeDelta", Days: int(d / day), Seconds: int(d % day / time.Second), Microseconds: int(d % time.Second / time.Microsecond)}
}

type taskJSON struct {
	TaskID                  string          `json:"task_id"`
	TaskName                string          `json:"task_display_name"`
	Owner                   string          `json:"owner"`
	StartDate               *time.Time      `json:"start_date"`
	EndDate                 *time.Time      `json:"end_date"`
	TriggerRule             dag.TriggerRule `json:"trigger_rule"`
	DependsOnPast           bool            `json:"depends_on_past"`
	WaitForDownstream       bool            `json:"wait_for_downstream"`
	Retries                 float64         `json:"retries"`
	Queue                   string          `json:"queue"`
	Pool                    string          `json:"pool"`
	PoolSlots               float64         `json:"pool_slots"`
	ExecutionTimeout        *timeDelta      `json:"execution_timeout"`
	RetryDelay              *timeDelta      `json:"retry_delay"`
	RetryExponentialBackoff float64         `json:"retry_exponential_backoff"`
	PriorityWeight          float64         `json:"priority_weight"`
	WeightRule              string          `json:"weight_rule"`
	UIColor                 string          `json:"ui_color"`
	UIFgColor               string          `json:"ui_fgcolor"`
	TemplateFields          []string        `json:"template_fields"`
	Downstream              []string        `json:"downstream_task_ids"`
	DocMD                   *string         `json:"doc_md"`
	OperatorName            string          `json:"operator_name"`
	Params                  struct{}        `json:"params"`
	ClassRef                struct{}        `json:"class_ref"`
	IsMapped                bool            `json:"is_mapped"`
	ExtraLinks              []string        `json:"extra_links"`
}

func (r *role) taskJSON(t dag.Task) taskJSON {
	wait := delta(t.RetryDelay)
	out := taskJSON{
		TaskID: t.ID, TaskName: t.ID, Owner: r.plan.Definition().Owner, TriggerRule: t.TriggerRule, Retries: float64(t.Retries), Queue: "default", Pool: "default_pool",
		PoolSlots: 1, RetryDelay: &wait, PriorityWeight: 1, WeightRule: "downstream", UIColor: "#fff", UIFgColor: "#000", TemplateFields: []string{},
		Downstream: append([]string{}, r.plan.Downstream(t.ID)...), OperatorName: "task", ExtraLinks: []string{},
	}
	if out.TriggerRule == "" {
		out.TriggerRule = dag.AllSuccess
	}
	if t.Timeout > 0 {
		limit := delta(t.Timeout)
		out.ExecutionTimeout = &limit
	}
	return out
}

func (r *role) listTasks(c echo.Context) error {
	if err := r.checkDAG(c); err != nil {
		return err
	}
	tasks := []taskJSON{}
	for _, t := range r.plan.Definition().Tasks {
		tasks = append(tasks, r.taskJSON(t))
	}
	return c.JSON(http.StatusOK, map[string]any{"tasks": tasks, "total_entries": len(tasks)})
}

func (r *role) getTask(c echo.Context) error {
	if err := r.checkDAG(c); err != nil {
		return err
	}
	id, err := param(c, "task_id")
	if err != nil {
		return err
	}
	t, ok := r.plan.Task(id)
	if !ok {
		return apperror.New(apperror.NotFound, "the DAG %s has no task %s", r.plan.Definition().ID, id)
	}
	return c.JSON(http.StatusOK, r.taskJSON(t))
}
