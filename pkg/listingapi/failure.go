package listingapi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"syscall"

	"tasador/pkg/apperror"
)

// unreachable turns an error from before the first byte of an answer into a sentence.
func (ex *exchange) unreachable(err error) error {
	if ex.parent.Err() != nil {
		return ex.parent.Err()
	}
	if errors.Is(context.Cause(ex.ctx), errTooSlow) {
		return apperror.Wrap(apperror.Unavailable, errTooSlow, "the data API at %s did not answer in time", ex.url)
	}
	return apperror.New(apperror.Unavailable, "the data API at %s cannot be reached: %s; check that it runs and that --source.uri is right", ex.url, causeOf(err))
}

// broken turns an error of reading the answer, after n bytes, into a sentence.
func (ex *exchange) broken(n int64, err error) error {
	switch {
	case ex.parent.Err() != nil:
		return ex.parent.Err()
	case errors.Is(err, errDamaged), errors.Is(err, errBomb):
		return apperror.New(apperror.Invalid, "the data API at %s sent what cannot be used: after %d bytes %v", ex.url, n, err)
	case errors.Is(context.Cause(ex.ctx), errTooSlow):
		return apperror.Wrap(apperror.Unavailable, errTooSlow, "the data API at %s was given up in the middle of its answer, after %d bytes", ex.url, n)
	case errors.Is(context.Cause(ex.ctx), errStalled):
		return apperror.New(apperror.Unavailable, "the data API at %s stopped in the middle of its answer, after %d bytes: %v", ex.url, n, errStalled)
	}
	return apperror.New(apperror.Unavailable, "the data API at %s broke its answer off after %d bytes: %s", ex.url, n, causeOf(err))
}

// sink tells the errors of the writer from those of the answer.
type sink struct {
	w       io.Writer
	written int64
	err     error
}

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.written += int64(n)
	if err != nil {
		s.err = err
	}
	return n, err
}

// emptied is what can take a payload from its start once more.
type emptied interface {
	io.Seeker
	Truncate(size int64) error
}

var errCannotEmpty = errors.New("what was written cannot be taken back")

// empty takes back what was written.
func (s *sink) empty() error {
	if s.written == 0 {
		return nil
	}
	w, ok := s.w.(emptied)
	if !ok {
		return errCannotEmpty
	}
	if err := w.Truncate(0); err != nil {
		return err
	}
	_, err := w.Seek(0, io.SeekStart)
	s.written = 0
	return err
}

// causeOf says in a few words why a connection failed.
func causeOf(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return "the name " + dns.Name + " is not known"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the connection was closed"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "it did not answer in time"
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err.Error()
	}
	return err.Error()
}
