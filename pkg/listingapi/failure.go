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
	return apperror.New(apperror.Unavailable, "the data API at %s cannot be reached: %s; check that it runs and that --source.uri is right", ex.url, causeOf(err))
}

// broken turns an error of reading the answer, after n bytes, into a sentence.
func (ex *exchange) broken(n int64, err error) error {
	switch {
	case ex.parent.Err() != nil:
		return ex.parent.Err()
	case errors.Is(context.Cause(ex.ctx), errStalled):
		return apperror.New(apperror.Unavailable, "the data API at %s stopped in the middle of its answer, after %d bytes: %v", ex.url, n, errStalled)
	}
	return apperror.New(apperror.Unavailable, "the data API at %s broke its answer off after %d bytes: %s", ex.url, n, causeOf(err))
}

// keeper tells the errors of the writer from those of the answer.
type keeper struct {
	w   io.Writer
	err error
}

func (k *keeper) Write(p []byte) (int, error) {
	n, err := k.w.Write(p)
	if err != nil {
		k.err = err
	}
	return n, err
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
