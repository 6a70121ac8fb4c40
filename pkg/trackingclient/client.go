// Package trackingclient speaks MLflow's REST API, to tasador's tracking role or to a stock MLflow server. It is an experiment.Store
// and a registry.Store, and moves artifacts through the server's artifact proxy, or past it where the server leaves them to its clients on S3.
package trackingclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact/s3store"
	"tasador/pkg/experiment"
	"tasador/pkg/mlflowapi"
	"tasador/pkg/outgoing"
	"tasador/pkg/redact"
	"tasador/pkg/registry"
)

// Options tune a Client; the zero value has working defaults.
type Options struct {
	Tries   int           // how often a call is tried in all; 0 means 5
	Backoff time.Duration // wait after the first failed try, doubled each time; 0 means 200 ms
	Timeout time.Duration // for one try of a call that moves no artifact; 0 means 60 s
	HTTP    *http.Client  // nil means a client of its own, which is made of Outgoing
	Log     *slog.Logger  // nil means no log

	// Outgoing is whom the client trusts, and how it says who it is; the zero value says nothing.
	Outgoing outgoing.Options

	// S3Endpoint is the server of artifacts that the tracking server leaves to its clients (s3:); empty means AWS, or what AWS_ENDPOINT_URL names.
	S3Endpoint string
}

// Client calls one tracking server. It is safe for concurrent use.
type Client struct {
	base    *url.URL
	baseErr error // why base cannot be used; every call returns it
	opt     Options

	mu      sync.Mutex
	proxied string                    // root that the server's artifact proxy also serves
	asked   time.Time                 // when it said so
	buckets map[string]*s3store.Store // of artifacts that go past the server
}

var (
	_ experiment.Store = (*Client)(nil)
	_ registry.Store   = (*Client)(nil)
)

const maxBackoff = 5 * time.Second

// maxAnswer bounds what is read of an answer that is not an artifact.
const maxAnswer = 256 << 20

// New returns a client for the server at baseURI, such as http://127.0.0.1:5000. An address that is not understood is reported by
// every call.
func New(baseURI string, opt Options) *Client {
	if opt.Tries <= 0 {
		opt.Tries = 5
	}
	if opt.Backoff <= 0 {
		opt.Backoff = 200 * time.Millisecond
	}
	if opt.Timeout <= 0 {
		opt.Timeout = time.Minute
	}
	if opt.HTTP == nil {
		opt.HTTP = opt.Outgoing.Client(baseURI, newTransport())
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{opt: opt}
	c.base, c.baseErr = parseBase(baseURI)
	return c
}

// Close gives back the connections that are not in use. The client works on after it.
func (c *Client) Close() { c.opt.HTTP.CloseIdleConnections() }

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       time.Minute,
		ResponseHeaderTimeout: 2 * time.Minute,
	}
}

func parseBase(baseURI string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(baseURI, "/"))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, apperror.New(apperror.Invalid,
			"the tracking address %q is not understood; write it as http://host:port", redact.URL(baseURI))
	}
	return u, nil
}

// call is one request. Retry says when it may be sent again although the server may have done it already: always for a call that
// changes nothing the second time, never for one that makes something new.
type call struct {
	method string
	path   string // below /api/2.0/mlflow/, with escaped segments
	query  url.Values
	body   any
	once   bool // makes something new: repeat only if it surely was not done
}

func get(path string, query url.Values) call {
	return call{method: http.MethodGet, path: path, query: query}
}
func post(path string, body any) call         { return call{method: http.MethodPost, path: path, body: body} }
func send(method, path string, body any) call { return call{method: method, path: path, body: body} }
func create(path string, body any) call {
	return call{method: http.MethodPost, path: path, body: body, once: true}
}
func values(pairs ...string) (q url.Values) {
	q = url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		q.Set(pair[0], pair[1])
	}
	return q
}

// do makes a call and decodes its answer into out, which may be nil.
func (c *Client) do(ctx context.Context, what call, out any) error {
	if c.baseErr != nil {
		return c.baseErr
	}
	return c.ask(ctx, what, c.base.JoinPath(mlflowapi.Prefix, "mlflow", what.path), out)
}

