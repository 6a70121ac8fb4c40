package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/features"
	"tasador/pkg/httpserver"
)

// batchPause is how long a client of a batch may neither send nor take anything.
const batchPause = time.Minute

// batchPath is the address of batches.
const batchPath = "/predict/batch"

// batchFolder is where the answers wait that a client does not take yet, below the data folder.
const batchFolder = "serving/batch"

// Media types of batches.
const (
	mimeCSV    = "text/csv"
	mimeNDJSON = "application/x-ndjson"
)

// Headers and trailers of an answer to a batch.
const (
	headerModelName    = "Tasador-Model-Name"
	headerModelVersion = "Tasador-Model-Version"
	headerRowsOK       = "Tasador-Rows-Ok"
	headerRowsFailed   = "Tasador-Rows-Failed"
	headerBatchError   = "Tasador-Batch-Error"
)

// predictBatch is POST /predict/batch.
func (r *role) predictBatch(c echo.Context) error {
	b := &batch{role: r, now: recordable(time.Now()), tell: r.site.Teller(c.Response(), c.Request())}
	err := b.serve(c)
	outcome := outcomeOf(err)
	var problem *fieldError
	if errors.As(err, &problem) {
		outcome, err = outcomeInvalid, c.JSON(http.StatusUnprocessableEntity, b.tell.details([]fieldError{*problem}))
	}
	r.answered(protocolBatch, b.version, outcome, b.summary.OK, b.now)
	return err
}

// serve reads and answers a request. An error before the first byte of the answer can still be told.
func (b *batch) serve(c echo.Context) error {
	form, err := b.prepare(c)
	if err != nil {
		return err
	}
	control := http.NewResponseController(c.Response())
	if err := control.EnableFullDuplex(); err != nil {
		return fmt.Errorf("answer while the request is read: %w", err)
	}
	body := &patientBody{ReadCloser: c.Request().Body, control: control}
	ctx, cancel := context.WithCancel(c.Request().Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.run(ctx, unpacked(c, body))
	}()
	err = b.give(c, form, control)
	if err != nil {
		b.out.fail(err)
		cancel()
		select {
		case <-ended: // at the end of what can be read
		default:
			body.stop()
		}
	}
	<-ended
	cancel()
	if cerr := b.out.close(); cerr != nil {
		b.role.log.Warn("cannot free the file of a batch", "error", cerr)
	}
	if err != nil && c.Response().Committed {
		b.role.log.Debug("a batch was cut off", "request_id", httpserver.RequestID(c), "error", err)
		panic(http.ErrAbortHandler) // so that no client takes the half for the whole
	}
	return err
}

// prepare reads what the request says of itself and returns the media type of the answer. Codes: Invalid, Unavailable; *fieldError for a wrong option.
func (b *batch) prepare(c echo.Context) (form string, err error) {
	in, err := batchForm(c.Request().Header.Get(echo.HeaderContentType))
	if err != nil {
		return "", err
	}
	if form, err = acceptedForm(c.Request().Header.Values(echo.HeaderAccept), in); err != nil {
		return "", err
	}
	if coding := codingOf(c.Request().Header); coding != "" && !isGzip(coding) {
		return "", refuseCoding(c, codingGzip, apperror.New(apperror.Invalid,
			"the body has the Content-Encoding %s, which is not taken here; send it as it is, or packed with gzip", shortened(coding)))
	}
	if b.version, err = b.role.versionFor(c); err != nil {
		return "", err
	}
	if err := b.options(c); err != nil {
		return "", err
	}
	v := b.version
	b.summary = Summary{ModelName: v.Name, ModelVersion: v.Version, ModelRunID: v.RunID, RequestID: httpserver.RequestID(c), Recorded: b.record}
	b.out = newOutlet(filepath.Join(b.role.cfg.DataDir, filepath.FromSlash(batchFolder)), b.role.spill)
	b.forms(in, form)
	return form, nil
}

