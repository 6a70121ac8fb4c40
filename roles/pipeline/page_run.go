package pipeline

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/web"
)

// runPage is the content of the page of a run.
type runPage struct {
	Live    live
	Run     runView
	Data    string // address of its rows
	AsOf    string // what its conf names; empty means its start
	Conf    string
	Tasks   []taskView
	Clear   clearForm
	Cleared bool // it was cleared just now
}

// showRun is GET /dags/:dag_id/runs/:dag_run_id.
func (p *pages) showRun(c echo.Context) error {
	return p.runPage(c, http.StatusOK, clearForm{Downstream: true})
}

func (p *pages) runPage(c echo.Context, status int, form clearForm) error {
	s, err := p.ownRun(c)
	if err != nil {
		return err
	}
	now := time.Now()
	body := runPage{
		Live: p.live(s, url.Values{"run": {s.chosen.ID}}), Run: newRunView(*s.chosen, now), Data: dataPath(s.chosen.ID), Clear: form, Cleared: c.QueryParam("cleared") == "yes",
		AsOf: asOfIn(s.chosen.Conf), Conf: indented(s.chosen.Conf),
	}
	for _, i := range s.instances[s.chosen.Key] {
		body.Tasks = append(body.Tasks, p.taskView(i, now))
	}
	return p.write(c, status, "run", web.Page{Title: "DAG run", Name: s.chosen.ID, Body: body})
}

// asOfIn returns the as-of instant that a conf names, as it was written.
func asOfIn(conf json.RawMessage) string {
	var known struct {
		AsOf string `json:"as_of"`
	}
	if json.Unmarshal(conf, &known) != nil {
		return ""
	}
	return known.AsOf
}

// indented writes JSON for people; what is none stays as it is.
func indented(raw json.RawMessage) string {
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	return out.String()
}

// clearForm says which tasks of a run are to run again, as it was chosen, with what is wrong.
type clearForm struct {
	Tasks      []string
	Downstream bool
	Error      *sentence
}

// Has reports whether a task is chosen.
func (f clearForm) Has(task string) bool {
	for _, t := range f.Tasks {
		if t == task {
			return true
		}
	}
	return false
}

// clearPage is the content of the page that asks before tasks are cleared.
type clearPage struct {
	Run     runView
	Tasks   []taskView // that will change, as they are now
	Form    clearForm
	Then    stateView // of all of them
	Seen    string    // what the reader agrees to
	Changed bool      // since it was shown before
	Ended   bool      // the run has ended, and will be queued again
}

// toClearForm reads what was chosen; ids that the DAG does not have are left out.
func (p *pages) toClearForm(typed url.Values) clearForm {
	f := clearForm{Downstream: typed.Get("downstream") == "yes"}
	for _, id := range typed["task"] {
		if _, known := p.plan.Task(id); known && !f.Has(id) {
			f.Tasks = append(f.Tasks, id)
		}
	}
	return f
}

// affected returns the tasks that a clear would change: those chosen and, if wanted, all after them, but not those that have yet to run.
func (p *pages) affected(f clearForm, instances []dagrunstore.Instance) []string {
	chosen := map[string]bool{}
	for _, id := range f.Tasks {
		chosen[id] = true
		if f.Downstream {
			for _, down := range p.plan.AllDownstream(id) {
				chosen[down] = true
			}
		}
	}
	var ids []string
	for _, i := range instances {
		if chosen[i.TaskID] && i.State != "" {
			ids = append(ids, i.TaskID)
		}
	}
	return ids
}
