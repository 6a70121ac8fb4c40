package serving

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// give sends the client what the batch answers, as soon as it is there. Before the first byte an error can still become an answer of its own.
func (b *batch) give(c echo.Context, form string, control *http.ResponseController) error {
	piece, err := b.out.next(nil)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	if form == mimeCSV {
		form += "; charset=utf-8"
	}
	h.Set(echo.HeaderContentType, form)
	h.Set(headerModelName, b.version.Name)
	h.Set(headerModelVersion, b.version.Version)
	h.Set("Trailer", strings.Join([]string{headerModelVersion, headerRowsOK, headerRowsFailed, headerBatchError}, ", "))
	h.Set(echo.HeaderVary, "Accept, Accept-Encoding")
	to := io.Writer(patientWriter{c.Response(), control})
	var packed *gzip.Writer
	if wantsGzip(c.Request()) {
		h.Set(echo.HeaderContentEncoding, "gzip")
		if packed, err = gzip.NewWriterLevel(to, gzip.BestSpeed); err != nil {
			return err
		}
		to = packed
	}
	c.Response().WriteHeader(http.StatusOK)
	for err == nil {
		if _, err = to.Write(piece); err == nil && b.out.idle() {
			err = flush(packed, control)
		}
		if err == nil {
			piece, err = b.out.next(piece[:0])
		}
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	if packed != nil {
		if err := packed.Close(); err != nil {
			return err
		}
	}
	_ = control.SetWriteDeadline(time.Time{}) // the next request has its own
	h.Set(headerRowsOK, strconv.Itoa(b.summary.OK))
	h.Set(headerRowsFailed, strconv.Itoa(b.summary.Failed))
	if b.broken != nil {
		h.Set(headerBatchError, strings.Map(headerRune, teller(nil).ended(b.broken)))
	}
	return nil
}

// headerRune leaves of a sentence what a header can hold.
func headerRune(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}

func flush(packed *gzip.Writer, control *http.ResponseController) error {
	if packed != nil {
		if err := packed.Flush(); err != nil {
			return err
		}
	}
	return control.Flush()
}

// wantsGzip says whether the client asks for gzip.
func wantsGzip(req *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(req.Header.Values(echo.HeaderAcceptEncoding), ","), ",") {
		name, quality, _ := strings.Cut(strings.ReplaceAll(part, " ", ""), ";")
		if strings.EqualFold(name, "gzip") {
			return quality != "q=0"
		}
	}
	return false
}

// patientWriter gives the client time for every piece, but not for ever.
type patientWriter struct {
	to      io.Writer
	control *http.ResponseController
}

// Write implements io.Writer.
func (w patientWriter) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(batchPause)) // a connection that cannot be set is broken, which writing shows
	return w.to.Write(p)
}
