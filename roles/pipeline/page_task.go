package pipeline

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/httpserver"
	"tasador/pkg/realtor"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/web"
)

// taskPage is the content of the page of a task in a run.
type taskPage struct {
	Live  live
	Run   runView
	Task  taskView
	Rule  dag.TriggerRule
	Up    []taskView
	Down  []taskView
	Tries []tryView // oldest first
	Try   int       // whose log is shown; 0: none yet
	Log   []logView
	After int64      // key of the last line
	Rows  []rowsView // in, then out
	XComs []xcomView

	ExperimentRun *idLink // that the task recorded in tracking, if it did
	ModelVersion  *idLink // that it registered
}

// rowsView is how many rows a task read from a table or wrote into it.
type rowsView struct {
	Table string
	Rows  int64
	Out   bool
}

// idLink is an id on another server's pages; Href is empty where the reader cannot reach it.
type idLink struct{ ID, Href string }

// tryView is a try as the page shows it.
type tryView struct {
	Number int
	Href   string
	State  stateView
	Start  when
	Clock  clock
	Error  string
	Chosen bool
}

// logView is a line of a log as the page and its events show it.
type logView struct {
	Key        int64  `json:"key"`
	Time       string `json:"time"` // for programs
	At         string `json:"at"`   // of the day, UTC
	Level      string `json:"level"`
	Message    string `json:"message"`
	Attributes string `json:"attributes"`
}

type xcomView struct{ Key, Value string }

// showTask is GET /dags/:dag_id/runs/:dag_run_id/tasks/:task_id.
func (p *pages) showTask(c echo.Context) error {
	s, err := p.ownRun(c)
	if err != nil {
		return err
	}
	id, err := param(c, "task_id")
	if err != nil {
		return err
	}
	ctx, now, run := c.Request().Context(), time.Now(), newRunView(*s.chosen, time.Now())
	instance, err := p.store.Instance(ctx, run.DAGID, run.ID, id)
	if err != nil {
		return err
	}
	body := taskPage{Run: run, Task: p.taskView(instance, now), Rule: dag.AllSuccess}
	task, _ := p.plan.Task(id)
	if task.TriggerRule != "" {
		body.Rule = task.TriggerRule
	}
	for _, i := range s.instances[s.chosen.Key] {
		if slices.Contains(task.Upstream, i.TaskID) {
			body.Up = append(body.Up, p.taskView(i, now))
		}
		if slices.Contains(p.plan.Downstream(id), i.TaskID) {
			body.Down = append(body.Down, p.taskView(i, now))
		}
	}
	if err := p.fillTries(c, &body, instance, now); err != nil {
		return err
	}
	stored, err := p.store.XComs(ctx, instance.Key)
	if err != nil {
		return err
	}
	for _, x := range stored {
		body.XComs = append(body.XComs, xcomView{Key: x.Key, Value: indented(x.Value)})
		if x.Key == dag.RowsKey {
			body.Rows = rowsOf(x.Value)
		}
	}
	body.link(p.header.Places(c.Request()))
	body.Live = p.live(s, url.Values{"run": {run.ID}, "task": {id}, "try": {strconv.Itoa(body.Try)}})
	return p.write(c, http.StatusOK, "task", web.Page{Title: "Task", Name: id, Body: body})
}

// link turns what the task passed on of its traces in tracking into links.
func (t *taskPage) link(places httpserver.Places) {
	for _, x := range t.XComs {
		var id string
		if json.Unmarshal([]byte(x.Value), &id) != nil {
			continue
		}
		switch x.Key {
		case realtor.XComRunID:
			t.ExperimentRun = &idLink{id, places.Run(id)}
		case realtor.XComModelVersion:
			t.ModelVersion = &idLink{id, places.Version(realtor.Model, id)}
		}
	}
}

// fillTries lists the tries and reads the log of the one that is asked for, else of the newest.
func (p *pages) fillTries(c echo.Context, body *taskPage, instance dagrunstore.Instance, now time.Time) error {
	ctx := c.Request().Context()
	tries, err := p.store.Tries(ctx, instance.Key)
	if err != nil {
		return err
	}
	if len(tries) > 0 {
		body.Try = tries[len(tries)-1].Try
	}
	if asked := c.QueryParam("try"); asked != "" {
		at := slices.IndexFunc(tries, func(t dagrunstore.Try) bool { return strconv.Itoa(t.Try) == asked })
		if at < 0 {
			return apperror.New(apperror.NotFound, "the task %s has no try %s", instance.TaskID, asked)
		}
		body.Try = tries[at].Try
	}
	for _, t := range tries {
		body.Tries = append(body.Tries, tryView{
			Number: t.Try, Href: body.Task.Href + "?try=" + strconv.Itoa(t.Try) + "#log", State: viewOf(string(t.State)), Start: when{t.StartedAt},
			Clock: clockOf(t.StartedAt, t.Ended, now), Error: t.Error, Chosen: t.Try == body.Try,
		})
	}
	if body.Try == 0 {
		return nil
	}
	body.Log, body.After, err = p.logLines(ctx, instance.Key, body.Try, 0)
	return err
}

// logLines returns the lines of a try after the key given, and the key of the last one.
func (p *pages) logLines(ctx context.Context, instance int64, try int, after int64) ([]logView, int64, error) {
	lines, err := p.store.Log(ctx, instance, try, after, dagrunstore.MaxLogLines+1)
	if err != nil {
		return nil, after, err
	}
	out := make([]logView, len(lines))
	for i, l := range lines {
		out[i] = logView{Key: l.Key, Time: l.At.UTC().Format(time.RFC3339Nano), At: l.At.UTC().Format("15:04:05.000 UTC"), Level: strings.ToLower(l.Level), Message: l.Message, Attributes: attributes(l.Attributes)}
		after = l.Key
	}
	return out, after, nil
}

// attributes writes a JSON object as key=value, by key.
func attributes(raw json.RawMessage) string {
	var values map[string]json.RawMessage
	if json.Unmarshal(raw, &values) != nil {
		return string(raw)
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(values)) {
		value := string(values[k])
		var plain string
		if json.Unmarshal(values[k], &plain) == nil && !strings.ContainsAny(plain, " =") {
			value = plain
		}
		parts = append(parts, k+"="+value)
	}
	return strings.Join(parts, " ")
}

// rowsOf reads the rows that a task recorded. A value of another form says nothing about rows.
func rowsOf(raw json.RawMessage) []rowsView {
	var rows dag.Rows
	if json.Unmarshal(raw, &rows) != nil {
		return nil
	}
	var out []rowsView
	for _, table := range slices.Sorted(maps.Keys(rows.In)) {
		out = append(out, rowsView{Table: table, Rows: int64(rows.In[table])})
	}
	for _, table := range slices.Sorted(maps.Keys(rows.Out)) {
		out = append(out, rowsView{Table: table, Rows: int64(rows.Out[table]), Out: true})
	}
	return out
}
