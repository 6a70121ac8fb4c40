package listingapi

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// text consumes the rest of a text after its opening quote. The result is valid until the next read.
func (s *scanner) text() ([]byte, error) {
	s.buf = s.buf[:0]
	for {
		if err := s.plainText(); err != nil {
			return nil, err
		}
		c, err := s.next()
		if err != nil {
			return nil, err
		}
		switch {
		case c == '"':
			return validUTF8(s.buf), nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return nil, err
			}
		case c < ' ':
			return nil, fmt.Errorf("the control character %s stands inside a text", show(c))
		default:
			s.buf = append(s.buf, c)
		}
		if len(s.buf) > MaxText {
			return nil, fmt.Errorf("a text field is longer than %d bytes, which no listing needs", MaxText)
		}
	}
}

// plainText copies what was read ahead up to the next byte that needs a look.
func (s *scanner) plainText() error {
	if s.at == len(s.window) {
		if err := s.need(1); err != nil {
			return cutOff(err)
		}
	}
	ahead, n := s.window[s.at:], 0
	for n < len(ahead) && ahead[n] >= ' ' && ahead[n] != '"' && ahead[n] != '\\' {
		n++
	}
	s.buf = append(s.buf, ahead[:n]...)
	s.at += n
	if len(s.buf) > MaxText {
		return fmt.Errorf("a text field is longer than %d bytes, which no listing needs", MaxText)
	}
	return nil
}

// validUTF8 replaces broken bytes as encoding/json does.
func validUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return []byte(string([]rune(string(b))))
}

// escape consumes what follows a backslash.
func (s *scanner) escape() error {
	c, err := s.next()
	if err != nil {
		return err
	}
	switch c {
	case '"', '\\', '/':
		s.buf = append(s.buf, c)
	case 'b':
		s.buf = append(s.buf, '\b')
	case 'f':
		s.buf = append(s.buf, '\f')
	case 'n':
		s.buf = append(s.buf, '\n')
	case 'r':
		s.buf = append(s.buf, '\r')
	case 't':
		s.buf = append(s.buf, '\t')
	case 'u':
		return s.unicode()
	default:
		return fmt.Errorf("%s follows a backslash, which JSON does not know", show(c))
	}
	return nil
}

// unicode consumes the four digits of \u and, for a surrogate, its other half if that follows; a lone one becomes U+FFFD.
func (s *scanner) unicode() error {
	r, err := s.hex()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(r) {
		r = s.pair(r)
	}
	s.buf = utf8.AppendRune(s.buf, r)
	return nil
}

func (s *scanner) pair(first rune) rune {
	if s.need(6) != nil {
		return utf8.RuneError // what is wrong with a short rest shows when it is read
	}
	ahead := s.window[s.at : s.at+6]
	if ahead[0] != '\\' || ahead[1] != 'u' {
		return utf8.RuneError
	}
	var second rune
	for _, c := range ahead[2:] {
		d, ok := digit(c)
		if !ok {
			return utf8.RuneError
		}
		second = second<<4 | d
	}
	r := utf16.DecodeRune(first, second)
	if r != utf8.RuneError {
		s.at += 6
	}
	return r
}

func (s *scanner) hex() (rune, error) {
	var r rune
	for range 4 {
		c, err := s.next()
		if err != nil {
			return 0, err
		}
		d, ok := digit(c)
		if !ok {
			return 0, fmt.Errorf("%s stands where a digit of \\u belongs", show(c))
		}
		r = r<<4 | d
	}
	return r, nil
}

func digit(c byte) (rune, bool) {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0'), true
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}
