package datasetstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"tasador/pkg/property"
)

// copyReader takes what COPY … TO STDOUT (FORMAT binary) sends, and calls each with every row.
type copyReader struct {
	kinds   []kind
	values  *values
	each    func(*values) error
	left    []byte // what came of a row that is not whole yet
	started bool   // the header is read
	err     error  // why the reading was broken off
}

func newCopyReader(kinds []kind, each func(*values) error) *copyReader {
	return &copyReader{kinds: kinds, values: newValues(len(kinds)), each: each}
}

var errCopyFormat = errors.New("the server's COPY is not in the binary format")

// Write implements io.Writer. The driver calls it with one message after the other, mostly a row each.
func (r *copyReader) Write(p []byte) (int, error) {
	b := p
	if len(r.left) > 0 {
		r.left = append(r.left, p...)
		b = r.left
	}
	used, err := r.read(b)
	if err != nil {
		r.err = err
		return 0, err
	}
	r.left = append(r.left[:0], b[used:]...)
	return len(p), nil
}

// read takes what is whole of b and returns how many bytes that was.
func (r *copyReader) read(b []byte) (used int, err error) {
	if !r.started {
		if len(b) < len(copyHeader) {
			return 0, nil
		}
		if string(b[:11]) != copyHeader[:11] {
			return 0, errCopyFormat
		}
		used = len(copyHeader) + int(binary.BigEndian.Uint32(b[15:19]))
		r.started = true
	}
	for used <= len(b) {
		n, err := r.row(b[used:])
		if err != nil || n == 0 {
			return used, err
		}
		used += n
	}
	return used, nil
}

// row reads one row and returns its length, 0 if it is not whole.
func (r *copyReader) row(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, nil
	}
	fields := int16(binary.BigEndian.Uint16(b)) // #nosec G115 -- -1 is the trailer
	if fields == -1 {
		return 2, nil
	}
	if int(fields) != len(r.kinds) {
		return 0, fmt.Errorf("%w: a row has %d values instead of %d", errCopyFormat, fields, len(r.kinds))
	}
	at := 2
	for i := range r.kinds {
		if len(b) < at+4 {
			return 0, nil
		}
		n := int(int32(binary.BigEndian.Uint32(b[at:]))) // #nosec G115 -- -1 is NULL
		at += 4
		if n < 0 {
			r.null(i)
			continue
		}
		if len(b) < at+n {
			return 0, nil
		}
		if err := r.value(i, b[at:at+n]); err != nil {
			return 0, err
		}
		at += n
	}
	return at, r.each(r.values)
}

func (r *copyReader) null(i int) {
	r.values.integers[i], r.values.numbers[i], r.values.texts[i] = 0, property.Null(), property.Text{}
}

func (r *copyReader) value(i int, b []byte) error {
	switch {
	case r.kinds[i] == text:
		r.values.texts[i] = r.values.textOf(b)
	case len(b) != 8:
		return fmt.Errorf("%w: a number has %d bytes", errCopyFormat, len(b))
	case r.kinds[i] == number:
		r.values.numbers[i] = math.Float64frombits(binary.BigEndian.Uint64(b))
	default:
		r.values.integers[i] = int64(binary.BigEndian.Uint64(b)) // #nosec G115 -- two's complement
	}
	return nil
}
