package datasetstore

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/property"
)

// rawRow is a row of realtor_raw.
type rawRow struct {
	id        int64
	listing   property.Listing
	fetchedAt string
}

// The files of a shuffle: each takes minSpillRows neighbouring positions, or more where that would need over maxSpillFiles.
const (
	minSpillRows  = 32_768
	maxSpillFiles = 256
	spillBuffer   = 32 << 10
)

// spill sorts rows by position through files: rows come in any order, each goes to the file of its position, and every file is
// small enough to be put in order in memory.
type spill struct {
	dir     string
	total   int
	perFile int
	files   []*os.File
	writers []*bufio.Writer
	scratch []byte
}

// newSpill makes the files for total rows in a new folder below dir.
func newSpill(dir string, total int) (*spill, error) {
	s := &spill{total: total, perFile: max(minSpillRows, (total+maxSpillFiles-1)/maxSpillFiles)}
	err := os.MkdirAll(dir, 0o750)
	if err == nil {
		s.dir, err = os.MkdirTemp(dir, "split-")
	}
	for i := 0; err == nil && i < s.count(); i++ {
		var f *os.File
		if f, err = os.Create(filepath.Join(s.dir, fmt.Sprint(i))); err == nil {
			s.files = append(s.files, f)
			s.writers = append(s.writers, bufio.NewWriterSize(f, spillBuffer))
		}
	}
	if err != nil {
		s.remove()
		return nil, apperror.Wrap(apperror.Unavailable, err, "cannot write to the folder %s; check that it is writable and has space", dir)
	}
	return s, nil
}

func (s *spill) count() int { return (s.total + s.perFile - 1) / s.perFile }

// remove deletes the files.
func (s *spill) remove() {
	for _, f := range s.files {
		_ = f.Close() // it is deleted
	}
	_ = os.RemoveAll(s.dir) // Open empties the folder above again
}

// put keeps a row for its position.
func (s *spill) put(position uint32, r *rawRow) error {
	b := binary.LittleEndian.AppendUint32(s.scratch[:0], position)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.id)) // #nosec G115 -- read back by the same conversion
	for _, c := range listingColumns {
		if c.Number != nil {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(*c.Number(&r.listing)))
		} else {
			b = appendText(b, *c.Text(&r.listing))
		}
	}
	s.scratch = appendText(b, property.NewText(r.fetchedAt))
	if _, err := s.writers[int(position)/s.perFile].Write(s.scratch); err != nil {
		return s.failed(err)
	}
	return nil
}

// appendText writes a text as its length plus one and its bytes; a missing one as length zero.
func appendText(b []byte, t property.Text) []byte {
	if !t.Valid {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(t.Value))+1), t.Value...)
}

func (s *spill) failed(err error) error {
	return apperror.Wrap(apperror.Unavailable, err, "the temporary files in %s fail; check that the disk has space", s.dir)
}

// spillCursor reads all files in order.
type spillCursor struct {
	of       *spill
	position int // of the next row
	file     int // the next one
	rows     []rawRow
	at       int
}

func (s *spill) cursor() *spillCursor { return &spillCursor{of: s} }

// row returns the next row, which holds until the next call.
func (c *spillCursor) row() (*rawRow, error) {
	if c.at == len(c.rows) {
		rows, err := c.of.rows(c.file, c.rows)
		if err != nil {
			return nil, err
		}
		c.rows, c.at = rows, 0
		c.file++
	}
	r := &c.rows[c.at]
	c.at++
	c.position++
	return r, nil
}

// rows returns the rows of file i in the order of their positions, which begin at i*perFile; they overwrite those of into, if there is
// room. A file is read once.
func (s *spill) rows(i int, into []rawRow) ([]rawRow, error) {
	content, err := s.content(i)
	if err != nil {
		return nil, s.failed(err)
	}
	first := i * s.perFile
	out := slices.Grow(into[:0], s.perFile)[:min(s.perFile, s.total-first)]
	r := spillReader{left: content}
	for range out {
		position := int(r.uint32()) - first
		if r.err == nil && (position < 0 || position >= len(out)) {
			r.err = fmt.Errorf("position %d is out of range", position)
		}
		if r.err != nil {
			return nil, s.failed(r.err)
		}
		r.row(&out[position])
	}
	if r.err != nil {
		return nil, s.failed(r.err)
	}
	return out, nil
}

// content returns what is in file i and gives its space back to the disk.
func (s *spill) content(i int) (string, error) {
	if err := s.writers[i].Flush(); err != nil {
		return "", err
	}
	size, err := s.files[i].Seek(0, io.SeekCurrent)
	if err != nil {
		return "", err
	}
	var b strings.Builder // its memory becomes the string, of which the texts of the rows are parts
	b.Grow(int(size))
	if _, err := io.Copy(&b, io.NewSectionReader(s.files[i], 0, size)); err != nil {
		return "", err
	}
	return b.String(), s.files[i].Truncate(0)
}

// spillReader reads what put wrote; the first error stays.
type spillReader struct {
	left string
	err  error
}

var errSpillShort = errors.New("a temporary file is shorter than what was written")

// take returns the next n bytes; so many zeros after an error.
func (r *spillReader) take(n int) string {
	if r.err == nil && (n < 0 || n > len(r.left)) {
		r.err = errSpillShort
	}
	if r.err != nil {
		return "\x00\x00\x00\x00\x00\x00\x00\x00"[:min(max(n, 0), 8)]
	}
	var out string
	out, r.left = r.left[:n], r.left[n:]
	return out
}

func (r *spillReader) uint32() uint32 {
	b := r.take(4)
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func (r *spillReader) uint64() uint64 { return uint64(r.uint32()) | uint64(r.uint32())<<32 }

// uvarint reads what binary.AppendUvarint wrote.
func (r *spillReader) uvarint() (v uint64) {
	for shift := 0; r.err == nil && shift < 64; shift += 7 {
		b := r.take(1)[0]
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			break
		}
	}
	return v
}

func (r *spillReader) row(to *rawRow) {
	to.id = int64(r.uint64()) // #nosec G115 -- written by the same conversion
	for _, c := range listingColumns {
		if c.Number != nil {
			*c.Number(&to.listing) = math.Float64frombits(r.uint64())
		} else {
			*c.Text(&to.listing) = r.text()
		}
	}
	to.fetchedAt = r.text().Value
}

func (r *spillReader) text() property.Text {
	n := r.uvarint()
	if r.err != nil || n == 0 {
		return property.Text{}
	}
	if n > math.MaxInt32 {
		r.err = errors.New("a text is too long")
		return property.Text{}
	}
	return property.NewText(r.take(int(n - 1)))
}
