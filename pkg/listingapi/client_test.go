package listingapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/listingapi"
	"tasador/pkg/testkit"
)

var request = listingapi.Request{GroupNumber: 7, Day: "Tuesday", IdempotencyKey: "scheduled__2026-01-01T00:00:00+00:00"}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestFetchKeepsThePayloadAsItCame(t *testing.T) {
	payload := `{"group_number":7,"batch_number":1,"data":[` + objectRow + strings.Repeat(","+objectRow, 2000) + `]}`
	var asked *http.Request
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r
		answer(http.StatusOK, "application/json", payload)(w, r)
	})
	var kept bytes.Buffer
	got, err := listingapi.New(base+"/api/", listingapi.Options{}).Fetch(t.Context(), request, &kept)
	require.NoError(t, err)
	require.Equal(t, listingapi.Answer{Bytes: int64(len(payload))}, got)
	require.Equal(t, payload, kept.String())
	require.Equal(t, "/api/data", asked.URL.Path)
	require.Equal(t, "7", asked.URL.Query().Get("group_number"))
	require.Equal(t, "Tuesday", asked.URL.Query().Get("day"))
	require.Equal(t, request.IdempotencyKey, asked.Header.Get("Idempotency-Key"))
}

func TestFetchKnowsTheEndOfTheData(t *testing.T) {
	for _, body := range []string{
		`{"detail":"Ya se recolectó toda la información mínima necesaria"}`,
		`{"detail":"Ya se recolecto toda la informacion minima necesaria."}`,
		`{"detail":"Ya se recolect\u00f3 toda la informaci\u00f3n m\u00ednima necesaria"}`,
	} {
		var kept bytes.Buffer
		got, err := listingapi.New(serve(t, answer(400, "application/json", body)), listingapi.Options{}).Fetch(t.Context(), request, &kept)
		require.NoError(t, err)
		require.True(t, got.Finished)
		_, batch, _ := decode(t, kept.String())
		require.True(t, batch.Finished, "a replay of the kept answer says the same")
	}
}

