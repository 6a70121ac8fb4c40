package listingapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"tasador/pkg/apperror"
)

const maxDetail = 64 << 10 // bytes of an error answer that are read

// refused reads an answer that is not 200: the end of the data, which it copies to w, or an error.
func (ex *exchange) refused(w *sink) (Answer, error) {
	raw, err := io.ReadAll(io.LimitReader(ex.body, maxDetail))
	if err != nil {
		return Answer{}, ex.broken(int64(len(raw)), err)
	}
	detail := detailOf(raw)
	if ex.status == http.StatusBadRequest && isExhausted(detail) {
		n, err := w.Write(raw)
		if err != nil {
			return Answer{}, fmt.Errorf("keep the answer of %s: %w", ex.url, err)
		}
		return Answer{Finished: true, Bytes: int64(n)}, nil
	}
	code := apperror.Invalid
	if ex.status >= 500 || ex.status == http.StatusTooManyRequests || ex.status == http.StatusRequestTimeout {
		code = apperror.Unavailable
	}
	return Answer{}, apperror.New(code, "the data API at %s answered %d %s: %s", ex.url, ex.status, http.StatusText(ex.status), shorten(detail, 300))
}

// detailOf finds what an error answer says: the text under detail, else all of it.
func detailOf(raw []byte) string {
	var body struct {
		Detail json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(raw, &body) != nil || len(body.Detail) == 0 {
		if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("<")) {
			return "a web page (HTML) without detail"
		}
		return string(raw)
	}
	var text string
	if json.Unmarshal(body.Detail, &text) != nil {
		return string(body.Detail)
	}
	return text
}

func shorten(s string, limit int) string {
	s = strings.Join(strings.Fields(s), " ")
	if s == "" {
		return "(nothing)"
	}
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return s
}
