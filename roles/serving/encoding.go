package serving

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
)

// Content codings (RFC 9110, 8.4) that bodies may have.
const (
	codingGzip  = "gzip"
	codingXGzip = "x-gzip" // the same, says the RFC
	codingNone  = "identity"
)

// unpackedOnly lets a handler have only bodies that nothing is done to: a packed one would be read as what it is not, or, if it were unpacked, be as long as its
// sender likes.
func unpackedOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if coding := codingOf(c.Request().Header); coding != "" {
			return refuseCoding(c, codingNone, apperror.New(apperror.Invalid,
				"the body has the Content-Encoding %s, which is not taken here; send it as it is, or as a file to %s, which takes gzip", shortened(coding), batchPath))
		}
		return next(c)
	}
}

// codingOf is the Content-Encoding of a request in small letters; empty for a body that nothing is done to.
func codingOf(h http.Header) string {
	if len(h[echo.HeaderContentEncoding]) == 0 {
		return ""
	}
	coding := strings.ToLower(strings.TrimSpace(strings.Join(h.Values(echo.HeaderContentEncoding), ", ")))
	if coding == codingNone {
		return ""
	}
	return coding
}

// refuseCoding refuses a Content-Encoding, and says as RFC 9110 (15.5.16) wants it which is taken.
func refuseCoding(c echo.Context, taken string, err error) error {
	c.Response().Header().Set(echo.HeaderAcceptEncoding, taken)
	return &statusError{http.StatusUnsupportedMediaType, err}
}

func isGzip(coding string) bool { return coding == codingGzip || coding == codingXGzip }

// A gzip body may unpack to freelyUnpacked bytes, and beyond that to mostUnpacked times its own length: listings pack to a tenth, a file of one row again and again to
// a thousandth. What is longer keeps the server busy for next to nothing.
const (
	freelyUnpacked = 1 << 30
	mostUnpacked   = 100
)

// unpacked is the body as it was before a client packed it.
func unpacked(c echo.Context, body io.Reader) io.Reader {
	if !isGzip(codingOf(c.Request().Header)) {
		return body
	}
	return &gunzip{from: &counted{from: body}, free: freelyUnpacked}
}

// gunzip opens the stream at its first use, because that already reads.
type gunzip struct {
	from *counted
	open *gzip.Reader
	free int64 // bytes that it may unpack to however short it is
	n    int64 // unpacked
}

// Read implements io.Reader.
func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.open == nil {
		if g.open, err = gzip.NewReader(g.from); err != nil {
			return 0, notGzip(err)
		}
	}
	if g.n > g.free && g.n/mostUnpacked > g.from.n {
		return 0, apperror.New(apperror.Invalid, "the gzip body unpacks to more than %s times its length; send such a file unpacked, or in parts", strconv.Itoa(mostUnpacked))
	}
	n, err = g.open.Read(p)
	g.n += int64(n)
	return n, notGzip(err)
}

// counted counts what is read.
type counted struct {
	from io.Reader
	n    int64
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}

func notGzip(err error) error {
	if err == nil || errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || apperror.CodeOf(err) != apperror.Internal {
		return err
	}
	return apperror.Wrap(apperror.Invalid, err, "the body is not gzip, as its Content-Encoding says, or it breaks off")
}
