package listingapi_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/listingapi"
)

// inTurn answers each request with the next of the handlers, and those after the last with the last.
func inTurn(asked *atomic.Int64, handlers ...http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		handlers[min(int(asked.Add(1)), len(handlers))-1](w, r)
	}
}

// cutOff breaks the connection in the middle of an answer.
func cutOff(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"data":[{"price":1},`)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// hangUp breaks the connection before any answer.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func later(seconds string, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", seconds)
		answer(status, "application/json", `{"detail":"busy"}`)(w, r)
	}
}

func TestWhatFailsForNowIsAskedAgain(t *testing.T) {
	const payload = `{"batch_number":3,"data":[]}`
	fine := answer(200, "application/json", payload)
	for name, c := range map[string]struct {
		first   http.HandlerFunc
		retries int
		asked   int64
		fails   string
	}{
		"500":                 {answer(500, "text/plain", "oops"), 2, 2, ""},
		"503 and a date past": {later("Wed, 21 Oct 2015 07:28:00 GMT", 503), 2, 2, ""},
		"429 and no sense":    {later("soon", 429), 2, 2, ""},
		"408":                 {answer(408, "text/plain", ""), 2, 2, ""},
		"hung up":             {hangUp, 2, 2, ""},
		"cut off":             {cutOff, 2, 2, ""},
		"no retries":          {answer(500, "text/plain", "oops"), 0, 1, "answered 500"},
		"404":                 {answer(404, "text/plain", "oops"), 2, 1, "answered 404"},
		"a web page":          {answer(200, "text/html", "<html>"), 2, 1, "a web page"},
		"too long to wait":    {later("3600", 503), 2, 1, "the data API wants to be asked again in 1h0m0s, which is too long to wait for here"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			base := serve(t, inTurn(&asked, c.first, fine))
			var log bytes.Buffer
			client := listingapi.New(base, listingapi.Options{Retries: c.retries, RetryDelay: time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil))})
			file, err := os.Create(filepath.Join(t.TempDir(), "payload"))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, file.Close()) })
			_, err = client.Fetch(t.Context(), request, file)
			require.Equal(t, c.asked, asked.Load())
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
				require.Empty(t, log.String())
				return
			}
			require.NoError(t, err)
			kept, err := os.ReadFile(file.Name())
			require.NoError(t, err)
			require.Equal(t, payload, string(kept), "nothing of the first answer is left")
			require.Contains(t, log.String(), `msg="the data API is asked again" try=2 of=3`)
		})
	}
}

func TestEveryRetryCarriesTheSameKey(t *testing.T) {
	var asked atomic.Int64
	keys := make(chan string, 10)
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		keys <- r.Header.Get("Idempotency-Key")
		inTurn(&asked, hangUp, answer(502, "", ""), answer(200, "", `[]`))(w, r)
	})
	_, err := listingapi.New(base, listingapi.Options{Retries: 2, RetryDelay: time.Millisecond}).Fetch(t.Context(), request, io.Discard)
	require.NoError(t, err)
	for range 3 {
		require.Equal(t, request.IdempotencyKey, <-keys)
	}
}

func TestRetriesEnd(t *testing.T) {
	var asked atomic.Int64
	base := serve(t, inTurn(&asked, answer(503, "text/plain", "down")))
	err := listingapi.New(base, listingapi.Options{Retries: 3, RetryDelay: time.Millisecond}).Restart(t.Context(), request)
	require.ErrorContains(t, err, "answered 503 Service Unavailable: down")
	require.EqualValues(t, 4, asked.Load())

	// What was handed on already cannot be taken back from everybody.
	asked.Store(0)
	base = serve(t, inTurn(&asked, cutOff))
	_, err = listingapi.New(base, listingapi.Options{Retries: 3, RetryDelay: time.Millisecond}).Fetch(t.Context(), request, &bytes.Buffer{})
	require.ErrorContains(t, err, "broke its answer off after 21 bytes")
	require.EqualValues(t, 1, asked.Load())
}

func TestRetryAfterIsWaitedFor(t *testing.T) {
	var asked atomic.Int64
	base := serve(t, inTurn(&asked, later("1", 429), answer(200, "", `[]`)))
	start := time.Now()
	_, err := listingapi.New(base, listingapi.Options{Retries: 1, RetryDelay: time.Millisecond}).Fetch(t.Context(), request, io.Discard)
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(start), time.Second)

	asked.Store(0)
	ctx, cancel := context.WithCancel(t.Context())
	base = serve(t, func(w http.ResponseWriter, r *http.Request) {
		later("200", 503)(w, r)
		_ = http.NewResponseController(w).Flush()
		cancel()
	})
	_, err = listingapi.New(base, listingapi.Options{Retries: 1}).Fetch(ctx, request, io.Discard)
	require.ErrorIs(t, err, context.Canceled)
}

func TestRequestsKeepTheirRate(t *testing.T) {
	var asked atomic.Int64
	base := serve(t, inTurn(&asked, answer(200, "", `[]`)))
	client := listingapi.New(base, listingapi.Options{Rate: 20})
	start := time.Now()
	for range 4 {
		require.NoError(t, client.Restart(t.Context(), request))
	}
	require.GreaterOrEqual(t, time.Since(start), 3*50*time.Millisecond)
}

// An answer that never ends, a little at a time, does not stall, and is given up all the same.
func TestAWholeAnswerHasItsTime(t *testing.T) {
	var asked atomic.Int64
	dripping := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, `{"data":[`)
		for tick := time.NewTicker(2 * time.Millisecond); ; {
			select {
			case <-r.Context().Done():
				tick.Stop()
				return
			case <-tick.C:
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
			}
		}
	})
	_, err := listingapi.New(dripping, listingapi.Options{Timeout: 100 * time.Millisecond, Retries: 3, RetryDelay: time.Millisecond}).Fetch(t.Context(), request, io.Discard)
	require.ErrorContains(t, err, "was given up in the middle of its answer")
	require.ErrorContains(t, err, "the whole answer took longer than --source.timeout allows")
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.EqualValues(t, 1, asked.Load(), "it would be too slow again")

	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, silent.Close()) })
	_, err = listingapi.New("http://"+silent.Addr().String(), listingapi.Options{Timeout: 50 * time.Millisecond}).Fetch(t.Context(), request, io.Discard)
	require.ErrorContains(t, err, "did not answer in time")
}
