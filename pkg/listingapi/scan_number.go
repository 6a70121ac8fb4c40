package listingapi

import (
	"errors"
	"fmt"
	"io"
	"strconv"
)

// number consumes a number whose first byte is given and errors if it is not one of JSON. The result is valid until the next read.
func (s *scanner) number(first byte) ([]byte, error) {
	s.buf = append(s.buf[:0], first)
	for {
		n := 0
		ahead := s.window[s.at:]
		for n < len(ahead) && isNumberByte(ahead[n]) {
			n++
		}
		s.buf = append(s.buf, ahead[:n]...)
		s.at += n
		if len(s.buf) > maxNumber {
			return nil, fmt.Errorf("a number is longer than %d bytes", maxNumber)
		}
		if n < len(ahead) {
			break
		}
		err := s.need(1)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, cutOff(err)
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

// The digits of a whole number that every double holds exactly, and the powers of ten that they may be divided by, which doubles hold
// exactly, too.
const exactDigits = 15

var powersOfTen = [exactDigits + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// parseNumber returns the double that is nearest to a number of JSON. One with few digits is the quotient of two doubles that are exact, so
// that the division rounds it rightly (Clinger 1990); this is what strconv does, too, only sooner.
func parseNumber(b []byte) (float64, error) {
	rest := skipIf(b, '-')
	if len(rest) > exactDigits+1 {
		return strconv.ParseFloat(string(b), 64)
	}
	var whole int64
	decimals, point := 0, false
	for _, c := range rest {
		switch {
		case c >= '0' && c <= '9':
			whole = whole*10 + int64(c-'0')
			if point {
				decimals++
			}
		case c == '.':
			point = true
		default:
			return strconv.ParseFloat(string(b), 64)
		}
	}
	if !point && len(rest) > exactDigits {
		return strconv.ParseFloat(string(b), 64)
	}
	v := float64(whole) / powersOfTen[decimals]
	if len(rest) < len(b) {
		v = -v
	}
	return v, nil
}
