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
	watchTime   = time.Second      // after which a body that is not whole gets that limit as a deadline
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
		body := &timedBody{ReadCloser: http.MaxBytesReader(c.Response(), req.Body, limit), writer: c.Response(), all: &s.bodies}
		s.bodies.add(body)
		defer s.bodies.forget(body)
		req.Body = body
		return r.Handler(c)
	}
}

// brokenBody tells a client that breaks off from a fault of ours.
type brokenBody struct{ io.ReadCloser }

// Read implements io.Reader.
func (b brokenBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	return n, brokenOff(err)
}

func brokenOff(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return apperror.Wrap(apperror.Invalid, err, "the request body broke off, came too slowly or is malformed; send it again as a whole")
}

// timedBody must arrive within a time, so that slow senders neither pile up nor hold up the stop. Most bodies are there with their header, so that no deadline is
// set for them: one is for those that are missing after a while.
type timedBody struct {
	io.ReadCloser
	writer http.ResponseWriter
	all    *bodies
	begun  time.Time

	ended bool // it is whole; of whoever reads
	dated bool // a deadline is set; guarded by all
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.ended = true
		b.all.forget(b)
	}
	return n, brokenOff(err)
}

// bodies are those under way.
type bodies struct {
	mu       sync.Mutex
	stopping bool
	open     map[*timedBody]struct{}
}

func (b *bodies) add(body *timedBody) {
	body.begun = time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = map[*timedBody]struct{}{}
	}
	b.open[body] = struct{}{}
	if b.stopping {
		body.deadline(body.begun.Add(hurryTime))
	}
}

// forget ends the watch over a body: it is whole, or its handler has left it to the server.
func (b *bodies) forget(body *timedBody) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, open := b.open[body]; !open {
		return
	}
	delete(b.open, body)
	switch {
	case body.ended && body.dated:
		// From here on the server only watches whether the client stays, for as long as the answer takes.
		body.deadline(time.Time{})
	case !body.ended && !body.dated:
		body.deadline(body.begun.Add(bodyTimeout)) // what the server reads of it has no more time either
	}
}

// deadline bounds the reads of a body. all.mu must be held.
func (b *timedBody) deadline(at time.Time) {
	b.dated = true
	_ = http.NewResponseController(b.writer).SetReadDeadline(at) // a connection that cannot be set is broken, which the answer shows
}

// watch sets a deadline for the bodies that are not whole after a while, until done.
func (b *bodies) watch(done <-chan struct{}) {
	look := time.NewTicker(watchTime)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			b.hasten()
		case <-done:
			return
		}
	}
}

func (b *bodies) hasten() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for body := range b.open {
		if !body.dated && time.Since(body.begun) > watchTime {
			body.deadline(body.begun.Add(bodyTimeout))
		}
	}
}

// hurry gives the bodies that are under way, and those that follow, little time to arrive.
func (b *bodies) hurry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopping = true
	for body := range b.open {
		body.deadline(time.Now().Add(hurryTime))
	}
}
