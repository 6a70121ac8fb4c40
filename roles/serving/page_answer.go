package serving

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/features"
	"tasador/pkg/model"
	"tasador/pkg/property"
)

// priceView is an answer as the page shows it.
type priceView struct {
	Answer
	Asking  *float64
	Range   *rangeView
	NoRange *apperror.Sentence // why there is none
	Why     []whyLine
	Compare string // version to compare with, as it was chosen
	Other   *comparison
	Choices []versionChoice // to compare with
}

// versionChoice is a version that another one can be compared with.
type versionChoice struct {
	Version, Stage string
	Chosen         bool
}

// comparison is what another version says of the same listing. It is not recorded.
type comparison struct {
	Version string
	Problem *apperror.Sentence // why it says nothing
	Answer  *Answer
	Range   *rangeView // on the axis of the first one
	NoRange *apperror.Sentence
	RMSE    float64
	More    float64  // than the first one, dollars
	Share   *float64 // of the first price, without its sign
}

// compareParam names the version to compare with.
const compareParam = "compare"

// choicesShown is how many versions may be chosen, the newest first.
const choicesShown = 50

// view makes of an answered question what the page shows.
func (r *role) view(c echo.Context, q *question, typed url.Values) *priceView {
	req := &q.requests[0]
	a := &priceView{Answer: q.result(0)}
	if asking := req.Listing.Price; !property.IsNull(asking) {
		a.Asking = &asking
	}
	a.Why = why(q.version.Model, &req.Listing, q.features(0), a.Prediction)
	if a.Compare = strings.TrimSpace(typed.Get(compareParam)); a.Compare != "" {
		a.Other = r.compare(c.Request().Context(), q, a.Compare)
	}
	a.draw(q.version.Model)
	return a
}

// draw lays out the intervals, both on one axis.
func (a *priceView) draw(m *model.Model) {
	most := 0.0
	if a.Interval != nil {
		most = a.Interval.High
	}
	if a.Other != nil && a.Other.Answer != nil {
		most = max(most, a.Prediction, a.Other.Answer.Prediction)
		if i := a.Other.Answer.Interval; i != nil {
			most = max(most, i.High)
			a.Other.Range = drawRange(a.Other.Answer.Prediction, *i, a.Asking, max(most, a.Prediction))
		}
	}
	if a.Interval != nil {
		a.Range = drawRange(a.Prediction, *a.Interval, a.Asking, most)
		return
	}
	_, err := m.Interval(a.Prediction, model.DefaultLevel)
	if err != nil {
		a.NoRange = sentenceOf(err)
	}
}

// compare asks another version about the listing of a question.
func (r *role) compare(ctx context.Context, q *question, number string) *comparison {
	other := &comparison{Version: number}
	served, err := r.predictor.Version(ctx, number)
	if err != nil {
		other.Problem = sentenceOf(err)
		return other
	}
	second := question{version: r.resolve(served), id: q.id, now: q.now, unkept: true, asked: q.asked, requests: q.requests}
	if err := r.answer(ctx, &second); err != nil {
		other.Problem = sentenceOf(err)
		return other
	}
	answer := second.result(0)
	other.Answer, other.More, other.RMSE = &answer, answer.Prediction-q.prices[0], float64(served.Model.Training.TestRMSE)
	if q.prices[0] != 0 {
		share := math.Abs(other.More / q.prices[0])
		other.Share = &share
	}
	if answer.Interval == nil {
		if _, err := served.Model.Interval(answer.Prediction, q.asked.level); err != nil {
			other.NoRange = sentenceOf(err)
		}
	}
	return other
}

// choices lists the versions of the model, without the one that answered; where tracking is away, those that are at hand here.
func (r *role) choices(ctx context.Context, answered, chosen string) []versionChoice {
	var all []versionChoice
	add := func(version, stage string) {
		if version != answered {
			all = append(all, versionChoice{Version: version, Stage: stage, Chosen: version == chosen})
		}
	}
	found, err := r.tracking.SearchVersions(ctx, experiment.Search{
		Filter: "name = '" + strings.ReplaceAll(r.cfg.Serving.Model, "'", "") + "'", OrderBy: []string{"version_number DESC"},
		PageRequest: experiment.PageRequest{MaxResults: choicesShown},
	})
	if err == nil {
		for _, v := range found.Items {
			add(v.Version, string(v.Stage))
		}
		return all
	}
	now := r.modelsNow()
	seen := map[string]bool{}
	for _, f := range now.Followed {
		if f.Version != nil {
			now.Kept = append(now.Kept, *f.Version)
		}
	}
	for _, v := range now.Kept {
		if !seen[v.Version] {
			seen[v.Version] = true
			add(v.Version, v.Stage)
		}
	}
	return all
}

// warn puts what is unusual about the listing beside the fields that it concerns.
func (p *appraisePage) warn(q *question) {
	for _, w := range q.version.Model.Warnings(&q.requests[0].Listing, q.features(0), nil) {
		name := w.Field
		if name == features.DaysSinceLastSale {
			name = property.PrevSoldDate
		}
		for i := range p.Fields {
			if p.Fields[i].Name == name {
				p.Fields[i].Warning, p.Warned = &w, p.Warned+1
			}
		}
	}
}

// checkedForm is the answer to POST /check.
type checkedForm struct {
	Errors map[string]string `json:"errors"` // sentences in the reader's language, by the names of the fields
}

// checkForm is POST /check: what is wrong with a form, without an answer and without a record, for the script that tells it while somebody types.
func (r *role) checkForm(c echo.Context) error {
	typed, err := c.FormParams()
	if err != nil {
		return apperror.Wrap(apperror.Invalid, err, "the form cannot be read; send it as a browser does")
	}
	v, _ := r.version() // without one, the statuses of the rules
	q := question{version: v, decoded: []decoded{{values: decodeForm(typed)}}}
	tell := r.site.Teller(c.Response(), c.Request())
	out := checkedForm{Errors: map[string]string{}}
	for _, p := range q.check() {
		if name, ok := p.Loc[len(p.Loc)-1].(string); ok {
			out.Errors[name] = tell(apperror.Sentence{Format: p.Format, Args: p.Args})
		}
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.JSON(http.StatusOK, out)
}

// origin is the address of this server as the reader of a page wrote it, for commands that the page shows.
func origin(c echo.Context) string { return c.Scheme() + "://" + c.Request().Host }
