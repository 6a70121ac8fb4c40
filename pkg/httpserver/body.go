package httpserver

import (
	"errors"
	"io"
	"net/http"
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
		if req.ContentLength < 0 { // nobody knows
			req.Body = http.MaxBytesReader(c.Response(), req.Body, limit)
		}
		conn := connOf(req.Context())
		if conn == nil {
			req.Body = brokenBody{req.Body}
			return r.Handler(c)
		}
		conn.begin()
		defer conn.leave()
		req.Body = &timedBody{ReadCloser: req.Body, conn: conn}
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

// timedBody must arrive within a time, so that slow senders neither pile up nor hold up the stop.
type timedBody struct {
	io.ReadCloser
	conn  *conn
	ended bool // it is whole
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && !b.ended { // as it is, says io.Reader
		b.ended = true
		b.conn.end()
	}
	return n, brokenOff(err)
}