// ask is do at another address.
func (c *Client) ask(ctx context.Context, what call, target *url.URL, out any) error {
	var body []byte
	if what.body != nil {
		var err error
		if body, err = json.Marshal(what.body); err != nil {
			return fmt.Errorf("encode a tracking request: %w", err)
		}
	}
	target.RawQuery = what.query.Encode()
	return c.retry(ctx, what.once, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, what.method, target.String(), bytes.NewReader(body))
		if err != nil {
			return fmt.Errorf("make a tracking request: %w", err)
		}
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		answer, err := c.send(req)
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		return c.decode(answer, out)
	})
}

func (c *Client) decode(answer *http.Response, out any) error {
	if out == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // so that the connection is used again
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(out); err != nil {
		return &failure{err: apperror.Wrap(apperror.Unavailable, err,
			"the tracking server %s sent an answer that is not MLflow's JSON; check the address", c.base.Redacted())}
	}
	return nil
}

// failure is an error with what the retry loop needs to know.
type failure struct {
	err       error
	temporary bool          // trying again may help
	undone    bool          // the server surely did not do it
	after     time.Duration // what the server asks to wait
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// send sends a request once and turns everything but a success into a failure with a code.
func (c *Client) send(req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", "tasador") // so that audit trails tell it from other Go programs
	answer, err := c.opt.HTTP.Do(req)
	if err != nil {
		var dial *net.OpError
		return nil, &failure{
			err: apperror.Wrap(apperror.Unavailable, err,
				"the tracking server %s cannot be reached; check that it runs and that the address is right", c.base.Redacted()),
			temporary: true,
			undone:    errors.As(err, &dial) && dial.Op == "dial",
		}
	}
	if answer.StatusCode/100 == 2 {
		return answer, nil
	}
	defer func() { _ = answer.Body.Close() }()
	return nil, c.refusal(answer)
}

// refusal is the one place where the server's errors become ours.
func (c *Client) refusal(answer *http.Response) *failure {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10)) // what can be read of it explains the refusal
	var e mlflowapi.Error
	_ = json.Unmarshal(text, &e) // what is not MLflow's JSON has no message
	code := mlflowapi.AppCode(answer.StatusCode, e.Code)
	var f *failure
	switch {
	case answer.StatusCode >= http.StatusInternalServerError && e.Message == apperror.MessageOf(nil): // our own tracking, whose log says more
		f = &failure{err: apperror.New(code, "the tracking server %s failed; its log has the details", c.base.Redacted())}
	case answer.StatusCode == http.StatusUnauthorized:
		f = &failure{err: apperror.New(apperror.PermissionDenied, "the tracking server %s does not know who asks; give a token that tasador token create "+
			"makes there with --auth.token-file, or set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD", c.base.Redacted())}
	case answer.StatusCode == http.StatusForbidden && e.Message == "":
		f = &failure{err: apperror.New(apperror.PermissionDenied, "the tracking server %s forbids it to whom it takes us for; give the token of a user who may with --auth.token-file, "+
			"which tasador token create makes there", c.base.Redacted())}
	case e.Message != "":
		f = &failure{err: apperror.New(code, "%s", e.Message)}
	case code == apperror.FailedPrecondition && e.Code == "":
		f = &failure{err: apperror.New(code, "the tracking server %s answered %s; check that the address is that of a tracking server", c.base.Redacted(), answer.Status)}
	default:
		f = &failure{err: apperror.New(code, "the tracking server %s answered %s", c.base.Redacted(), answer.Status)}
	}
	if code == apperror.FailedPrecondition && (answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusMethodNotAllowed) {
		f.err = &noEndpoint{f.err}
	}
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		f.temporary, f.undone = true, true
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		f.temporary = true
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		f.after = min(time.Duration(seconds)*time.Second, 30*time.Second)
	}
	return f
}

// retry runs try until it succeeds, fails for good, was tried often enough, or ctx ends. With once it repeats only what the
// server surely did not do.
func (c *Client) retry(ctx context.Context, once bool, try func(context.Context) error) error {
	wait := c.opt.Backoff
	for n := 1; ; n++ {
		err := try(ctx)
		var f *failure
		if err == nil || !errors.As(err, &f) {
			return err
		}
		if !f.temporary || (once && !f.undone) || n >= c.opt.Tries || ctx.Err() != nil {
			return f.err
		}
		pause := max(f.after, wait/2+rand.N(wait/2+1)) //nolint:gosec // jitter needs no secrecy
		c.opt.Log.WarnContext(ctx, "tracking call failed, trying again", "try", n, "wait", pause, "error", f.err)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(f.err, ctx.Err())
		case <-timer.C:
		}
		wait = min(2*wait, maxBackoff)
	}
}
