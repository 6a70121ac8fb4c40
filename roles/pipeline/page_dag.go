package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/web"
)

// runsShown is how many runs the grid holds.
const runsShown = 25

// snapshot is what the pages of the DAG show, read at one time.
type snapshot struct {
	dag       dagrunstore.DAG
	runs      []dagrunstore.Run // newest first
	total     int64
	counts    map[dag.RunState]int // of all runs
	chosen    *dagrunstore.Run     // the one that was asked for, else the one that is running, else the newest
	instances map[int64][]dagrunstore.Instance
}

// snapshot reads the newest runs and the one that is asked for, if any. Codes: NotFound.
func (p *pages) snapshot(ctx context.Context, runID string) (snapshot, error) {
	var s snapshot
	var err error
	id := p.plan.Definition().ID
	if s.dag, err = p.store.DAG(ctx, id); err != nil {
		return s, err
	}
	if s.runs, s.total, err = p.store.Runs(ctx, dagrunstore.RunQuery{DAGID: id, Limit: runsShown}); err != nil {
		return s, err
	}
	counts, err := p.store.RunCounts(ctx)
	if err != nil {
		return s, err
	}
	s.counts = counts[id]
	if err := p.choose(ctx, &s, runID); err != nil {
		return s, err
	}
	read := slices.Clone(s.runs)
	if s.chosen != nil && !slices.ContainsFunc(read, func(r dagrunstore.Run) bool { return r.Key == s.chosen.Key }) {
		read = append(read, *s.chosen)
	}
	s.instances, err = p.store.InstancesOf(ctx, read)
	return s, err
}

// choose picks the run that a page is about. While a backfill waits, the newest run is one that waits too: what runs says more.
func (p *pages) choose(ctx context.Context, s *snapshot, runID string) error {
	id := p.plan.Definition().ID
	if runID != "" {
		run, err := p.store.Run(ctx, id, runID)
		s.chosen = &run
		return err
	}
	if s.counts[dag.RunRunning] > 0 {
		running, _, err := p.store.Runs(ctx, dagrunstore.RunQuery{DAGID: id, States: []string{string(dag.RunRunning)}, Limit: 1})
		if err != nil {
			return err
		}
		if len(running) > 0 {
			s.chosen = &running[0]
			return nil
		}
	}
	if len(s.runs) > 0 {
		s.chosen = &s.runs[0]
	}
	return nil
}

// seen tells one snapshot from another in which something changed that a page shows.
func (s snapshot) seen() string {
	h := sha256.New()
	// A hash takes every write.
	_, _ = fmt.Fprintln(h, s.dag, s.counts) // maps are written in the order of their keys
	for _, r := range s.runs {
		_, _ = fmt.Fprintln(h, r.Key, r.State, r.StartedAt, r.EndedAt)
	}
	for _, key := range sortedKeys(s.instances) {
		for _, i := range s.instances[key] {
			_, _ = fmt.Fprintln(h, i)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func sortedKeys(m map[int64][]dagrunstore.Instance) []int64 {
	keys := make([]int64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// live is where a page learns that something changed, and what it has seen.
type live struct{ Events, Seen string }

func (p *pages) live(s snapshot, query url.Values) live {
	return live{Events: dagPath(p.plan.Definition().ID) + "/events?" + query.Encode(), Seen: s.seen()}
}

// dagView is what is said about the DAG itself.
type dagView struct {
	ID, Description string
	Href            string
	Schedule        string // empty: none
	Zone            string // time zone of the schedule
	Next            when
	Paused          bool
	Tags            []string
}

func (p *pages) dagView(stored dagrunstore.DAG) dagView {
	def := p.plan.Definition()
	v := dagView{ID: def.ID, Description: def.Description, Href: dagPath(def.ID), Paused: stored.Paused, Tags: def.Tags}
	if p.schedule != nil {
		v.Schedule, v.Zone = p.schedule.Expression, p.schedule.Zone
		if !stored.NextRun.IsZero() {
			v.Next = when{p.schedule.Upcoming(stored.NextRun).End}
		}
	}
	return v
}

// pauseSwitch pauses the DAG and leads back to the page that it is on.
type pauseSwitch struct {
	DAG  dagView
	From string // list, or empty for the page of the DAG
}

// dagsPage is the content of the first page.
type dagsPage struct {
	Live  live
	DAG   dagView
	Pause pauseSwitch
	Last  *runView
	Grid  grid // only its runs are shown
}

// dags is GET /.
func (p *pages) dags(c echo.Context) error {
	s, err := p.snapshot(c.Request().Context(), "")
	if err != nil {
		return err
	}
	now := time.Now()
	body := dagsPage{Live: p.live(s, url.Values{}), DAG: p.dagView(s.dag), Grid: p.drawGrid(s.runs, s.instances, "", now)}
	body.Pause = pauseSwitch{body.DAG, "list"}
	if s.chosen != nil {
		last := newRunView(*s.chosen, now)
		body.Last = &last
	}
	return p.write(c, http.StatusOK, "list", web.Page{Title: "DAGs", Body: body})
}

// dagPage is the content of the page of the DAG.
type dagPage struct {
	dagHead
	Live      live
	Run       *runView // whose graph is shown
	Triggered bool     // it was triggered just now
	Graph     graph
	Grid      grid
	More      bool // there are older runs
	Form      triggerForm
}

// dag is GET /dags/:dag_id.
func (p *pages) dag(c echo.Context) error {
	return p.dagPage(c, http.StatusOK, newTriggerForm())
}

func (p *pages) dagPage(c echo.Context, status int, form triggerForm) error {
	if err := p.checkDAG(c); err != nil {
		return err
	}
	runID := c.QueryParam("run")
	s, err := p.snapshot(c.Request().Context(), runID)
	if err != nil {
		return err
	}
	now, query := time.Now(), url.Values{}
	if runID != "" {
		query.Set("run", runID)
	}
	body := dagPage{dagHead: p.head(s.dag, "graph", runID), Live: p.live(s, query), More: s.total > runsShown, Form: form}
	tasks := map[string]taskView{}
	for _, id := range p.plan.TaskIDs() {
		tasks[id] = taskView{ID: id, State: viewOf("")}
	}
	chosen := ""
	if s.chosen != nil {
		run := newRunView(*s.chosen, now)
		body.Run, chosen = &run, run.ID
		body.Triggered = runID != "" && c.QueryParam("triggered") == "yes"
		for _, i := range s.instances[s.chosen.Key] {
			tasks[i.TaskID] = p.taskView(i, now)
		}
	}
	body.Graph = drawGraph(p.plan, tasks)
	body.Grid = p.drawGrid(s.runs, s.instances, chosen, now)
	return p.write(c, status, "dag", web.Page{Title: "DAGs", Name: p.plan.Definition().ID, Body: body})
}

// ownRun returns the run that a page's address names, with what the pages show beside it. Codes: NotFound.
func (p *pages) ownRun(c echo.Context) (snapshot, error) {
	if err := p.checkDAG(c); err != nil {
		return snapshot{}, err
	}
	id, err := param(c, "dag_run_id")
	if err != nil {
		return snapshot{}, err
	}
	if id == "" {
		return snapshot{}, apperror.New(apperror.NotFound, "the address names no run")
	}
	return p.snapshot(c.Request().Context(), id)
}
