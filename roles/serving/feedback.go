package serving

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/features"
	"tasador/pkg/httpserver"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore/predictionstore"
)

// feedbackPatience is how long POST /feedback looks for the prediction before it takes the price without.
const feedbackPatience = time.Second

// Feedback is the body of POST /feedback.
type Feedback struct {
	RequestID string  `json:"request_id" doc:"Id of the request that was answered."`
	Item      int     `json:"item,omitempty" minimum:"0" doc:"Place of the listing in the list that was sent, from 0; 0 if one listing was."`
	SalePrice float64 `json:"sale_price" minimum:"0" doc:"Price in dollars that the house was sold for."`
	SoldAt    string  `json:"sold_at,omitempty" doc:"Date of the sale, YYYY-MM-DD or with a time."`
}

// FeedbackAnswer is what POST /feedback answers.
type FeedbackAnswer struct {
	RequestID  string `json:"request_id" doc:"Id of the request that was answered."`
	Item       int    `json:"item" doc:"Place of the listing in the list that was sent."`
	Prediction string `json:"prediction" enum:"recorded,pending" doc:"recorded, or pending if nobody can say now whether there is such a prediction."`
	Detail     string `json:"detail,omitempty" doc:"Why nobody can say."`
}

// feedback is POST /feedback: the price that a house was sold for, of which there was a prediction. It is recorded through the journal, as predictions are.
func (r *role) feedback(c echo.Context) error {
	q := question{}
	if err := q.read(c.Request().Body); err != nil {
		return err
	}
	told, problems := decodeFeedback(q.body)
	if len(problems) > 0 {
		return unprocessable(c, problems)
	}
	httpserver.Touch(c, "request_id", told.RequestID)
	unsure, err := r.tell(c.Request().Context(), told)
	if err != nil {
		return err
	}
	answer := FeedbackAnswer{RequestID: told.RequestID, Item: told.Item, Prediction: "recorded"}
	if unsure != nil {
		answer.Prediction, answer.Detail = "pending", apperror.MessageOf(unsure)
		return c.JSON(http.StatusAccepted, answer)
	}
	return c.JSON(http.StatusOK, answer)
}

// tell records what a house was sold for, and lets the watch over the version learn from it. unsure says why nobody can tell now whether there is such a
// prediction; then nothing is learned. Codes: NotFound, Unavailable.
func (r *role) tell(ctx context.Context, told predictionstore.Feedback) (unsure, err error) {
	record, unsure := r.predictionOf(ctx, told.RequestID, told.Item)
	if unsure == nil && record == nil {
		return nil, apperror.New(apperror.NotFound,
			"no prediction of request %s with item %d is recorded; check both. If another server on the same database has just answered it, send this again in a moment",
			told.RequestID, told.Item)
	}
	told.ReceivedAt = recordable(time.Now())
	if record != nil && record.PredictedAt.After(told.ReceivedAt) { // by a server whose clock is ahead, or before ours was set back; prices belong to what was predicted before
		told.ReceivedAt = record.PredictedAt
	}
	if err := r.journal.Append(told.ReceivedAt, predictionstore.AppendFeedback(nil, told)); err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "the price cannot be recorded: %s", apperror.SentenceOf(err))
	}
	if record != nil && record.Sale == nil { // what is told again is a correction, which the sums cannot take back
		r.predictor.Learn(record.ModelVersion, record.Prediction, told.SalePrice, r.cfg.Serving.IntervalLevel)
	}
	return unsure, nil
}

// predictionOf returns a recorded prediction, nil if there is none. What this process has answered before is in the database first. The error says that nobody
// can tell now: the database is away, or the journal is far behind. Codes: Unavailable.
func (r *role) predictionOf(ctx context.Context, requestID string, item int) (*predictionstore.Record, error) {
	if err := r.store.Opened(); err != nil {
		return nil, err
	}
	record, err := r.lookFor(ctx, requestID, item)
	if err != nil && apperror.CodeOf(err) != apperror.Unavailable {
		err = apperror.Wrap(apperror.Unavailable, err, "the predictions database is behind, or did not answer within %s", feedbackPatience)
	}
	return record, err
}

// lookFor looks for a prediction, for as long as a client may wait.
func (r *role) lookFor(ctx context.Context, requestID string, item int) (*predictionstore.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, feedbackPatience)
	defer cancel()
	late := r.journal.AwaitShipped(ctx)
	if late != nil { // it may be there all the same
		ctx = context.WithoutCancel(ctx)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, feedbackPatience)
		defer cancel()
	}
	record, err := r.store.Newest(ctx, requestID, item)
	if err == nil && record == nil {
		err = late
	}
	return record, err
}

// decodeFeedback reads a body, or says what is wrong with each of its fields.
func decodeFeedback(body []byte) (told predictionstore.Feedback, problems []fieldError) {
	p, got := jsonScanner{s: string(body)}, map[string]value{}
	err := p.members(func(name string) (err error) {
		got[name], err = p.value(1)
		return err
	})
	if err != nil || !p.end() || !utf8.Valid(body) {
		return told, []fieldError{{Loc: []any{"body"}, Type: "json_invalid", Format: "the body is no JSON object; send {\"request_id\": …, \"sale_price\": …}"}}
	}
	fail := func(name, kind, format string, args ...any) {
		problems = append(problems, fieldError{Loc: []any{"body", name}, Type: kind, Format: format, Args: args})
	}
	if id := got["request_id"]; id.kind == isMissing {
		fail("request_id", "missing", "this field is required")
	} else if id.kind != isText || !httpserver.IsRequestID(id.text) {
		fail("request_id", "string_pattern_mismatch", "this must be the request_id of an answer: 1 to 64 letters, digits, underscores, dots and hyphens")
	} else {
		told.RequestID = id.text
	}
	if item := got["item"]; item.kind != isMissing {
		if n := item.number; item.kind != isNumber || n != math.Trunc(n) || n < 0 || n > math.MaxInt32 {
			fail("item", "int_type", "this must be the place of a listing in the list that was sent: a whole number from 0")
		} else {
			told.Item = int(n)
		}
	}
	switch price := got["sale_price"]; {
	case price.kind == isMissing:
		fail("sale_price", "missing", "this field is required")
	case price.kind != isNumber:
		fail("sale_price", "float_type", "this must be a number, such as %s", "394900")
	case price.number < 0:
		fail("sale_price", "greater_than_equal", "this must not be negative")
	case price.number > maxPrice:
		fail("sale_price", "less_than_equal", "this must be at most %s", strconv.FormatFloat(maxPrice, 'f', -1, 64))
	default:
		told.SalePrice = price.number
	}
	if sold := got["sold_at"]; sold.kind != isMissing {
		if _, good := features.ParseSoldAt(sold.text); sold.kind != isText || len(sold.text) > maxText || !good {
			fail("sold_at", "date_parsing", dateHint)
		} else {
			told.SoldAt = property.NewText(sold.text)
		}
	}
	return told, problems
}
