package pipeline

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/httpserver"
	"tasador/pkg/sqlstore/dagrunstore"
)

// maxBackfill bounds the intervals of one backfill, so that a slip of the pen does not queue years of hours.
const maxBackfill = 1000

// backfillBody is what a backfill may say, with Airflow's defaults. The runs of this DAG stay one at a time whatever max_active_runs says.
type backfillBody struct {
	DAGID         string          `json:"dag_id"`
	FromDate      string          `json:"from_date"`
	ToDate        string          `json:"to_date"`
	Backwards     bool            `json:"run_backwards"`
	Conf          json.RawMessage `json:"dag_run_conf"`
	Reprocess     *dag.Reprocess  `json:"reprocess_behavior"`
	MaxActiveRuns *int            `json:"max_active_runs"`
	LatestVersion *bool           `json:"run_on_latest_version"`
}

type backfillJSON struct {
	ID            int64           `json:"id"`
	DAGID         string          `json:"dag_id"`
	DisplayName   string          `json:"dag_display_name"`
	FromDate      time.Time       `json:"from_date"`
	ToDate        time.Time       `json:"to_date"`
	Conf          json.RawMessage `json:"dag_run_conf"`
	IsPaused      bool            `json:"is_paused"`
	Reprocess     dag.Reprocess   `json:"reprocess_behavior"`
	MaxActiveRuns int             `json:"max_active_runs"`
	CreatedAt     time.Time       `json:"created_at"`
	CompletedAt   *time.Time      `json:"completed_at"`
	UpdatedAt     time.Time       `json:"updated_at"`
}

func (r *role) backfillJSON(b dagrunstore.Backfill) backfillJSON {
	out := backfillJSON{
		ID: b.ID, DAGID: b.DAGID, DisplayName: b.DAGID, FromDate: b.From, ToDate: b.To, Conf: b.Conf, Reprocess: b.Reprocess, MaxActiveRuns: r.maxActive,
		CreatedAt: b.CreatedAt, CompletedAt: instantOf(b.CompletedAt), UpdatedAt: b.CreatedAt,
	}
	if !b.CompletedAt.IsZero() {
		out.UpdatedAt = b.CompletedAt
	}
	return out
}

// newBackfill checks a backfill. Codes: Invalid; nothing has been stored then.
func (r *role) newBackfill(body backfillBody, now time.Time) (n dagrunstore.NewBackfill, err error) {
	if r.schedule == nil {
		return n, apperror.New(apperror.FailedPrecondition, "the DAG has no schedule, so no runs of it can be missing; set --schedule.cron, or trigger runs")
	}
	n.Reprocess = dag.ReprocessNone
	if body.Reprocess != nil {
		n.Reprocess = *body.Reprocess
	}
	if !n.Reprocess.Known() {
		return n, apperror.New(apperror.Invalid, "reprocess_behavior %q is not known; use none, failed or completed", n.Reprocess)
	}
	if body.MaxActiveRuns != nil && *body.MaxActiveRuns < 1 {
		return n, apperror.New(apperror.Invalid, "max_active_runs must be at least 1")
	}
	if n.From, _, err = r.dayOrInstant("from_date", body.FromDate); err != nil {
		return n, err
	}
	if _, n.To, err = r.dayOrInstant("to_date", body.ToDate); err != nil {
		return n, err
	}
	if n.To.Before(n.From) {
		return n, apperror.New(apperror.Invalid, "to_date is before from_date")
	}
	if n.From.After(now) {
		return n, apperror.New(apperror.Invalid, "from_date is in the future; only intervals that have ended can be run")
	}
	if n.Conf, err = r.checkConf("dag_run_conf", body.Conf); err != nil {
		return n, err
	}
	n.Intervals = r.schedule.Between(n.From, n.To, now, maxBackfill+1)
	if len(n.Intervals) > maxBackfill {
		return n, apperror.New(apperror.Invalid, "the schedule has more than %d intervals between from_date and to_date; backfill a shorter time", maxBackfill)
	}
	if body.Backwards {
		slices.Reverse(n.Intervals)
	}
	return n, nil
}

