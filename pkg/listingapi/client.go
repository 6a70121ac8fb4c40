package listingapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/redact"
)

// The limits that Options default to.
const (
	DefaultConnectTimeout = 10 * time.Second
	DefaultHeaderTimeout  = 2 * time.Minute
	DefaultStallTimeout   = time.Minute
	DefaultMaxBytes       = 2 << 30
)

const maxDetail = 64 << 10 // bytes of an error answer that are read

// Options limit what the client waits for and accepts; zero means the default.
type Options struct {
	ConnectTimeout time.Duration // for the connection
	HeaderTimeout  time.Duration // from the request to the first byte of the answer
	StallTimeout   time.Duration // for each further KiB of the payload
	MaxBytes       int64         // of one payload
}

// Client asks one data API.
type Client struct {
	base string
	opts Options
	http *http.Client
}

// Request says which batch to ask for. IdempotencyKey may be empty.
type Request struct {
	GroupNumber    int
	Day            string
	IdempotencyKey string
}

// Answer is what became of a fetch.
type Answer struct {
	Finished bool  // the source has no more
	Bytes    int64 // written
}

// New returns a client of the data API at baseURI, such as http://127.0.0.1:8090. A wrong address shows when it is used.
func New(baseURI string, opts Options) *Client {
	setDefault(&opts.ConnectTimeout, DefaultConnectTimeout)
	setDefault(&opts.HeaderTimeout, DefaultHeaderTimeout)
	setDefault(&opts.StallTimeout, DefaultStallTimeout)
	setDefault(&opts.MaxBytes, DefaultMaxBytes)
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: opts.ConnectTimeout}).DialContext,
		TLSHandshakeTimeout:   opts.ConnectTimeout,
		ResponseHeaderTimeout: opts.HeaderTimeout,
		DisableKeepAlives:     true, // batches are far apart, and a stale connection would only cost a retry
	}
	return &Client{base: baseURI, opts: opts, http: &http.Client{Transport: transport}}
}

func setDefault[T time.Duration | int64](v *T, otherwise T) {
	if *v == 0 {
		*v = otherwise
	}
}

// Fetch asks for a batch and writes the payload to w as it came, before anybody looks into it. After the last batch it writes
// the source's word on that and reports Finished. On an error what w holds is worthless. Errors: Unavailable if trying again
// may help, Invalid if the answer or the address is wrong.
func (c *Client) Fetch(ctx context.Context, req Request, w io.Writer) (Answer, error) {
	ex, err := c.get(ctx, PathData, req)
	if err != nil {
		return Answer{}, err
	}
	defer ex.close()
	if ex.status != http.StatusOK {
		return ex.refused(w)
	}
	body := bufio.NewReaderSize(ex.body, 1<<16)
	if err := ex.looksLikeJSON(body); err != nil {
		return Answer{}, err
	}
	keep := &keeper{w: w}
	n, err := io.Copy(keep, io.LimitReader(body, c.opts.MaxBytes+1))
	switch {
	case keep.err != nil:
		return Answer{}, fmt.Errorf("keep the answer of %s: %w", ex.url, keep.err)
	case err != nil:
		return Answer{}, ex.broken(n, err)
	}
	if n > c.opts.MaxBytes {
		return Answer{}, apperror.New(apperror.Invalid, "the data API at %s sends more than %d bytes in one batch; ask it for smaller batches", ex.url, c.opts.MaxBytes)
	}
	return Answer{Bytes: n}, nil
}

// Restart asks the source to hand out everything again from its first batch.
func (c *Client) Restart(ctx context.Context, req Request) error {
	ex, err := c.get(ctx, PathRestart, req)
	if err != nil {
		return err
	}
	defer ex.close()
	if ex.status != http.StatusOK {
		_, err := ex.refused(io.Discard)
		return err
	}
	body := bufio.NewReader(ex.body)
	if err := ex.looksLikeJSON(body); err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, io.LimitReader(body, maxDetail))
	if err != nil {
		return ex.broken(n, err)
	}
	return nil
}

func (c *Client) address(path string, req Request) (*url.URL, error) {
	if strings.TrimSpace(c.base) == "" {
		return nil, apperror.New(apperror.Invalid, "no data API is configured; set --source.uri, for example http://127.0.0.1:8090")
	}
	u, err := url.Parse(c.base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, apperror.New(apperror.Invalid, "%q is not the address of a data API; set --source.uri, for example http://127.0.0.1:8090", redact.URL(c.base))
	}
	u = u.JoinPath(path)
	u.RawQuery = url.Values{"group_number": {strconv.Itoa(req.GroupNumber)}, "day": {req.Day}}.Encode()
	return u, nil
}

// exchange is one answer under way. Its body ends with an error when it stalls.
type exchange struct {
	url    string // without password
	status int
	body   io.Reader
	close  func()
	parent context.Context // tells the caller's end from our own
	ctx    context.Context // carries the cause of our own
}

var errStalled = errors.New("it sent nothing, or next to nothing, for too long")

func (c *Client) get(ctx context.Context, path string, req Request) (*exchange, error) {
	u, err := c.address(path, req)
	if err != nil {
		return nil, err
	}
	own, cancel := context.WithCancelCause(ctx)
	r, err := http.NewRequestWithContext(own, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel(nil)
		return nil, apperror.Wrap(apperror.Invalid, err, "no request to %s can be made", u.Redacted())
	}
	r.Header.Set("Accept", "application/json")
	if req.IdempotencyKey != "" {
		r.Header.Set(HeaderIdempotencyKey, req.IdempotencyKey)
	}
	ex := &exchange{url: u.Redacted(), parent: ctx, ctx: own}
	resp, err := c.http.Do(r) //nolint:bodyclose // exchange.close does
	if err != nil {
		defer cancel(nil)
		return nil, ex.unreachable(err)
	}
	watched := watch(resp.Body, c.opts.StallTimeout, func() { cancel(errStalled) })
	ex.status, ex.body = resp.StatusCode, watched
	ex.close = func() {
		watched.timer.Stop()
		_ = resp.Body.Close() // the payload is read or given up by now
		cancel(nil)
	}
	return ex, nil
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
	return n, err //nolint:wrapcheck // it is the reader's own
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

// refused reads an answer that is not 200: the end of the data, which it copies to w, or an error.
func (ex *exchange) refused(w io.Writer) (Answer, error) {
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
