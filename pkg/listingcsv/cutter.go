package listingcsv

import (
	"bytes"
	"errors"
	"io"

	"tasador/pkg/apperror"
)

// cutter reads a file in order and cuts it where records end: at a line end that an even number of quotes stands before. It
// knows no more of CSV than that.
type cutter struct {
	source    io.Reader
	blockSize int
	maxRecord int
	carry     []byte // read, but behind the last cut
	ended     bool
}

// next returns the next block, of whole records, in buffer if it is large enough; io.EOF after the last. If a record is longer than
// maxRecord, or quotes do not pair, the block ends within a record, and parsing it finds out.
func (c *cutter) next(buffer []byte) ([]byte, error) {
	buffer = append(buffer[:0], c.carry...)
	c.carry = c.carry[:0]
	for {
		if c.ended {
			if len(buffer) == 0 {
				return nil, io.EOF
			}
			return buffer, nil
		}
		var err error
		if buffer, err = c.fill(buffer); err != nil {
			return nil, err
		}
		if c.ended {
			continue
		}
		cut := lastBoundary(buffer)
		if cut == 0 && len(buffer) <= c.maxRecord+1 {
			continue
		}
		if cut == 0 {
			cut = len(buffer)
		}
		c.carry = append(c.carry, buffer[cut:]...)
		return buffer[:cut], nil
	}
}

// fill reads until buffer has grown by a block or the file ends.
func (c *cutter) fill(buffer []byte) ([]byte, error) {
	from, to := len(buffer), len(buffer)+c.blockSize
	if cap(buffer) < to {
		grown := make([]byte, from, to+to/8)
		copy(grown, buffer)
		buffer = grown
	}
	n, err := io.ReadFull(c.source, buffer[from:to])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		c.ended, err = true, nil
	}
	if err != nil && apperror.CodeOf(err) != apperror.Internal {
		return nil, err // whoever reads the file knows better
	}
	if err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "the file cannot be read to its end")
	}
	return buffer[:from+n], nil
}

// lastBoundary returns the end of the last record that block, which begins with a record, holds whole; 0 if there is none.
func lastBoundary(block []byte) int {
	quotes := bytes.Count(block, quote)
	if quotes == 0 {
		return lastLineEnd(block, 0, len(block))
	}
	if quotes%2 == 0 {
		// The end of the block lies outside quotes, so going back, text between quotes is the second, fourth, … stretch.
		end := len(block)
		for {
			from := bytes.LastIndexByte(block[:end], '"')
			if cut := lastLineEnd(block, from+1, end); cut > 0 {
				return cut
			}
			if from < 0 {
				return 0
			}
			end = max(bytes.LastIndexByte(block[:from], '"'), 0)
		}
	}
	// It lies within quotes: what follows the last quote belongs to an open field.
	return lastBoundary(block[:bytes.LastIndexByte(block, '"')])
}

var quote = []byte{'"'}

// lastLineEnd returns the position after the last line end in block[from:end], 0 if there is none. A CR that ends the block may
// be half a line end, and does not count.
func lastLineEnd(block []byte, from, end int) int {
	if i := bytes.LastIndexByte(block[from:end], '\n'); i >= 0 {
		return from + i + 1
	}
	if end == len(block) && end > from && block[end-1] == '\r' {
		end--
	}
	if i := bytes.LastIndexByte(block[from:end], '\r'); i >= 0 {
		return from + i + 1
	}
	return 0
}
