package serving

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/httpserver"
	"tasador/pkg/model"
)

// Answer is what POST /predict answers.
type Answer struct {
	Prediction   float64   `json:"prediction" doc:"Price in dollars."`
	ModelName    string    `json:"model_name" doc:"Registered model that answered."`
	ModelVersion string    `json:"model_version" doc:"Its version."`
	ModelRunID   string    `json:"model_run_id" doc:"Run that trained it."`
	ModelStage   string    `json:"model_stage" doc:"Stage that the version is in."`
	ModelRole    string    `json:"model_role" doc:"champion, challenger, or requested if the address names the version."`
	RequestID    string    `json:"request_id" doc:"Id under which the prediction is recorded; the X-Request-Id of the request if it sent one."`
	AsOf         time.Time `json:"as_of" doc:"Instant that the days since the last sale were counted to."`
	Ignored      []string  `json:"ignored_fields,omitempty" doc:"Fields of the request that are not known."`

	Interval      *model.Interval `json:"interval,omitempty" doc:"Where the price lies with the probability that level says."`
	NoInterval    string          `json:"interval_missing,omitempty" doc:"Why there is no interval."`
	Base          *float64        `json:"base,omitempty" doc:"Price at the means of the training rows, in dollars. With the contributions it adds up to the prediction."`
	Contributions *Contributions  `json:"contributions,omitempty" doc:"What each feature adds to base, in dollars."`
	Warnings      []Warning       `json:"warnings,omitempty" doc:"What is unusual about the listing."`
}

// ErrorDetail is one thing that is wrong with a request.
type ErrorDetail struct {
	Loc  []any  `json:"loc" nullable:"false" doc:"Where: body, and the name of the field or the byte of the body."`
	Msg  string `json:"msg" doc:"What is wrong and what to send instead."`
	Type string `json:"type" doc:"Kind of the error."`

	Input string `json:"input,omitempty" doc:"The row as it came, where it cannot be read as CSV; at most its first kilobyte."`
}

// ValidationError is the body of status 422.
type ValidationError struct {
	Detail []ErrorDetail `json:"detail" nullable:"false" doc:"Every field that is wrong."`
}

// Failure is the body of every other error.
type Failure struct {
	Detail    string `json:"detail" doc:"What is wrong and what to do."`
	RequestID string `json:"request_id" doc:"Id of the request, for the log."`
}

// predict is POST /predict and POST /models/:version/predict: the price of a listing, or of each listing of a list; all or nothing.
func (r *role) predict(c echo.Context) error {
	begin := time.Now()
	q := r.question(c, begin)
	problems, err := r.predictAll(c, q)
	outcome := outcomeOf(err)
	if len(problems) > 0 {
		outcome = outcomeInvalid
		err = unprocessable(c, problems)
	}
	if err == nil && outcome == outcomeOK {
		err = q.send(c)
	}
	r.answered(protocolREST, q.version, outcome, len(q.requests), begin)
	r.release(q)
	return err
}

// predictAll reads, checks and answers a request. problems are what is wrong with its listings, err is anything else.
func (r *role) predictAll(c echo.Context, q *question) (problems []fieldError, err error) {
	var wrong *fieldError
	if q.asked, wrong = r.extrasOf(c.Request().URL); wrong != nil {
		return []fieldError{*wrong}, nil
	}
	if err := q.read(c.Request().Body); err != nil {
		return nil, err
	}
	problems, err = q.decode()
	if len(problems) > 0 || err != nil {
		return problems, err
	}
	var missing error
	q.version, missing = r.versionFor(c)
	if problems := q.check(); len(problems) > 0 {
		return problems, nil
	}
	if missing != nil {
		return nil, missing
	}
	if err = r.answer(c.Request().Context(), q); err == nil {
		return nil, nil
	}
	var item *itemError
	if errors.As(err, &item) && apperror.CodeOf(err) == apperror.Invalid {
		return []fieldError{q.problem(item)}, nil
	}
	return nil, err
}

// problem says which listing cannot be priced.
func (q *question) problem(item *itemError) fieldError {
	what := apperror.SentenceOf(item)
	p := fieldError{Loc: []any{"body"}, Type: "value_error", Format: what.Format, Args: what.Args}
	if q.list {
		p.Loc = append(p.Loc, item.index)
	}
	return p
}

// question returns an empty question for a request.
func (r *role) question(c echo.Context, begin time.Time) *question {
	q, ok := r.questions.Get().(*question)
	if !ok {
		q = &question{}
	}
	q.version, q.id, q.now, q.asked = nil, httpserver.RequestID(c), recordable(begin), extras{}
	return q
}

// How large the memory of a question may be to be kept for the next.
const (
	keptMemory   = 64 << 10 // bytes
	keptListings = 16
)

// release takes back a question that was answered.
func (r *role) release(q *question) {
	if cap(q.body) > keptMemory || cap(q.entry) > keptMemory || cap(q.out) > keptMemory || cap(q.requests) > keptListings {
		return
	}
	clear(q.requests[:cap(q.requests)]) // they hold on to the body
	clear(q.decoded[:cap(q.decoded)])
	r.questions.Put(q)
}

// recordable is a time as precise as what is stored.
func recordable(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// jsonType is shared by all answers, as the headers of httpserver are.
var jsonType = []string{echo.MIMEApplicationJSON}

// send answers with the prices.
func (q *question) send(c echo.Context) error {
	if strings.Contains(c.Request().URL.RawQuery, "pretty") {
		return c.JSON(http.StatusOK, q.typed())
	}
	q.out = q.appendAnswers(q.out[:0])
	res := c.Response()
	res.Header()[echo.HeaderContentType] = jsonType
	res.WriteHeader(http.StatusOK)
	_, err := res.Write(q.out)
	return err
}

// typed is the answer as its type: an Answer, or a list of them.
func (q *question) typed() any {
	if !q.list {
		return q.result(0)
	}
	all := make([]Answer, len(q.requests))
	for i := range all {
		all[i] = q.result(i)
	}
	return all
}

func unprocessable(c echo.Context, problems []fieldError) error {
	return c.JSON(http.StatusUnprocessableEntity, detailsOf(problems))
}

func detailsOf(problems []fieldError) ValidationError { return teller(nil).details(problems) }

// writeError answers {"detail": …} as FastAPI does, or a page where a browser asks for one.
func (r *role) writeError(c echo.Context, err error) error {
	status := httpserver.StatusOf(err)
	if s := (*statusError)(nil); errors.As(err, &s) {
		status = s.status
	}
	if wantsPage(c) {
		return r.errorPage(c, status, err)
	}
	if status == http.StatusServiceUnavailable {
		c.Response().Header().Set(echo.HeaderRetryAfter, "5")
	}
	if done, err := protocolError(c, status, err); done {
		return err
	}
	tell := teller(nil)
	if c.Path() == batchPath { // the page sends files there
		tell = r.site.Teller(c.Response(), c.Request())
	}
	return c.JSON(status, Failure{Detail: tell.ended(err), RequestID: httpserver.RequestID(c)})
}

// health is GET /health, as the original had it.
func (r *role) health(c echo.Context) error {
	return c.JSON(http.StatusOK, Health{Status: "ok"})
}
