package serving

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/httpserver"
	"tasador/pkg/model"
	"tasador/pkg/realtor"
	"tasador/web"
)

// formField is one field as the form shows it.
type formField struct {
	field
	Value       string
	Options     []string
	Numeric     bool
	Placeholder string
	Error       *fieldError
	Warning     *model.Warning // what is unusual about the value
}

// servedView is the version in production as the page shows it.
type servedView struct {
	Name, Version, DAGRunID string
	Href, DAGRunHref        string
	TestRMSE                float64
	Rows                    int
}

// appraisePage is the content of the first page.
type appraisePage struct {
	Fields  []formField
	Invalid bool
	Failed  *apperror.Sentence
	Answer  *priceView
	Warned  int // fields with something unusual

	Columns  string // that a file must have
	Examples []example
	Example  string // the one in the form; empty if something was typed

	Served        *servedView
	FollowProblem *apperror.Sentence
	Missing       *apperror.Sentence // if nothing is served

	History        []historyRow
	Places         httpserver.Places
	HistoryMore    bool
	HistoryShown   int
	HistoryProblem *apperror.Sentence
	Filter         historyFilter
	Filtered       bool
	Decisions      []string // to choose from
}

// showForm is GET /: the form with an example in it.
func (r *role) showForm(c echo.Context) error {
	e := exampleOf(c.QueryParam(exampleParam))
	p := appraisePage{Fields: r.form(e.value, nil), Example: e.ID}
	return r.appraisePage(c, http.StatusOK, p)
}

// submitForm is POST /: the same form with what was typed, and the price or what is wrong.
func (r *role) submitForm(c echo.Context) error {
	begin := time.Now()
	typed, err := c.FormParams()
	if err != nil {
		r.answered(protocolForm, nil, outcomeInvalid, 0, begin)
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return err
		}
		return apperror.Wrap(apperror.Invalid, err, "the form cannot be read; send it as a browser does")
	}
	v, missing := r.version()
	q := question{version: v, id: httpserver.RequestID(c), now: recordable(begin), asked: extras{level: r.cfg.Serving.IntervalLevel, explain: true}, decoded: []decoded{{values: decodeForm(typed)}}}
	problems := q.check()
	p := appraisePage{Fields: r.form(func(f field) string { return typed.Get(f.Name) }, problems)}
	if len(problems) > 0 {
		r.answered(protocolForm, v, outcomeInvalid, 0, begin)
		p.Invalid = true
		return r.appraisePage(c, http.StatusUnprocessableEntity, p)
	}
	err = missing
	if err == nil {
		err = r.answer(c.Request().Context(), &q)
	}
	r.answered(protocolForm, v, outcomeOf(err), 1, begin)
	if err != nil {
		p.Failed = sentenceOf(err)
		return r.appraisePage(c, statusOf(err), p)
	}
	p.Answer = r.view(c, &q, typed)
	p.warn(&q)
	return r.appraisePage(c, http.StatusOK, p)
}

// form returns the fields with their values and errors.
func (r *role) form(valueOf func(field) string, problems []fieldError) []formField {
	var out []formField
	for _, f := range fields() {
		shown := formField{field: f, Value: valueOf(f), Numeric: f.Kind == number || f.Kind == numberOrID}
		if f.Kind == status {
			shown.Options = r.statusOptions(shown.Value)
		}
		if f.Kind == instant {
			shown.Placeholder = "now"
		}
		for i := range problems {
			if problems[i].Loc[1] == f.Name {
				shown.Error = &problems[i]
			}
		}
		out = append(out, shown)
	}
	return out
}

// statusOptions are the statuses that may be chosen; what was typed stays, so that the error beside it makes sense.
func (r *role) statusOptions(typed string) []string {
	v, _ := r.version() // without one, those of the rules
	return statuses(append(slices.Clone(v.statuses), typed)...)
}

// appraisePage fills in what the page shows beside the form, and sends it.
func (r *role) appraisePage(c echo.Context, status int, p appraisePage) error {
	p.Places, p.Examples, p.Columns = r.header.Places(c.Request()), examples(), requiredFields()
	served, err := r.predictor.Current()
	problem := r.predictor.Problem()
	switch {
	case err == nil:
		training := served.Model.Training
		p.Served = &servedView{
			Name: served.Name, Version: served.Version, DAGRunID: training.DAGRunID,
			Href: p.Places.Version(served.Name, served.Version), DAGRunHref: p.Places.DAGRun(training.DAGRunID),
			TestRMSE: float64(training.TestRMSE), Rows: training.Rows.Train + training.Rows.Validation,
		}
		if problem != nil {
			p.FollowProblem = sentenceOf(problem)
		}
	case problem == nil || apperror.CodeOf(problem) == apperror.NotFound:
		p.Missing = &apperror.Sentence{Format: "No version of %s is in %s yet, so nothing can be appraised.", Args: []any{r.cfg.Serving.Model, r.cfg.Serving.Stage}}
		p.Failed = nil
	default:
		p.Missing = &apperror.Sentence{Format: "No version of %s can be served: %s", Args: []any{r.cfg.Serving.Model, apperror.SentenceOf(problem)}}
		p.Failed = nil
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), pageTimeout) // of its calls together
	defer cancel()
	if p.Answer != nil {
		p.Answer.Choices = r.choices(ctx, p.Answer.ModelVersion, p.Answer.Compare)
	}
	query := c.QueryParams()
	p.Filter = historyFilter{Text: strings.TrimSpace(query.Get("q")), Decision: query.Get("decision"), Promoted: query.Get("promoted")}
	p.Filtered, p.Decisions = p.Filter.active(), []string{realtor.DecisionTrain, realtor.DecisionNoTrain, realtor.DecisionReset}
	rows, more, err := history(ctx, r.tracking, r.cfg.Serving.Model, p.Filter)
	if err != nil {
		p.HistoryProblem = sentenceOf(err)
	}
	p.History, p.HistoryMore, p.HistoryShown = rows, more, len(rows)
	return r.site.Write(c.Response(), c.Request(), status, "appraise", r.page(c, "Appraise", p))
}

// page completes a page with the header.
func (r *role) page(c echo.Context, title string, body any) web.Page {
	page := web.Page{Title: title, Role: config.RoleServing, Version: r.build.Version, Style: "serving.css", Body: body}
	r.header.Fill(c.Request(), &page)
	page.Links[0].Current = c.Path() == "/"
	page.Links = append(page.Links, web.Link{Label: "Watch", Href: watchPath, Current: c.Path() == watchPath}, web.Link{Label: "Predictions", Href: "/predictions", Current: c.Path() == "/predictions"}, web.Link{Label: "API", Href: "/docs", Current: c.Path() == "/docs"})
	return page
}

// wantsPage reports whether a browser asks for a page: those name HTML first, programs name JSON or anything.
func wantsPage(c echo.Context) bool {
	return !programsOnly(c.Path()) && strings.HasPrefix(c.Request().Header.Get(echo.HeaderAccept), echo.MIMETextHTML)
}

func (r *role) errorPage(c echo.Context, status int, err error) error {
	return r.site.Write(c.Response(), c.Request(), status, "error", r.page(c, "This did not work", apperror.SentenceOf(err)))
}

func sentenceOf(err error) *apperror.Sentence {
	s := apperror.SentenceOf(err)
	return &s
}

// statusOf is the status of a failed prediction: numbers that are too large are the fault of the listing.
func statusOf(err error) int {
	if apperror.CodeOf(err) == apperror.Invalid {
		return http.StatusUnprocessableEntity
	}
	return httpserver.StatusOf(err)
}
