package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/web"
)

// clearTasks is POST /dags/:dag_id/runs/:dag_run_id. At first it only shows what would change; the form there sends what was shown along, and only if that is
// still so the tasks are cleared.
func (p *pages) clearTasks(c echo.Context) error {
	s, err := p.ownRun(c)
	if err != nil {
		return err
	}
	typed, err := formOf(c)
	if err != nil {
		return err
	}
	form, run, ctx := p.toClearForm(typed), *s.chosen, c.Request().Context()
	if len(form.Tasks) == 0 {
		form.Error = &sentence{Format: "Choose at least one task."}
		return p.runPage(c, http.StatusUnprocessableEntity, form)
	}
	tasks := p.affected(form, s.instances[run.Key])
	if len(tasks) == 0 {
		form.Error = &sentence{Format: "These tasks have not run yet, so there is nothing to clear."}
		return p.runPage(c, http.StatusUnprocessableEntity, form)
	}
	preview, err := p.engine.Clear(ctx, run.DAGID, run.ID, tasks, nil, true)
	if err != nil {
		return p.notCleared(c, form, err)
	}
	agreed := seenInstances(preview)
	if typed.Get("seen") != agreed {
		now := time.Now()
		body := clearPage{Run: newRunView(run, now), Form: form, Then: viewOf(""), Seen: agreed, Changed: typed.Get("seen") != "", Ended: run.State == dag.RunSuccess || run.State == dag.RunFailed}
		for _, i := range preview {
			body.Tasks = append(body.Tasks, p.taskView(i, now))
		}
		return p.write(c, http.StatusOK, "clear", web.Page{Title: "Clear tasks", Name: run.ID, Body: body})
	}
	if _, err := p.engine.Clear(ctx, run.DAGID, run.ID, tasks, nil, false); err != nil {
		return p.notCleared(c, form, err)
	}
	return c.Redirect(http.StatusSeeOther, runPath(run.DAGID, run.ID)+"?cleared=yes")
}

// notCleared shows the run again with the reason, if it is one that the reader can do something about.
func (p *pages) notCleared(c echo.Context, form clearForm, err error) error {
	if apperror.CodeOf(err) != apperror.FailedPrecondition {
		return err
	}
	form.Error = &sentence{Format: "One of the tasks is queued or running. Wait until it has ended, then clear it."}
	return p.runPage(c, http.StatusConflict, form)
}

// seenInstances tells whether instances are still what they were when they were shown.
func seenInstances(instances []dagrunstore.Instance) string {
	h := sha256.New()
	for _, i := range instances {
		_, _ = fmt.Fprintln(h, i) // a hash takes every write
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
