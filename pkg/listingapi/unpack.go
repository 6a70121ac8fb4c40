package listingapi

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"

	"tasador/pkg/apperror"
)

// A payload that is much larger than what came over the network is no payload of listings, which shrink to a tenth or so.
const (
	maxGrowth  = 200
	freeGrowth = 64 << 20 // bytes below which nothing is judged
)

var (
	errDamaged = errors.New("its gzip data is damaged")
	errBomb    = errors.New("its gzip data grows more than 200-fold when it is unpacked, which listings do not")
)

// gzipMagic begins everything that gzip has packed, and no JSON.
var gzipMagic = []byte{0x1f, 0x8b}

// unpack undoes the encoding of an answer, and the packing of a file of gzip that is handed out as it is.
func (ex *exchange) unpack(body io.Reader, encoding string) (io.Reader, error) {
	came := &counted{r: body}
	var out io.Reader = came
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
	case "gzip", "x-gzip":
		out = &gunzip{source: out, came: came}
	default:
		return nil, apperror.New(apperror.Invalid, "the data API at %s answered in the encoding %q; only gzip and none are understood", ex.url, shorten(encoding, 40))
	}
	return &perhapsPacked{source: bufio.NewReaderSize(out, 1<<16), came: came}, nil
}

// counted counts the bytes that came over the network, and remembers how they ended.
type counted struct {
	r   io.Reader
	n   int64
	err error
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// perhapsPacked looks at the first bytes once they are asked for, so that nothing waits for them before.
type perhapsPacked struct {
	source *bufio.Reader
	came   *counted
	out    io.Reader
}

// Read implements io.Reader.
func (p *perhapsPacked) Read(b []byte) (int, error) {
	if p.out == nil {
		p.out = p.source
		if start, _ := p.source.Peek(len(gzipMagic)); bytes.Equal(start, gzipMagic) { // an error comes again
			p.out = &gunzip{source: p.source, came: p.came}
		}
	}
	return p.out.Read(b)
}

// gunzip unpacks what it reads, within limits. Nothing at all is nothing unpacked.
type gunzip struct {
	source io.Reader
	came   *counted
	z      *gzip.Reader
	n      int64
}

// Read implements io.Reader.
func (g *gunzip) Read(p []byte) (int, error) {
	if g.z == nil {
		z, err := gzip.NewReader(g.source)
		if errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, g.explain(err)
		}
		g.z = z
	}
	n, err := g.z.Read(p)
	if g.n += int64(n); g.n > freeGrowth && g.n/maxGrowth > g.came.n {
		return 0, errBomb
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = g.explain(err)
	}
	return n, err
}

// explain tells damage from a connection that broke.
func (g *gunzip) explain(err error) error {
	switch {
	case g.came.err != nil:
		return g.came.err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errBomb), errors.Is(err, errDamaged):
		return err
	}
	return errDamaged
}
