package pipeline

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
	"tasador/pkg/dag"
	"tasador/pkg/httpserver"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
)

// runIDForm is what run ids may look like, as in Airflow.
var runIDForm = regexp.MustCompile(`^[A-Za-z0-9_.~:+-]{1,250}$`)

// triggerBody is what a trigger may say.
type triggerBody struct {
	RunID         *string         `json:"dag_run_id"`
	LogicalDate   *string         `json:"logical_date"`
	RunAfter      *string         `json:"run_after"`
	IntervalStart *string         `json:"data_interval_start"`
	IntervalEnd   *string         `json:"data_interval_end"`
	Conf          json.RawMessage `json:"conf"`
	Note          *string         `json:"note"`
	PartitionKey  *string         `json:"partition_key"`
}

func (r *role) triggerRun(c echo.Context) error {
	if err := r.checkDAG(c); err != nil {
		return err
	}
	var body triggerBody
	if err := decode(c, &body); err != nil {
		return err
	}
	n, err := r.newRun(body)
	if err != nil {
		return err
	}
	n.User = userOf(c)
	run, err := r.engine.Trigger(c.Request().Context(), r.plan.Definition().ID, n)
	if err != nil {
		return err
	}
	r.logTrigger(c, run)
	return c.JSON(http.StatusOK, toRunJSON(run))
}

// userOf is who has logged in and sent a request; empty if nobody has to.
func userOf(c echo.Context) string {
	if p := auth.PrincipalOf(c.Request().Context()); p != nil {
		return p.User
	}
	return ""
}

// logTrigger ties the request to the DAG run, so that the log leads from one to the other.
func (r *role) logTrigger(c echo.Context, run dagrunstore.Run) {
	httpserver.Touch(c, "dag_run_id", run.ID)
	r.log.InfoContext(c.Request().Context(), "DAG run triggered", "request_id", httpserver.RequestID(c), "dag_id", run.DAGID, "dag_run_id", run.ID, "by", run.TriggeredBy, "user", run.User)
}

// newRun checks a trigger. Codes: Invalid; nothing has been stored then.
func (r *role) newRun(body triggerBody) (dagrunstore.NewRun, error) {
	n := dagrunstore.NewRun{Type: dag.Manual, TriggeredBy: "rest_api"}
	if body.RunAfter != nil || body.IntervalStart != nil || body.IntervalEnd != nil || body.PartitionKey != nil {
		return n, apperror.New(apperror.Invalid, "run_after, data_interval_start, data_interval_end and partition_key are not supported; use logical_date")
	}
	if body.RunID != nil {
		n.ID = *body.RunID
		if !runIDForm.MatchString(n.ID) || n.ID == "." || n.ID == ".." { // clients take dots for folders when they build addresses
			return n, apperror.New(apperror.Invalid, "the run id %q is malformed; use up to 250 letters, digits and the characters _ . ~ : + -", n.ID)
		}
		for _, kind := range []dag.RunType{dag.Scheduled, dag.Backfill} {
			if strings.HasPrefix(n.ID, string(kind)+"__") {
				return n, apperror.New(apperror.Invalid, "the run id %s looks like one of the schedule or of a backfill; choose another", n.ID)
			}
		}
	}
	if body.LogicalDate != nil {
		var err error
		if n.LogicalDate, err = instant("logical_date", *body.LogicalDate); err != nil {
			return n, err
		}
	}
	if body.Note != nil {
		n.Note = *body.Note
	}
	if !sqlstore.Storable(n.Note) {
		return n, apperror.New(apperror.Invalid, "the note holds a NUL character or is not UTF-8; write it without")
	}
	var err error
	n.Conf, err = r.checkConf("conf", body.Conf)
	return n, err
}

// checkConf returns a conf as it is stored; none is empty. Codes: Invalid.
func (r *role) checkConf(name string, raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	if !sqlstore.Storable(string(raw)) {
		return "", apperror.New(apperror.Invalid, "%s is not UTF-8; write it so", name)
	}
	if raw[0] != '{' {
		return "", apperror.New(apperror.Invalid, "%s is not a JSON object", name)
	}
	return string(raw), r.job.validateConf(raw)
}

func (r *role) listRuns(c echo.Context) error {
	if err := allowQuery(c, append(rangeNames(), "state", "run_type", "limit", "offset", "order_by")...); err != nil {
		return err
	}
	q := dagrunstore.RunQuery{States: c.QueryParams()["state"], Types: c.QueryParams()["run_type"], Order: orders(c)}
	if c.Param("dag_id") != "~" {
		if err := r.checkDAG(c); err != nil {
			return err
		}
		q.DAGID = r.plan.Definition().ID
	}
	var err error
	if q.Ranges, err = ranges(c); err != nil {
		return err
	}
	if q.Limit, q.Offset, err = page(c); err != nil {
		return err
	}
	runs, total, err := r.store.Runs(c.Request().Context(), q)
	if err != nil {
		return err
	}
	out := []runJSON{}
	if q.Limit > 0 {
		for _, run := range runs {
			out = append(out, toRunJSON(run))
		}
	}
	return c.JSON(http.StatusOK, map[string]any{"dag_runs": out, "total_entries": total})
}

func (r *role) getRun(c echo.Context) error {
	run, err := r.run(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, toRunJSON(run))
}

// run returns the run that the address names. Codes: NotFound.
func (r *role) run(c echo.Context) (dagrunstore.Run, error) {
	if err := r.checkDAG(c); err != nil {
		return dagrunstore.Run{}, err
	}
	id, err := param(c, "dag_run_id")
	if err != nil {
		return dagrunstore.Run{}, err
	}
	return r.store.Run(c.Request().Context(), r.plan.Definition().ID, id)
}
