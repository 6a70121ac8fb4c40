package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/web"
)

// backfillsShown is how many backfills the page lists.
const backfillsShown = 25

// backfillForm is the form that backfills, as it was typed, with what is wrong.
type backfillForm struct {
	From, To, Reprocess, Conf           string
	Backwards                           bool
	FromError, ToError, ConfError, Else *sentence
}

func (f *backfillForm) wrong() bool {
	return f.FromError != nil || f.ToError != nil || f.ConfError != nil || f.Else != nil
}

type backfillsPage struct {
	dagHead
	Live live
	Made *backfillView // just now
	Form backfillForm
	List []backfillView
	More bool // there are older ones
}

// backfillView is a backfill as pages show it.
type backfillView struct {
	ID                                       int64
	From, To                                 when
	Reprocess                                dag.Reprocess
	Created, Completed                       when
	Runs, Queued, Running, Succeeded, Failed int
}

// backfills is GET /dags/:dag_id/backfills.
func (p *pages) backfills(c echo.Context) error {
	today := time.Now().In(p.schedule.Location())
	return p.backfillsPage(c, http.StatusOK, backfillForm{
		From: today.AddDate(0, 0, -weekDays).Format(time.DateOnly), To: today.AddDate(0, 0, -1).Format(time.DateOnly), Reprocess: string(dag.ReprocessNone),
	})
}

func (p *pages) backfillsPage(c echo.Context, status int, form backfillForm) error {
	if err := p.checkDAG(c); err != nil {
		return err
	}
	ctx, id := c.Request().Context(), p.plan.Definition().ID
	s, err := p.snapshot(ctx, "")
	if err != nil {
		return err
	}
	list, total, err := p.store.Backfills(ctx, id, backfillsShown, 0)
	if err != nil {
		return err
	}
	counts, err := p.store.BackfillCounts(ctx, id)
	if err != nil {
		return err
	}
	body := backfillsPage{dagHead: p.head(s.dag, "backfills", ""), Live: p.live(s, url.Values{}), Form: form, More: total > backfillsShown}
	for _, b := range list {
		view := newBackfillView(b, counts[b.ID])
		if strconv.FormatInt(b.ID, 10) == c.QueryParam("made") {
			body.Made = &view
		}
		body.List = append(body.List, view)
	}
	return p.write(c, status, "backfills", web.Page{Title: "Backfills", Name: id, Body: body})
}

func newBackfillView(b dagrunstore.Backfill, counts map[dag.RunState]int) backfillView {
	v := backfillView{
		ID: b.ID, From: when{b.From}, To: when{b.To}, Reprocess: b.Reprocess, Created: when{b.CreatedAt}, Completed: when{b.CompletedAt},
		Queued: counts[dag.RunQueued], Running: counts[dag.RunRunning], Succeeded: counts[dag.RunSuccess], Failed: counts[dag.RunFailed],
	}
	v.Runs = v.Queued + v.Running + v.Succeeded + v.Failed
	return v
}

// check notes what is wrong with each field, and returns the backfill.
func (f *backfillForm) check(p *pages, now time.Time) dagrunstore.NewBackfill {
	from, _, err := p.schedule.Day(f.From)
	if err != nil {
		f.FromError = &sentence{Format: "This is not a date; write it as 2026-01-31."}
	} else if from.After(now) {
		f.FromError = &sentence{Format: "This day is in the future; only what has passed can be run."}
	}
	_, to, err := p.schedule.Day(f.To)
	if err != nil {
		f.ToError = &sentence{Format: "This is not a date; write it as 2026-01-31."}
	} else if f.FromError == nil && to.Before(from) {
		f.ToError = &sentence{Format: "This day is before the first one."}
	}
	reprocess := dag.Reprocess(f.Reprocess)
	body := backfillBody{FromDate: f.From, ToDate: f.To, Backwards: f.Backwards, Reprocess: &reprocess}
	body.Conf, f.ConfError = p.typedConf(f.Conf)
	if f.wrong() {
		return dagrunstore.NewBackfill{}
	}
	n, err := p.newBackfill(body, now)
	if err != nil {
		f.Else = &sentence{Format: "Nothing was queued: %s", Args: []any{apperror.SentenceOf(err)}}
	}
	return n
}

// backfillPreview is the content of the page that asks before runs are queued.
type backfillPreview struct {
	dagHead
	Form    backfillForm
	Runs    []backfillRunView
	Count   int // of those that run
	Seen    string
	Changed bool // since it was shown before
}

