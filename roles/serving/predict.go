package serving

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/httpserver"
)

// maxBody is the longest request that a listing can need, in bytes.
const maxBody = 64 << 10

var errNotUTF8 = errors.New("the body is not UTF-8 text")

// Answer is what POST /predict answers.
type Answer struct {
	Prediction   float64   `json:"prediction" doc:"Price in dollars."`
	ModelName    string    `json:"model_name" doc:"Registered model that answered."`
	ModelVersion string    `json:"model_version" doc:"Its version."`
	ModelRunID   string    `json:"model_run_id" doc:"Run that trained it."`
	RequestID    string    `json:"request_id" doc:"Id under which the prediction is recorded; the X-Request-Id of the request if it sent one."`
	AsOf         time.Time `json:"as_of" doc:"Instant that the days since the last sale were counted to."`
	Ignored      []string  `json:"ignored_fields,omitempty" doc:"Fields of the request that are not known."`
}

// ErrorDetail is one thing that is wrong with a request.
type ErrorDetail struct {
	Loc  []any  `json:"loc" nullable:"false" doc:"Where: body, and the name of the field or the byte of the body."`
	Msg  string `json:"msg" doc:"What is wrong and what to send instead."`
	Type string `json:"type" doc:"Kind of the error."`
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

// predict is POST /predict.
func (r *role) predict(c echo.Context) error {
	defer r.metrics.begin()()
	now := r.now()
	body, err := readBody(c.Request().Body)
	if errors.Is(err, errNotUTF8) {
		return r.invalid(c, []fieldError{{Loc: []any{"body"}, Type: "json_invalid", Format: "the body is not UTF-8 text"}})
	}
	if err != nil {
		r.metrics.outcome(outcomeInvalid)
		return err
	}
	values, unknown, problem := decodeJSON(body)
	if problem != nil {
		return r.invalid(c, []fieldError{*problem})
	}
	v, missing := r.version()
	q := question{version: v, id: httpserver.RequestID(c), now: now, requests: make([]request, 1)}
	if problems := check(&q.requests[0], &values, v.statuses, now); len(problems) > 0 {
		return r.invalid(c, problems)
	}
	q.requests[0].Unknown = unknown
	err = missing
	if err == nil {
		err = r.answer(c.Request().Context(), &q)
	}
	r.metrics.outcome(outcomeOf(err))
	if err != nil && statusOf(err) == http.StatusUnprocessableEntity {
		what := apperror.SentenceOf(err)
		return unprocessable(c, []fieldError{{Loc: []any{"body"}, Type: "value_error", Format: what.Format, Args: what.Args}})
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, q.result(0))
}

// invalid answers 422 with every bad field.
func (r *role) invalid(c echo.Context, problems []fieldError) error {
	r.metrics.outcome(outcomeInvalid)
	return unprocessable(c, problems)
}

func unprocessable(c echo.Context, problems []fieldError) error {
	out := ValidationError{Detail: make([]ErrorDetail, 0, len(problems))}
	for _, p := range problems {
		out.Detail = append(out.Detail, ErrorDetail{Loc: p.Loc, Msg: fmt.Sprintf(p.Format, p.Args...), Type: p.Type})
	}
	return c.JSON(http.StatusUnprocessableEntity, out)
}

// writeError answers {"detail": …} as FastAPI does, or a page where a browser asks for one.
func (r *role) writeError(c echo.Context, err error) error {
	status := httpserver.StatusOf(err)
	if wantsPage(c) {
		return r.errorPage(c, status, err)
	}
	if status == http.StatusServiceUnavailable {
		c.Response().Header().Set(echo.HeaderRetryAfter, "5")
	}
	return c.JSON(status, Failure{Detail: apperror.MessageOf(err), RequestID: httpserver.RequestID(c)})
}

// health is GET /health, as the original had it.
func (r *role) health(c echo.Context) error {
	return c.JSON(http.StatusOK, Health{Status: "ok"})
}
