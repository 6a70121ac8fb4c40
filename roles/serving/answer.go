package serving

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/httpserver"
	"tasador/pkg/inference"
	"tasador/pkg/killpoint"
	"tasador/pkg/model"
)

// version is a model version with what answering needs of it, resolved once for each swap. It is never changed.
type version struct {
	*inference.Served           // nil before the first promotion
	statuses          []string  // that a listing may have: those of the rules of collection, and those that the model knows
	written           []byte    // what all answers of the version say, as JSON
	base              []byte    // what all say that explain, with the opening brace of the contributions; empty if the version cannot
	features          [][]byte  // names of the contributions, with the colon and the comma before
	outcomes          *outcomes // of requests, counted
}

func newVersion(served *inference.Served, m *metrics) *version {
	if served == nil {
		return &version{statuses: statuses(), outcomes: m.outcomesOf("")}
	}
	v := &version{Served: served, statuses: statuses(served.Statuses()...), outcomes: m.outcomesOf(served.Version)}
	v.write()
	v.writeBase()
	return v
}

// version returns the one that is served now. Before the first promotion it can only check, and err says what is missing. Codes: Unavailable.
func (r *role) version() (*version, error) {
	served, err := r.predictor.Current()
	return r.resolve(served), err
}

// versionFor returns the one that answers a request: the one that its address names, else the challenger or the one that is served, by its id. Codes: as
// Predictor.Version and Predictor.Choose; where it is Unavailable, what is returned can still check.
func (r *role) versionFor(c echo.Context) (*version, error) {
	if number := c.Param(versionParam); number != "" {
		served, err := r.predictor.Version(c.Request().Context(), number)
		if err != nil {
			return newVersion(nil, r.metrics), err
		}
		return r.resolve(served), nil
	}
	served, err := r.predictor.Choose(httpserver.RequestID(c))
	return r.resolve(served), err
}

// resolve returns what newVersion makes of a version, which is remembered of each role.
func (r *role) resolve(served *inference.Served) *version {
	place := &r.resolved[0]
	switch {
	case served == nil || served.Role == inference.Champion:
	case served.Role == inference.Challenger:
		place = &r.resolved[1]
	default:
		place = &r.resolved[2]
	}
	if v := place.Load(); v != nil && v.Served == served {
		return v
	}
	v := newVersion(served, r.metrics)
	place.Store(v) // whoever comes with another one at this moment resolves again
	return v
}

// question is what one request asks: listings that one version prices together.
type question struct {
	version  *version
	id       string // of the request
	now      time.Time
	unkept   bool // do not record the answers
	asked    extras
	first    int // number of the first listing among those of the request, if they come in several questions
	requests []request
	prices   []float64 // dollars, of requests, once they are answered

	// Memory that is used again for the next question.
	body    []byte
	decoded []decoded
	list    bool // a list was sent
	scratch []float64
	again   []float64 // features of a listing of several
	parts   []float64 // contributions
	unusual []model.Warning
	entry   []byte // of the journal
	out     []byte
}

// itemError is what is wrong with one listing of a question.
type itemError struct {
	index int // in requests
	err   error
}

// Error says what is wrong.
func (e *itemError) Error() string { return e.err.Error() }

// Unwrap returns it with its code.
func (e *itemError) Unwrap() error { return e.err }

// answer prices all listings of a question and records the answers; only then they may be given. All or nothing: after an error nothing is recorded. It is
// the one way to an answer, for every protocol. Codes: Invalid (of an itemError) if the numbers of a listing are too large, Unavailable if the answers cannot
// be recorded.
func (r *role) answer(ctx context.Context, q *question) error {
	q.prices = q.prices[:0]
	for i := range q.requests {
		var price float64
		var err error
		if x := q.requests[i].Encoded; x != nil {
			price, err = q.version.Model.PriceOf(x)
			q.scratch = append(q.scratch[:0], x...)
		} else {
			price, q.scratch, err = q.version.Price(&q.requests[i].Listing, q.requests[i].AsOf, q.scratch)
		}
		if err != nil {
			return &itemError{index: i, err: err}
		}
		q.prices = append(q.prices, price)
		if !q.unkept {
			q.version.Watch.Observe(q.scratch, price, q.now)
			if x := q.requests[i].Encoded; x != nil {
				r.predictor.TellEncoded(x, price, q.version.Served)
			} else {
				r.predictor.Tell(&q.requests[i].Listing, q.requests[i].AsOf, price, q.version.Served)
			}
		}
	}
	if q.unkept || len(q.requests) == 0 {
		return nil
	}
	if err := r.record(q); err != nil {
		r.log.DebugContext(ctx, "a prediction was not recorded", "request_id", q.id, "error", err)
		return err
	}
	killpoint.At(killpoint.AfterPredictionIn)
	return nil
}

// result is the answer to one listing of a question.
func (q *question) result(i int) Answer {
	a := Answer{
		Prediction: q.prices[i], ModelName: q.version.Name, ModelVersion: q.version.Version, ModelRunID: q.version.RunID,
		RequestID: q.id, AsOf: q.requests[i].AsOf, Ignored: q.requests[i].Unknown,
		ModelStage: string(q.version.Stage), ModelRole: string(q.version.Role),
	}
	q.explain(&a, i)
	return a
}

// outcomeOf says how a question ended, for the metrics.
func outcomeOf(err error) outcome {
	if err == nil {
		return outcomeOK
	}
	var tooLarge *http.MaxBytesError
	switch {
	case apperror.CodeOf(err) == apperror.Invalid, apperror.CodeOf(err) == apperror.NotFound, errors.As(err, &tooLarge):
		return outcomeInvalid
	}
	return outcomeUnavailable
}