// dayOrInstant reads a time with its offset, or a bare day, which is one by the clocks of the schedule and lasts from first to last.
func (r *role) dayOrInstant(name, text string) (first, last time.Time, err error) {
	if first, last, err := r.schedule.Day(text); err == nil {
		return first, last, nil
	}
	if text == "" {
		return first, last, apperror.New(apperror.Invalid, "the request body lacks %s; write it as 2026-01-01 or 2026-01-01T00:00:00Z", name)
	}
	first, err = instant(name, text)
	return first, first, err
}

// readBackfill reads the body of a request for a backfill. Codes: Invalid, NotFound.
func (r *role) readBackfill(c echo.Context) (dagrunstore.NewBackfill, error) {
	var body backfillBody
	if err := decode(c, &body); err != nil {
		return dagrunstore.NewBackfill{}, err
	}
	if err := r.checkDAGID(body.DAGID); err != nil {
		return dagrunstore.NewBackfill{}, err
	}
	return r.newBackfill(body, time.Now())
}

func (r *role) createBackfill(c echo.Context) error {
	n, err := r.readBackfill(c)
	if err != nil {
		return err
	}
	b, _, err := r.engine.Backfill(c.Request().Context(), r.plan.Definition().ID, n)
	if err != nil {
		return err
	}
	httpserver.Touch(c, "dag_id", r.plan.Definition().ID, "backfill_id", strconv.FormatInt(b.ID, 10))
	return c.JSON(http.StatusOK, r.backfillJSON(b))
}

// dryRunBackfill lists the logical dates whose runs a backfill would make or run again, in its order.
func (r *role) dryRunBackfill(c echo.Context) error {
	n, err := r.readBackfill(c)
	if err != nil {
		return err
	}
	runs, err := r.store.PlanBackfill(c.Request().Context(), r.plan.Definition().ID, n.Intervals, n.Reprocess)
	if err != nil {
		return err
	}
	type dryRun struct {
		LogicalDate   time.Time  `json:"logical_date"`
		PartitionKey  *string    `json:"partition_key"`
		PartitionDate *time.Time `json:"partition_date"`
	}
	out := []dryRun{}
	for _, run := range runs {
		if run.Runs {
			out = append(out, dryRun{LogicalDate: run.Start})
		}
	}
	return c.JSON(http.StatusOK, map[string]any{"backfills": out, "total_entries": len(out)})
}

func (r *role) listBackfills(c echo.Context) error {
	if err := allowQuery(c, "dag_id", "limit", "offset", "order_by"); err != nil {
		return err
	}
	if err := r.checkDAGID(c.QueryParam("dag_id")); err != nil {
		return err
	}
	if by := c.QueryParam("order_by"); by != "" && by != "-id" {
		return apperror.New(apperror.Invalid, "order_by=%s is not supported here; backfills are listed newest first (-id)", by)
	}
	limit, offset, err := page(c)
	if err != nil {
		return err
	}
	list, total, err := r.store.Backfills(c.Request().Context(), r.plan.Definition().ID, max(limit, 1), offset)
	if err != nil {
		return err
	}
	out := []backfillJSON{}
	for _, b := range list[:min(limit, len(list))] {
		out = append(out, r.backfillJSON(b))
	}
	return c.JSON(http.StatusOK, map[string]any{"backfills": out, "total_entries": total})
}

func (r *role) getBackfill(c echo.Context) error {
	id, err := backfillID(c)
	if err != nil {
		return err
	}
	b, err := r.store.Backfill(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, r.backfillJSON(b))
}

func (r *role) cancelBackfill(c echo.Context) error {
	id, err := backfillID(c)
	if err != nil {
		return err
	}
	b, err := r.engine.CancelBackfill(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, r.backfillJSON(b))
}

func backfillID(c echo.Context) (int64, error) {
	id, err := strconv.ParseInt(c.Param("backfill_id"), 10, 64)
	if err != nil || id < 0 {
		return 0, apperror.New(apperror.Invalid, "%q is not the number of a backfill", c.Param("backfill_id"))
	}
	return id, nil
}
