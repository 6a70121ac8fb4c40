package listingapi_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/listingapi"
)

func packed(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// raw answers with bytes in an encoding.
func raw(encoding string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if encoding != "" {
			w.Header().Set("Content-Encoding", encoding)
		}
		_, _ = w.Write(body)
	}
}

func TestPackedAnswersAreKeptUnpacked(t *testing.T) {
	payload := []byte(`{"batch_number":1,"data":[` + objectRow + strings.Repeat(","+objectRow, 3000) + `]}`)
	gz := packed(t, payload)
	for name, handler := range map[string]http.HandlerFunc{
		"not packed":                     raw("", payload),
		"identity":                       raw("identity", payload),
		"in transit":                     raw("gzip", gz),
		"in transit, by its old name":    raw("X-GZIP", gz),
		"a file of gzip":                 raw("", gz),
		"a file of gzip, packed again":   raw("gzip", packed(t, gz)),
		"several members":                raw("", append(packed(t, payload[:1000]), packed(t, payload[1000:])...)),
		"only if it is asked for packed": func(w http.ResponseWriter, r *http.Request) { raw(r.Header.Get("Accept-Encoding"), gz)(w, r) },
	} {
		t.Run(name, func(t *testing.T) {
			var kept bytes.Buffer
			got, err := listingapi.New(serve(t, handler), listingapi.Options{}).Fetch(t.Context(), request, &kept)
			require.NoError(t, err)
			require.Equal(t, listingapi.Answer{Bytes: int64(len(payload))}, got)
			require.True(t, bytes.Equal(payload, kept.Bytes()))
		})
	}
	got, err := listingapi.New(serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(packed(t, []byte(`{"detail":"`+listingapi.ExhaustedDetail+`"}`)))
	}), listingapi.Options{}).Fetch(t.Context(), request, io.Discard)
	require.NoError(t, err)
	require.True(t, got.Finished)
}

func TestPackedAnswersThatCannotBeUsed(t *testing.T) {
	payload := []byte(`{"data":[` + objectRow + strings.Repeat(","+objectRow, 3000) + `]}`)
	gz := packed(t, payload)
	wrongSum := bytes.Clone(gz)
	wrongSum[len(wrongSum)-6] ^= 1
	wrongBits := bytes.Clone(gz)
	wrongBits[len(gz)/2] ^= 0xff
	bomb := packed(t, append([]byte(`{"data":[`), bytes.Repeat([]byte(" "), 100<<20)...))
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		code    apperror.Code
		says    string
	}{
		"another encoding":   {raw("br", payload), apperror.Invalid, `answered in the encoding "br"; only gzip and none are understood`},
		"two encodings":      {raw("gzip, gzip", gz), apperror.Invalid, `answered in the encoding "gzip, gzip"`},
		"not packed at all":  {raw("gzip", payload), apperror.Invalid, "its gzip data is damaged"},
		"a wrong check sum":  {raw("gzip", wrongSum), apperror.Invalid, "its gzip data is damaged"},
		"wrong bits":         {raw("", wrongBits), apperror.Invalid, "its gzip data is damaged"},
		"cut off":            {raw("gzip", gz[:len(gz)/2]), apperror.Unavailable, "broke its answer off"},
		"packed three times": {raw("gzip", packed(t, packed(t, gz))), apperror.Invalid, "instead of a JSON object or list"},
		"nothing":            {raw("gzip", nil), apperror.Invalid, "answered with nothing instead of JSON"},
		"a bomb":             {raw("gzip", bomb), apperror.Invalid, "its gzip data grows more than 200-fold when it is unpacked"},
		"a bomb in a bomb":   {raw("gzip", packed(t, bomb)), apperror.Invalid, "its gzip data grows more than 200-fold when it is unpacked"},
	} {
		t.Run(name, func(t *testing.T) {
			base := serve(t, c.handler)
			_, err := listingapi.New(base, listingapi.Options{}).Fetch(t.Context(), request, io.Discard)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, base)
			require.Equal(t, c.code, apperror.CodeOf(err))
		})
	}
	_, err := listingapi.New(serve(t, raw("gzip", gz)), listingapi.Options{MaxBytes: int64(len(payload)) - 1}).Fetch(t.Context(), request, io.Discard)
	require.ErrorContains(t, err, "bytes in one batch", "the limit is of what is unpacked")
}
