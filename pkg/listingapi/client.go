package listingapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"tasador/pkg/apperror"
	"tasador/pkg/outgoing"
)

// The limits that Options default to.
const (
	DefaultConnectTimeout = 10 * time.Second
	DefaultHeaderTimeout  = 2 * time.Minute
	DefaultStallTimeout   = time.Minute
	DefaultMaxBytes       = 2 << 30
	DefaultRetryDelay     = time.Second
)

// Options limit what the client waits for and accepts; zero means the default.
type Options struct {
	ConnectTimeout time.Duration // for the connection
	HeaderTimeout  time.Duration // from the request to the first byte of the answer
	StallTimeout   time.Duration // for each further KiB of the payload
	Timeout        time.Duration // for a whole answer; by default any time
	MaxBytes       int64         // of one payload, unpacked
	Retries        int           // how often a request that failed for now is made again
	RetryDelay     time.Duration // before the first of them; doubled each time, unless the source says when to come back
	Rate           float64       // most requests per second; by default any number
	Headers        http.Header   // of every request (see ParseHeaders)
	Exact          bool          // the address is that of the listings as it is; the source cannot start over
	Log            *slog.Logger  // of what is tried again; by default none
	Outgoing       outgoing.Options
}

// Client asks one data API.
type Client struct {
	base  string
	opts  Options
	http  *http.Client
	limit *rate.Limiter
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
	setDefault(&opts.RetryDelay, DefaultRetryDelay)
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{base: baseURI, opts: opts, limit: rate.NewLimiter(rate.Inf, 1)}
	if opts.Rate > 0 {
		c.limit.SetLimit(rate.Limit(opts.Rate))
	}
	c.http = opts.Outgoing.Client(baseURI, &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: opts.ConnectTimeout}).DialContext,
		TLSHandshakeTimeout:   opts.ConnectTimeout,
		ResponseHeaderTimeout: opts.HeaderTimeout,
		DisableKeepAlives:     true, // batches are far apart, and a stale connection would only cost a retry
		DisableCompression:    true, // it is unpacked here, within limits
	})
	c.http.CheckRedirect = c.redirect
	return c
}

func setDefault[T time.Duration | int64](v *T, otherwise T) {
	if *v == 0 {
		*v = otherwise
	}
}

// Fetch asks for a batch and writes the payload to w, unpacked but else as it came, before anybody looks into it. After the last batch
// it writes the source's word on that and reports Finished. On an error what w holds is worthless. An answer that broke off is asked
// for again only if w can be emptied, as a file can. Errors: Unavailable if trying again may help, Invalid if the answer or the
// address is wrong.
func (c *Client) Fetch(ctx context.Context, req Request, w io.Writer) (answer Answer, err error) {
	sink := &sink{w: w}
	err = c.try(ctx, PathData, req, sink.empty, func(ex *exchange) error {
		answer, err = c.receive(ex, sink)
		return err
	})
	if err != nil {
		return Answer{}, err
	}
	return answer, nil
}

func (c *Client) receive(ex *exchange, sink *sink) (Answer, error) {
	if ex.status != http.StatusOK {
		return ex.refused(sink)
	}
	body := bufio.NewReaderSize(ex.body, 1<<16)
	if err := ex.looksLikeJSON(body); err != nil {
		return Answer{}, err
	}
	n, err := io.Copy(sink, io.LimitReader(body, c.opts.MaxBytes+1))
	switch {
	case sink.err != nil:
		return Answer{}, fmt.Errorf("keep the answer of %s: %w", ex.url, sink.err)
	case err != nil:
		return Answer{}, ex.broken(n, err)
	}
	if n > c.opts.MaxBytes {
		return Answer{}, apperror.New(apperror.Invalid, "the data API at %s sends more than %d bytes in one batch; ask it for smaller batches", ex.url, c.opts.MaxBytes)
	}
	return Answer{Bytes: n}, nil
}

// Restart asks the source to hand out everything again from its first batch. One whose address is exact is not asked: it has no place
// for that.
func (c *Client) Restart(ctx context.Context, req Request) error {
	if c.opts.Exact {
		return nil
	}
	return c.try(ctx, PathRestart, req, nothing, func(ex *exchange) error {
		if ex.status != http.StatusOK {
			_, err := ex.refused(&sink{w: io.Discard})
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
	})
}

func nothing() error { return nil }
