package pipeline

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/httpserver"
)

// triggerForm is the form that starts a run, as it was typed, with what is wrong.
type triggerForm struct {
	RunID, Conf           string
	RunIDError, ConfError *sentence
}

func newTriggerForm() triggerForm { return triggerForm{Conf: "{}"} }

// trigger is POST /dags/:dag_id: starts a run and leads to it, or shows the form again.
func (p *pages) trigger(c echo.Context) error {
	if err := p.checkDAG(c); err != nil {
		return err
	}
	typed, err := formOf(c)
	if err != nil {
		return err
	}
	form := triggerForm{RunID: typed.Get("run_id"), Conf: typed.Get("conf")}
	body := form.check(p.role)
	if form.RunIDError != nil || form.ConfError != nil {
		return p.dagPage(c, http.StatusUnprocessableEntity, form)
	}
	n, err := p.newRun(body)
	if err != nil {
		return err
	}
	n.TriggeredBy, n.User = "ui", userOf(c)
	run, err := p.engine.Trigger(c.Request().Context(), p.plan.Definition().ID, n)
	if apperror.CodeOf(err) == apperror.AlreadyExists && err != nil {
		form.RunIDError = &sentence{Format: "The DAG already has a run with this id; choose another."}
		return p.dagPage(c, http.StatusConflict, form)
	}
	if err != nil {
		return err
	}
	p.logTrigger(c, run)
	to := url.Values{"run": {run.ID}, "triggered": {"yes"}}
	return c.Redirect(http.StatusSeeOther, dagPath(run.DAGID)+"?"+to.Encode())
}

// check notes what is wrong with each field, and returns what the REST interface would have been sent.
func (f *triggerForm) check(r *role) triggerBody {
	var body triggerBody
	if id := strings.TrimSpace(f.RunID); id != "" {
		if _, err := r.newRun(triggerBody{RunID: &id}); err != nil {
			f.RunIDError = &sentence{Format: "This id cannot be used: take up to 250 letters, digits and the characters _ . ~ : + -, and do not begin with scheduled__ or backfill__."}
		}
		body.RunID = &id
	}
	body.Conf, f.ConfError = r.typedConf(f.Conf)
	return body
}

// typedConf reads a conf that was typed; none is empty. Else it says what is wrong.
func (r *role) typedConf(text string) (json.RawMessage, *sentence) {
	conf := json.RawMessage(bytes.TrimSpace([]byte(text)))
	if len(conf) == 0 {
		return nil, nil
	}
	if !json.Valid(conf) || conf[0] != '{' {
		return nil, &sentence{Format: "This is not a JSON object; write it as in the example."}
	}
	if _, err := r.checkConf("conf", conf); err != nil {
		return nil, &sentence{Format: "This conf cannot be used: %s", Args: []any{apperror.SentenceOf(err)}}
	}
	return conf, nil
}

// pause is POST /dags/:dag_id/pause: pauses or lets go on, and leads back to where the switch was.
func (p *pages) pause(c echo.Context) error {
	if err := p.checkDAG(c); err != nil {
		return err
	}
	typed, err := formOf(c)
	if err != nil {
		return err
	}
	paused := typed.Get("paused")
	if paused != "true" && paused != "false" {
		return apperror.New(apperror.Invalid, "paused is %q; it must be true or false", paused)
	}
	id := p.plan.Definition().ID
	httpserver.Touch(c, "is_paused", paused)
	if err := p.engine.SetPaused(c.Request().Context(), id, paused == "true"); err != nil {
		return err
	}
	p.scheduler.Wake()
	if typed.Get("from") == "list" {
		return c.Redirect(http.StatusSeeOther, "/")
	}
	return c.Redirect(http.StatusSeeOther, dagPath(id))
}

// formOf reads what a form sent. Codes: Invalid.
func formOf(c echo.Context) (url.Values, error) {
	if err := c.Request().ParseForm(); err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "the form cannot be read; send it as a browser does")
	}
	return c.Request().PostForm, nil
}