func TestWrongAnswersAreToldInOneSentence(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		code    apperror.Code
		says    string
	}{
		"other 400":           {answer(400, "application/json", `{"detail":"Grupo no válido"}`), apperror.Invalid, "answered 400 Bad Request: Grupo no válido"},
		"end with 404":        {answer(404, "application/json", `{"detail":"`+listingapi.ExhaustedDetail+`"}`), apperror.Invalid, "answered 404 Not Found: Ya se"},
		"422 of FastAPI":      {answer(422, "application/json", `{"detail":[{"loc":["query","day"],"msg":"field required"}]}`), apperror.Invalid, `"msg":"field required"`},
		"500 with a web page": {answer(500, "text/html", "<html><body>Oops"), apperror.Unavailable, "answered 500 Internal Server Error: a web page (HTML) without detail"},
		"503 without body":    {answer(503, "text/plain", ""), apperror.Unavailable, "answered 503 Service Unavailable: (nothing)"},
		"too many requests":   {answer(429, "text/plain", "slow\n down"), apperror.Unavailable, "answered 429 Too Many Requests: slow down"},
		"a web page":          {answer(200, "text/html", "\n<!doctype html><html>"), apperror.Invalid, "answered with a web page (HTML) instead of JSON"},
		"a login page":        {answer(200, "application/json", "<html>"), apperror.Invalid, "answered with a web page (HTML) instead of JSON"},
		"plain text":          {answer(200, "text/plain", "hello"), apperror.Invalid, `answered with "hello" instead of a JSON object or list`},
		"nothing":             {answer(200, "application/json", ""), apperror.Invalid, "answered with nothing instead of JSON"},
		"204":                 {answer(204, "application/json", ""), apperror.Invalid, "answered 204 No Content: (nothing)"},
		"broken off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000")
			_, _ = io.WriteString(w, `{"data":[`)
		}, apperror.Unavailable, "broke its answer off after 9 bytes: the connection was closed"},
		"aborted": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"data":[`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, apperror.Unavailable, "broke its answer off after 9 bytes: the connection was closed"},
	} {
		t.Run(name, func(t *testing.T) {
			base := serve(t, c.handler)
			client := listingapi.New(base, listingapi.Options{})
			_, err := client.Fetch(t.Context(), request, io.Discard)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, base+"/data?day=Tuesday&group_number=7")
			require.Equal(t, c.code, apperror.CodeOf(err))
			require.NotContains(t, err.Error(), "\n")

			require.ErrorContains(t, client.Restart(t.Context(), request), base+"/restart_data_generation?day=Tuesday&group_number=7")
		})
	}
}

func TestUnreachableSource(t *testing.T) {
	address := testkit.FreeAddress(t)
	for base, says := range map[string]string{
		"http://" + address:             "the data API at http://" + address + "/data?day=Tuesday&group_number=7 cannot be reached: the connection was refused",
		"http://user:secret@" + address: "the data API at http://user:xxxxx@" + address,
		"http://no-such-host.invalid":   "cannot be reached: the name no-such-host.invalid is not known",
		"":                              "no data API is configured; set --source.uri",
		"ftp://x":                       `"ftp://x" is not the address of a data API`,
		"localhost:8090":                `"localhost:8090" is not the address of a data API`,
		"http://":                       `"http://" is not the address of a data API`,
	} {
		_, err := listingapi.New(base, listingapi.Options{}).Fetch(t.Context(), request, io.Discard)
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestLimits(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	wait := func(r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}
	silent := serve(t, func(_ http.ResponseWriter, r *http.Request) { wait(r) })
	_, err := listingapi.New(silent, listingapi.Options{HeaderTimeout: 20 * time.Millisecond}).Fetch(t.Context(), request, io.Discard)
	require.ErrorContains(t, err, "cannot be reached: it did not answer in time")
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))

	stalling := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"data":[`)
		_ = http.NewResponseController(w).Flush()
		wait(r)
	})
	_, err = listingapi.New(stalling, listingapi.Options{StallTimeout: 50 * time.Millisecond}).Fetch(t.Context(), request, io.Discard)
	require.ErrorContains(t, err, "stopped in the middle of its answer")
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))

	ctx, cancel := context.WithCancel(t.Context())
	_, err = listingapi.New(stalling, listingapi.Options{}).Fetch(ctx, request, writerFunc(func(p []byte) (int, error) {
		cancel()
		return len(p), nil
	}))
	require.ErrorIs(t, err, context.Canceled)

	big := serve(t, answer(200, "application/json", "["+strings.Repeat(" ", 5000)+"]"))
	_, err = listingapi.New(big, listingapi.Options{MaxBytes: 5001}).Fetch(t.Context(), request, io.Discard)
	require.ErrorContains(t, err, "sends more than 5001 bytes in one batch")
	_, err = listingapi.New(big, listingapi.Options{MaxBytes: 5002}).Fetch(t.Context(), request, io.Discard)
	require.NoError(t, err)
}

// TestASourceThatTricklesStalls sends a byte now and then, which would go on for days.
func TestASourceThatTricklesStalls(t *testing.T) {
	trickling := serve(t, func(w http.ResponseWriter, r *http.Request) {
		pace := time.NewTicker(5 * time.Millisecond)
		defer pace.Stop()
		for _, err := io.WriteString(w, "["); err == nil && r.Context().Err() == nil; _, err = io.WriteString(w, " ") {
			_ = http.NewResponseController(w).Flush()
			<-pace.C
		}
	})
	_, err := listingapi.New(trickling, listingapi.Options{StallTimeout: 100 * time.Millisecond}).Fetch(t.Context(), request, io.Discard)
	require.ErrorContains(t, err, "stopped in the middle of its answer")
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestFullDiskIsNotTheSourcesFault(t *testing.T) {
	full := errors.New("no space left on device")
	base := serve(t, answer(200, "application/json", `{"data":[]}`))
	_, err := listingapi.New(base, listingapi.Options{}).Fetch(t.Context(), request, writerFunc(func([]byte) (int, error) { return 0, full }))
	require.ErrorIs(t, err, full)
	require.EqualError(t, err, fmt.Sprintf("keep the answer of %s/data?day=Tuesday&group_number=7: no space left on device", base))
}

func TestRestart(t *testing.T) {
	var path string
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.String()
		answer(200, "application/json", `{"ok":true}`)(w, r)
	})
	require.NoError(t, listingapi.New(base, listingapi.Options{}).Restart(t.Context(), request))
	require.Equal(t, "/restart_data_generation?day=Tuesday&group_number=7", path)
}
