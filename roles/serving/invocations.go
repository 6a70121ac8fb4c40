package serving

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/httpserver"
	"tasador/pkg/model"
)

// Predictions is what POST /invocations answers: the rows of MLflow's data frame of predictions.
type Predictions struct {
	Predictions []PredictionRow `json:"predictions" nullable:"false" doc:"One for each row, in their order."`
}

// PredictionRow is a row of Predictions.
type PredictionRow struct {
	Prediction float64 `json:"prediction" doc:"Price in dollars."`
}

// MLflowError is the body of an error of MLflow's scoring protocol.
type MLflowError struct {
	ErrorCode string `json:"error_code" doc:"Name of the error in MLflow."`
	Message   string `json:"message" doc:"What is wrong and what to do."`
}

// ping is GET /ping of MLflow's scoring protocol: 200 if a model is loaded, 404 if not.
func (r *role) ping(c echo.Context) error {
	status := http.StatusOK
	if _, err := r.version(); err != nil {
		status = http.StatusNotFound
	}
	return c.JSONBlob(status, []byte("\n"))
}

// mlflowVersion is GET /version of MLflow's scoring protocol: the bare text, though called JSON.
func (r *role) mlflowVersion(c echo.Context) error {
	return c.JSONBlob(http.StatusOK, []byte(model.MLflowVersion()))
}

// invocations is POST /invocations of MLflow's scoring protocol.
func (r *role) invocations(c echo.Context) error {
	q := &question{id: httpserver.RequestID(c), now: recordable(time.Now())}
	err := r.score(c, q)
	r.answered(protocolMLflow, q.version, outcomeOf(err), len(q.prices), q.now)
	var unsupported *mediaError
	if errors.As(err, &unsupported) {
		return c.String(http.StatusUnsupportedMediaType, unsupported.sentence)
	}
	if err != nil {
		return err
	}
	out := append(make([]byte, 0, 32*(len(q.prices)+1)), `{"predictions": [`...)
	for i, price := range q.prices {
		if i > 0 {
			out = append(out, ", "...)
		}
		out = append(appendPrice(append(out, `{"prediction": `...), price), '}')
	}
	r.named(c, q.version)
	return c.JSONBlob(http.StatusOK, append(out, "]}"...))
}

// named says in headers which version answers, where a protocol has no place for it.
func (r *role) named(c echo.Context, v *version) {
	c.Response().Header().Set(headerModelName, v.Name)
	c.Response().Header().Set(headerModelVersion, v.Version)
}

// score answers the frame of a request.
func (r *role) score(c echo.Context, q *question) error {
	var missing error
	q.version, missing = r.versionFor(c)
	kind, err := mlflowType(c.Request().Header.Get(echo.HeaderContentType))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return err
	}
	var f *frame
	var asOf value
	if kind == mimeCSV {
		f, err = csvFrame(string(body))
	} else {
		f, asOf, err = mlflowFrame(string(body))
	}
	if err != nil {
		return err
	}
	if missing != nil {
		return missing
	}
	at, err := instantOf(asOf, q.now)
	if err != nil {
		return err
	}
	return r.answerFrame(q, f, at, func() error { return r.answer(c.Request().Context(), q) })
}

// mediaError refuses a Content-Type.
type mediaError struct{ sentence string }

// Error returns the sentence.
func (e *mediaError) Error() string { return e.sentence }

// Unwrap gives it its code.
func (e *mediaError) Unwrap() error { return apperror.New(apperror.Invalid, "%s", e.sentence) }

// mlflowType reads a Content-Type by MLflow's rules.
func mlflowType(header string) (string, error) {
	kind, params, err := mime.ParseMediaType(header)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		kind = header
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", &mediaError{"The scoring server only supports UTF-8"}
	}
	for name := range params {
		if name != "charset" {
			return "", &mediaError{"Unrecognized content type parameters: " + name + "."}
		}
	}
	if kind != mimeCSV && kind != echo.MIMEApplicationJSON {
		return "", &mediaError{"This predictor only supports the following content types: Types: ['text/csv', 'application/json']. Got '" + shortened(header) + "'."}
	}
	return kind, nil
}

// notParsed is what MLflow says of a CSV that cannot be read.
const notParsed = "Failed to parse input as a Pandas DataFrame: %s"

// inRow says it of a row, which is counted from 0.
func inRow(row int, what apperror.Sentence) error {
	return apperror.New(apperror.Invalid, notParsed, "row "+strconv.Itoa(row+1)+": "+what.String())
}

// csvFrame reads a CSV with a header by the same rules as a batch, except that a row that is wrong makes all of it wrong. Codes: Invalid.
func csvFrame(text string) (*frame, error) {
	if !utf8.ValidString(text) {
		return nil, apperror.New(apperror.Invalid, "Ensure that input is a valid UTF-8 encoded string.")
	}
	head := &csvHead{anyColumns: true}
	rows, _, err := (&csvCutter{head: head}).cut([]byte(text), true, nil)
	if err != nil {
		return nil, apperror.New(apperror.Invalid, notParsed, err.Error())
	}
	f := &frame{}
	for _, name := range head.names {
		if slices.Contains(f.names, name) {
			f.twice = append(f.twice, name)
			name += ".1" // as pandas calls it
		}
		if _, err := f.column(name); err != nil {
			return nil, err
		}
	}
	for row, span := range rows {
		switch span.flaw {
		case tooBig:
			return nil, inRow(row, apperror.Sentence{Format: tooLongRow})
		case broken:
			return nil, inRow(row, apperror.Sentence{Format: badQuotes + ": %s", Args: []any{rawRow(text[span.from:span.to])}})
		case sound:
		}
		err := head.each(text[span.from:span.to], func(column int, field string) error {
			v := textValue(field)
			if n, ok := v.asNumber(); ok && (indexOf(f.names[column]) == noField || fieldTable[indexOf(f.names[column])].Kind == number) {
				v = value{kind: isNumber, number: n, text: v.text}
			}
			return f.set(column, row, v)
		})
		if problem := (*fieldError)(nil); errors.As(err, &problem) {
			err = inRow(row, apperror.Sentence{Format: problem.Format, Args: problem.Args})
		}
		if err != nil {
			return nil, err
		}
	}
	f.rows = len(rows)
	return f, nil
}

// writeMLflowError answers with MLflow's shape of an error.
func writeMLflowError(c echo.Context, status int, err error) error {
	code := map[int]string{
		http.StatusNotFound: "ENDPOINT_NOT_FOUND", http.StatusForbidden: "PERMISSION_DENIED", http.StatusServiceUnavailable: "TEMPORARILY_UNAVAILABLE",
		http.StatusInternalServerError: "INTERNAL_ERROR",
	}[status]
	message := apperror.MessageOf(err)
	if status == http.StatusUnsupportedMediaType { // as MLflow answers to another type
		return c.String(status, message)
	}
	var about *frameError
	switch {
	case errors.As(err, &about):
		code, message = "INVALID_PARAMETER_VALUE", "Failed to predict data. \nError: Failed to enforce schema of data: "+message
	case code == "":
		code = "BAD_REQUEST"
	}
	return c.JSON(status, MLflowError{ErrorCode: code, Message: message})
}
