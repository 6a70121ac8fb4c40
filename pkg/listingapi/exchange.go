package listingapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/redact"
)

// exchange is one answer under way. Its body ends with an error when it stalls or takes too long.
type exchange struct {
	url        string // without secrets
	status     int
	retryAfter time.Duration // that the source asks for; 0 if it does not
	body       io.Reader     // unpacked
	close      func()
	parent     context.Context // tells the caller's end from our own
	ctx        context.Context // carries the cause of our own
}

var (
	errStalled = errors.New("it sent nothing, or next to nothing, for too long")
	errTooSlow = errors.New("the whole answer took longer than --source.timeout allows")
)

func (c *Client) get(ctx context.Context, path string, req Request) (*exchange, error) {
	u, err := c.address(path, req)
	if err != nil {
		return nil, err
	}
	shown := redact.URL(u.String())
	own, cancel := context.WithCancelCause(ctx)
	r, err := http.NewRequestWithContext(own, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel(nil)
		return nil, apperror.Wrap(apperror.Invalid, err, "no request to %s can be made", shown)
	}
	c.setHeaders(r.Header, req)
	limit := afterFunc(c.opts.Timeout, func() { cancel(errTooSlow) })
	ex := &exchange{url: shown, parent: ctx, ctx: own}
	resp, err := c.http.Do(r) //nolint:bodyclose // exchange.close does
	if err != nil {
		defer cancel(nil)
		limit()
		return nil, ex.unreachable(err)
	}
	watched := watch(resp.Body, c.opts.StallTimeout, func() { cancel(errStalled) })
	ex.status, ex.retryAfter = resp.StatusCode, retryAfter(resp.Header.Get("Retry-After"), time.Now())
	ex.close = func() {
		watched.timer.Stop()
		limit()
		_ = resp.Body.Close() // the payload is read or given up by now
		cancel(nil)
	}
	if ex.body, err = ex.unpack(watched, resp.Header.Get("Content-Encoding")); err != nil {
		ex.close()
		return nil, err
	}
	return ex, nil
}

// afterFunc calls f after d, never if d is 0, unless what it returns is called first.
func afterFunc(d time.Duration, f func()) (stop func()) {
	if d == 0 {
		return func() {}
	}
	timer := time.AfterFunc(d, f)
	return func() { timer.Stop() }
}

// watched is a reader that calls stalled when the next minProgress bytes take too long, so that neither silence nor a byte now and then holds a task for ever.
// What the caller does between two reads does not count.
type watched struct {
	r      io.Reader
	limit  time.Duration
	timer  *time.Timer
	got    int           // bytes since the last progress
	waited time.Duration // for them
}

const minProgress = 1 << 10 // bytes

func watch(r io.Reader, limit time.Duration, stalled func()) *watched {
	return &watched{r: r, limit: limit, timer: time.AfterFunc(limit, stalled)}
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(max(w.limit-w.waited, 0))
	begin := time.Now()
	n, err := w.r.Read(p)
	w.timer.Stop()
	w.waited += time.Since(begin)
	if w.got += n; w.got >= minProgress {
		w.got, w.waited = 0, 0
	}
	return n, err
}

// looksLikeJSON looks at the first byte that is not white space, so that a web page is called by its name.
func (ex *exchange) looksLikeJSON(body *bufio.Reader) error {
	if _, err := body.Peek(1); err != nil && !errors.Is(err, io.EOF) {
		return ex.broken(0, err)
	}
	ahead, err := body.Peek(body.Buffered()) // what came first, without waiting for more
	if err != nil {
		return ex.broken(0, err)
	}
	start := bytes.TrimLeft(ahead, " \t\r\n")
	switch {
	case len(ahead) == 0:
		return apperror.New(apperror.Invalid, "the data API at %s answered with nothing instead of JSON; check --source.uri", ex.url)
	case len(start) == 0:
		return nil // white space says nothing yet; reading the payload will
	case start[0] == '{' || start[0] == '[':
		return nil
	case start[0] == '<':
		return apperror.New(apperror.Invalid, "%s answered with a web page (HTML) instead of JSON; check that --source.uri is the data API", ex.url)
	}
	return apperror.New(apperror.Invalid, "%s answered with %q instead of a JSON object or list; check that --source.uri is the data API", ex.url, shorten(string(start), 40))
}
