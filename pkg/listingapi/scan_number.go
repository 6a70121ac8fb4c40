package listingapi

import (
	"errors"
	"fmt"
	"io"
)

// number consumes a number whose first byte is given and errors if it is not one of JSON. The result is valid until the next read.
func (s *scanner) number(first byte) ([]byte, error) {
	s.buf = append(s.buf[:0], first)
	for {
		c, err := s.r.ReadByte()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, cutOff(err)
		}
		if err != nil {
			break
		}
		if !isNumberByte(c) {
			_ = s.r.UnreadByte() // cannot fail after ReadByte
			break
		}
		s.offset++
		if s.buf = append(s.buf, c); len(s.buf) > maxNumber {
			return nil, fmt.Errorf("a number is longer than %d bytes", maxNumber)
		}
	}
	if !isNumber(s.buf) {
		return nil, fmt.Errorf("%q is not a number of JSON", s.buf)
	}
	return s.buf, nil
}

func isNumberByte(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-'
}

// isNumber reports whether b is a whole number literal of JSON.
func isNumber(b []byte) bool {
	b = skipIf(b, '-')
	whole := digits(b)
	if whole == 0 || whole > 1 && b[0] == '0' {
		return false
	}
	b = b[whole:]
	if len(b) > 0 && b[0] == '.' {
		n := digits(b[1:])
		if n == 0 {
			return false
		}
		b = b[1+n:]
	}
	if len(b) > 0 && (b[0] == 'e' || b[0] == 'E') {
		b = b[1:]
		if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		n := digits(b)
		return n > 0 && n == len(b)
	}
	return len(b) == 0
}

func skipIf(b []byte, c byte) []byte {
	if len(b) > 0 && b[0] == c {
		return b[1:]
	}
	return b
}

func digits(b []byte) int {
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n
}