type backfillRunView struct {
	Logical when
	ID      string
	Href    string // of the run that exists
	Was     stateView
	Runs    bool
}

// backfill is POST /dags/:dag_id/backfills. At first it only shows which runs there would be; the form there sends what was shown along, and only if that is
// still so they are queued.
func (p *pages) backfill(c echo.Context) error {
	if err := p.checkDAG(c); err != nil {
		return err
	}
	typed, err := formOf(c)
	if err != nil {
		return err
	}
	form := backfillForm{
		From: typed.Get("from"), To: typed.Get("to"), Reprocess: typed.Get("reprocess"), Conf: typed.Get("conf"), Backwards: typed.Get("backwards") == "yes",
	}
	n := form.check(p, time.Now())
	if form.wrong() {
		return p.backfillsPage(c, http.StatusUnprocessableEntity, form)
	}
	ctx, id, seen := c.Request().Context(), p.plan.Definition().ID, typed.Get("seen")
	if seen != "" {
		changed := false
		n.Agreed = func(runs []dagrunstore.BackfillRun) bool {
			changed = seenBackfill(runs) != seen
			return !changed
		}
		made, _, err := p.engine.Backfill(ctx, id, n)
		if err == nil {
			return c.Redirect(http.StatusSeeOther, fmt.Sprintf("%s/backfills?made=%d", dagPath(id), made.ID))
		}
		if !changed && apperror.CodeOf(err) == apperror.FailedPrecondition {
			form.Else = &sentence{Format: "Another backfill is still active. Wait until it is complete, or cancel it."}
			return p.backfillsPage(c, http.StatusConflict, form)
		}
		if !changed {
			return err
		}
	}
	stored, err := p.store.DAG(ctx, id)
	if err != nil {
		return err
	}
	plan, err := p.store.PlanBackfill(ctx, id, n.Intervals, n.Reprocess)
	if err != nil {
		return err
	}
	body := backfillPreview{dagHead: p.head(stored, "backfills", ""), Form: form, Seen: seenBackfill(plan), Changed: seen != ""}
	for _, r := range plan {
		view := backfillRunView{Logical: when{r.Start}, ID: r.RunID, Was: viewOf(string(r.Was)), Runs: r.Runs}
		if r.Was != "" {
			view.Href = runPath(id, r.RunID)
		}
		if r.Runs {
			body.Count++
		}
		body.Runs = append(body.Runs, view)
	}
	return p.write(c, http.StatusOK, "backfill", web.Page{Title: "Backfill", Name: id, Body: body})
}

// seenBackfill tells whether what a backfill would do is still what was shown.
func seenBackfill(runs []dagrunstore.BackfillRun) string {
	h := sha256.New()
	for _, r := range runs {
		_, _ = fmt.Fprintln(h, r.RunID, r.Was, r.Runs) // a hash takes every write
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// cancelPage is the content of the page that asks before a backfill is cancelled.
type cancelPage struct {
	dagHead
	Backfill backfillView
}

// cancelBackfillPage is POST /dags/:dag_id/backfills/:backfill_id/cancel; it asks first, too. Runs that end meanwhile are no reason to ask again.
func (p *pages) cancelBackfillPage(c echo.Context) error {
	if err := p.checkDAG(c); err != nil {
		return err
	}
	typed, err := formOf(c)
	if err != nil {
		return err
	}
	id, err := backfillID(c)
	if err != nil {
		return err
	}
	ctx, dagID := c.Request().Context(), p.plan.Definition().ID
	b, err := p.store.Backfill(ctx, id)
	if err != nil {
		return err
	}
	if typed.Get("agreed") == "yes" || !b.CompletedAt.IsZero() {
		// One that has become complete meanwhile needs no cancelling.
		if _, err := p.engine.CancelBackfill(ctx, id); err != nil && apperror.CodeOf(err) != apperror.FailedPrecondition {
			return err
		}
		return c.Redirect(http.StatusSeeOther, dagPath(dagID)+"/backfills")
	}
	stored, err := p.store.DAG(ctx, dagID)
	if err != nil {
		return err
	}
	counts, err := p.store.BackfillCounts(ctx, dagID)
	if err != nil {
		return err
	}
	body := cancelPage{dagHead: p.head(stored, "backfills", ""), Backfill: newBackfillView(b, counts[id])}
	return p.write(c, http.StatusOK, "backfill_cancel", web.Page{Title: "Cancel backfill", Name: dagID, Body: body})
}