// forms chooses how to read and write.
func (b *batch) forms(in, out string) {
	var came *csvHead
	switch in {
	case mimeCSV:
		came = &csvHead{}
		b.cutter, b.reader = &csvCutter{head: came}, csvRows{head: came}
	case mimeNDJSON:
		b.cutter, b.reader = &lineCutter{}, jsonRows{}
	default:
		b.cutter, b.reader = &arrayCutter{}, jsonRows{}
	}
	switch out {
	case mimeCSV:
		b.writer = csvOutput{came: came}
	case mimeNDJSON:
		b.writer = lineAnswers{}
	default:
		b.writer = arrayAnswers{}
	}
}

// options reads the query.
func (b *batch) options(c echo.Context) error {
	b.asOf = b.now
	if text := c.QueryParam(asOfField); text != "" {
		at, ok := features.ParseSoldAt(text)
		if !ok {
			return &fieldError{Loc: []any{"query", asOfField}, Type: "date_parsing", Format: dateHint}
		}
		b.asOf = at
	}
	if text := c.QueryParam("record"); text != "" {
		record, err := strconv.ParseBool(text)
		if err != nil {
			return &fieldError{Loc: []any{"query", "record"}, Type: "bool_parsing", Format: "this must be true or false"}
		}
		b.record = record
	}
	return nil
}

// batchForm is the form of a batch by its Content-Type.
func batchForm(contentType string) (string, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = ""
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", &statusError{http.StatusUnsupportedMediaType, apperror.New(apperror.Invalid, "the body must be UTF-8, not %s", charset)}
	}
	if form := formOf(kind); form != "" {
		return form, nil
	}
	return "", &statusError{http.StatusUnsupportedMediaType, apperror.New(apperror.Invalid,
		"send listings as %s, %s or %s, and say which in Content-Type", mimeCSV, mimeNDJSON, echo.MIMEApplicationJSON)}
}

func formOf(kind string) string {
	switch kind {
	case mimeCSV:
		return mimeCSV
	case mimeNDJSON, "application/ndjson", "application/jsonl", "application/jsonlines", "application/x-jsonlines":
		return mimeNDJSON
	case echo.MIMEApplicationJSON:
		return echo.MIMEApplicationJSON
	}
	return ""
}

// acceptedForm is the form of the answer: the first that the client names, or else that of the request.
func acceptedForm(accept []string, same string) (string, error) {
	named := false
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil || params["q"] == "0" {
			continue
		}
		named = true
		main, _, _ := strings.Cut(same, "/")
		if kind == "*/*" || kind == main+"/*" {
			return same, nil
		}
		if form := formOf(kind); form != "" {
			return form, nil
		}
	}
	if named {
		return "", &statusError{http.StatusNotAcceptable, apperror.New(apperror.Invalid,
			"the answer can be %s, %s or %s; name one of them in Accept", mimeCSV, mimeNDJSON, echo.MIMEApplicationJSON)}
	}
	return same, nil
}

// patientBody gives the client time for every piece, but not for ever.
type patientBody struct {
	io.ReadCloser
	control *http.ResponseController

	mu      sync.Mutex
	stopped bool
}

// Read implements io.Reader.
func (b *patientBody) Read(p []byte) (int, error) {
	b.allow(time.Now().Add(batchPause))
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		// Browsers take nothing before they have sent all: an answer that waits for them has its time from the last piece that came.
		_ = b.control.SetWriteDeadline(time.Now().Add(batchPause)) // a connection that cannot be set is broken, which writing shows
	}
	if errors.Is(err, io.EOF) {
		b.allow(time.Time{}) // from here on the server only watches whether the client stays
	}
	return n, err
}

func (b *patientBody) allow(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stopped {
		_ = b.control.SetReadDeadline(until) // a connection that cannot be set is broken, which reading shows
	}
}

// stop wakes whoever reads. The connection is of no further use.
func (b *patientBody) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	_ = b.control.SetReadDeadline(time.Unix(1, 0)) // as above
}

// statusError is an error with a status that its code does not tell.
type statusError struct {
	status int
	error
}

// Unwrap returns the error with its code.
func (e *statusError) Unwrap() error { return e.error }
