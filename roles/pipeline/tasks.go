package pipeline

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
)

func (r *role) listInstances(c echo.Context) error {
	if err := allowQuery(c, "state", "task_id", "limit", "offset"); err != nil {
		return err
	}
	limit, offset, err := page(c)
	if err != nil {
		return err
	}
	run, err := r.run(c)
	if err != nil {
		return err
	}
	instances, err := r.store.Instances(c.Request().Context(), run.DAGID, run.ID)
	if err != nil {
		return err
	}
	states, tasks := c.QueryParams()["state"], c.QueryParams()["task_id"]
	out := []instanceJSON{}
	for _, i := range instances {
		name := string(i.State)
		if name == "" {
			name = "none"
		}
		if (len(states) == 0 || slices.Contains(states, name)) && (len(tasks) == 0 || slices.Contains(tasks, i.TaskID)) {
			out = append(out, r.instanceJSON(run, i))
		}
	}
	return c.JSON(http.StatusOK, map[string]any{"task_instances": slice(out, limit, offset), "total_entries": len(out)})
}

// instance returns the run and the task instance that the address names. Codes: NotFound.
func (r *role) instance(c echo.Context) (dagrunstore.Run, dagrunstore.Instance, error) {
	run, err := r.run(c)
	if err != nil {
		return run, dagrunstore.Instance{}, err
	}
	id, err := param(c, "task_id")
	if err != nil {
		return run, dagrunstore.Instance{}, err
	}
	i, err := r.store.Instance(c.Request().Context(), run.DAGID, run.ID, id)
	return run, i, err
}

func (r *role) getInstance(c echo.Context) error {
	run, i, err := r.instance(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, r.instanceJSON(run, i))
}

// tries returns every try of the task instance that the address names, oldest first.
func (r *role) tries(c echo.Context) ([]instanceJSON, error) {
	run, i, err := r.instance(c)
	if err != nil {
		return nil, err
	}
	tries, err := r.store.Tries(c.Request().Context(), i.Key)
	if err != nil {
		return nil, err
	}
	current := r.instanceJSON(run, i)
	out := []instanceJSON{}
	for _, t := range tries {
		if t.Try == i.Try && i.State != dag.StateNone {
			continue
		}
		past := current
		past.ID, past.TryNumber, past.State, past.QueuedWhen, past.ScheduledWhen = instanceID(i, t.Try), t.Try, stateOf(t.State), instantOf(t.QueuedAt), nil
		past.StartDate, past.EndDate, past.Duration = instantOf(t.StartedAt), instantOf(t.Ended), seconds(t.StartedAt, t.Ended)
		out = append(out, past)
	}
	if i.State != dag.StateNone {
		out = append(out, current)
	}
	return out, nil
}

func (r *role) listTries(c echo.Context) error {
	tries, err := r.tries(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"task_instances": tries, "total_entries": len(tries)})
}

func (r *role) getTry(c echo.Context) error {
	tries, err := r.tries(c)
	if err != nil {
		return err
	}
	for _, t := range tries {
		if strconv.Itoa(t.TryNumber) == c.Param("try_number") {
			return c.JSON(http.StatusOK, t)
		}
	}
	return apperror.New(apperror.NotFound, "the task has had %d tries; there is no try %s", len(tries), c.Param("try_number"))
}

func (r *role) getLog(c echo.Context) error {
	_, i, err := r.instance(c)
	if err != nil {
		return err
	}
	try, err := strconv.Atoi(c.Param("try_number"))
	if err != nil || try < 0 {
		return apperror.New(apperror.Invalid, "%q is not the number of a try", c.Param("try_number"))
	}
	if try > i.Try {
		return apperror.New(apperror.NotFound, "the task %s has had %d tries; there is no try %d", i.TaskID, i.Try, try)
	}
	lines, err := r.store.Log(c.Request().Context(), i.Key, try, 0, dagrunstore.MaxLogLines+1)
	if err != nil {
		return err
	}
	content := []map[string]any{}
	for _, l := range lines {
		content = append(content, logLine(l))
	}
	if strings.Contains(c.Request().Header.Get(echo.HeaderAccept), "application/x-ndjson") {
		c.Response().Header().Set(echo.HeaderContentType, "application/x-ndjson")
		enc := json.NewEncoder(c.Response())
		for _, l := range content {
			if err := enc.Encode(l); err != nil {
				return err
			}
		}
		return nil
	}
	return c.JSON(http.StatusOK, map[string]any{"content": content, "continuation_token": nil})
}

func logLine(l dagrunstore.LogLine) map[string]any {
	line := map[string]any{}
	if err := json.Unmarshal(l.Attributes, &line); err != nil || line == nil {
		line = map[string]any{"attributes": string(l.Attributes)}
	}
	line["timestamp"], line["level"], line["event"] = l.At.Format(time.RFC3339Nano), strings.ToLower(l.Level), l.Message
	return line
}

type xcomJSON struct {
	Key         string     `json:"key"`
	Timestamp   time.Time  `json:"timestamp"`
	LogicalDate *time.Time `json:"logical_date"`
	MapIndex    int        `json:"map_index"`
	TaskID      string     `json:"task_id"`
	DAGID       string     `json:"dag_id"`
	RunID       string     `json:"run_id"`
	DAGName     string     `json:"dag_display_name"`
	TaskName    string     `json:"task_display_name"`
	RunAfter    time.Time  `json:"run_after"`
}

func toXComJSON(run dagrunstore.Run, i dagrunstore.Instance, x dagrunstore.XCom) xcomJSON {
	return xcomJSON{
		Key: x.Key, Timestamp: x.PushedAt, LogicalDate: instantOf(run.LogicalDate), MapIndex: -1, TaskID: i.TaskID, DAGID: i.DAGID, RunID: i.RunID,
		DAGName: i.DAGID, TaskName: i.TaskID, RunAfter: runAfter(run),
	}
}

func (r *role) listXComs(c echo.Context) error {
	run, i, err := r.instance(c)
	if err != nil {
		return err
	}
	limit, offset, err := page(c)
	if err != nil {
		return err
	}
	xcoms, err := r.store.XComs(c.Request().Context(), i.Key)
	if err != nil {
		return err
	}
	out := []xcomJSON{}
	for _, x := range xcoms {
		out = append(out, toXComJSON(run, i, x))
	}
	return c.JSON(http.StatusOK, map[string]any{"xcom_entries": slice(out, limit, offset), "total_entries": len(out)})
}

func (r *role) getXCom(c echo.Context) error {
	run, i, err := r.instance(c)
	if err != nil {
		return err
	}
	key, err := param(c, "key")
	if err != nil {
		return err
	}
	x, err := r.store.XComOf(c.Request().Context(), run.Key, i.TaskID, key)
	if err != nil {
		return err
	}
	var value any = x.Value
	if c.QueryParam("stringify") == "true" {
		value = string(x.Value)
	}
	return c.JSON(http.StatusOK, struct {
		xcomJSON
		Value any `json:"value"`
	}{toXComJSON(run, i, x), value})
}
