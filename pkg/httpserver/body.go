package httpserver

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
)

const (
	bodyTimeout = 30 * time.Second // for the whole body, on routes that limit it
	hurryTime   = 2 * time.Second  // for what is missing of a body when the server stops
)

// limitBody bounds the length of the bodies of a route, and how long they may take, unless it streams.
func (s *Server) limitBody(r Route) echo.HandlerFunc {
	limit := r.BodyLimit
	if limit == 0 {
		limit = defaultBodyLimit
	}
	return func(c echo.Context) error {
		req := c.Request()
		if req.Body == nil || req.Body == http.NoBody {
			return r.Handler(c)
		}
		if limit == NoBodyLimit {
			req.Body = brokenBody{req.Body}
			return r.Handler(c)
		}
		if req.ContentLength > limit {
			return errTooLarge
		}
		// The deadline begins here, and so covers what the server reads of a body that the handler leaves.
		body := &timedBody{ReadCloser: http.MaxBytesReader(c.Response(), req.Body, limit), control: http.NewResponseController(c.Response()), all: &s.bodies}
		s.bodies.add(body)
		defer s.bodies.forget(body)
		req.Body = brokenBody{body}
		return r.Handler(c)
	}
}

// brokenBody tells a client that breaks off from a fault of ours.
type brokenBody struct{ io.ReadCloser }

// Read implements io.Reader.
func (b brokenBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, apperror.Wrap(apperror.Invalid, err, "the request body broke off, came too slowly or is malformed; send it again as a whole")
}

// timedBody must arrive before a deadline, so that slow senders neither pile up nor hold up the stop.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
	all     *bodies
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.all.forget(b)
		// From here on the server only watches whether the client stays, for as long as the answer takes.
		_ = b.control.SetReadDeadline(time.Time{}) // a connection that cannot be set is broken, which the answer shows
	}
	return n, err
}

// bodies are those under way.
type bodies struct {
	mu       sync.Mutex
	stopping bool
	open     map[*timedBody]struct{}
}

func (b *bodies) add(body *timedBody) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = map[*timedBody]struct{}{}
	}
	b.open[body] = struct{}{}
	limit := bodyTimeout
	if b.stopping {
		limit = hurryTime
	}
	_ = body.control.SetReadDeadline(time.Now().Add(limit)) // as above
}

func (b *bodies) forget(body *timedBody) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, body)
}

// hurry gives the bodies that are under way, and those that follow, little time to arrive.
func (b *bodies) hurry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopping = true
	for body := range b.open {
		_ = body.control.SetReadDeadline(time.Now().Add(hurryTime)) // as above
	}
}
