package listingapi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxText is the longest text that a field may hold, in bytes.
const MaxText = 1 << 20

const (
	maxNumber = 1 << 10 // bytes that a number may be long
	maxDepth  = 256     // lists and objects that a skipped value may nest
)

// errCutOff says that the payload ended too early.
var errCutOff = errors.New("the JSON ends in the middle, so the answer was cut off")

// scanner reads JSON (RFC 8259) value by value from a stream. It holds one text at a time, never a whole payload.
type scanner struct {
	r      *bufio.Reader
	offset int64  // bytes consumed
	buf    []byte // the last text or number
}

func newScanner(r io.Reader) *scanner {
	return &scanner{r: bufio.NewReaderSize(r, 1<<16), buf: make([]byte, 0, 256)}
}

// next consumes one byte.
func (s *scanner) next() (byte, error) {
	c, err := s.r.ReadByte()
	if err != nil {
		return 0, cutOff(err)
	}
	s.offset++
	return c, nil
}

func (s *scanner) back() {
	_ = s.r.UnreadByte() // cannot fail after ReadByte
	s.offset--
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return errCutOff
	}
	return &stopError{cause: fmt.Errorf("read the payload: %w", err)}
}

// token skips white space and consumes the first byte of what follows.
func (s *scanner) token() (byte, error) {
	for {
		c, err := s.next()
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c, nil
		}
	}
}

// atEnd errors if anything but white space is left.
func (s *scanner) atEnd() error {
	c, err := s.token()
	if errors.Is(err, errCutOff) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%s follows the end of the JSON", show(c))
}

// more consumes the separator of a list or object: it reports false at its end.
func (s *scanner) more(end byte) (bool, error) {
	c, err := s.token()
	switch {
	case err != nil:
		return false, err
	case c == end:
		return false, nil
	case c == ',':
		return true, nil
	}
	return false, fmt.Errorf("%s stands where a comma or %s belongs", show(c), show(end))
}

// isEmpty consumes the end of a list or object that was just opened, if it has nothing in it.
func (s *scanner) isEmpty(end byte) (bool, error) {
	c, err := s.token()
	if err != nil {
		return false, err
	}
	if c == end {
		return true, nil
	}
	s.back()
	return false, nil
}

// key consumes the name of an object's member and its colon; the name is valid until the next read.
func (s *scanner) key() ([]byte, error) {
	c, err := s.token()
	if err != nil {
		return nil, err
	}
	if c != '"' {
		return nil, fmt.Errorf("%s stands where a name in quotes belongs", show(c))
	}
	name, err := s.text()
	if err != nil {
		return nil, err
	}
	c, err = s.token()
	if err != nil {
		return nil, err
	}
	if c != ':' {
		return nil, fmt.Errorf("%s stands where a colon belongs", show(c))
	}
	return name, nil
}

// word consumes the rest of null, true or false, whose first letter is consumed already.
func (s *scanner) word(rest string) error {
	for i := range len(rest) {
		c, err := s.next()
		if err != nil {
			return err
		}
		if c != rest[i] {
			return fmt.Errorf("%s stands where a value belongs", show(c))
		}
	}
	return nil
}

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

// plainText copies what is already buffered up to the next byte that needs a look.
func (s *scanner) plainText() error {
	window, err := s.r.Peek(max(s.r.Buffered(), 1))
	if err != nil {
		return cutOff(err)
	}
	n := 0
	for n < len(window) && window[n] >= ' ' && window[n] != '"' && window[n] != '\\' {
		n++
	}
	s.buf = append(s.buf, window[:n]...)
	s.offset += int64(n)
	_, err = s.r.Discard(n)
	if len(s.buf) > MaxText {
		return fmt.Errorf("a text field is longer than %d bytes, which no listing needs", MaxText)
	}
	return err
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
		r, err = s.pair(r)
		if err != nil {
			return err
		}
	}
	s.buf = utf8.AppendRune(s.buf, r)
	return nil
}

func (s *scanner) pair(first rune) (rune, error) {
	ahead, err := s.r.Peek(6)
	if err != nil || ahead[0] != '\\' || ahead[1] != 'u' {
		return utf8.RuneError, nil // what is wrong with a short rest shows when it is read
	}
	var second rune
	for _, c := range ahead[2:] {
		d, ok := digit(c)
		if !ok {
			return utf8.RuneError, nil
		}
		second = second<<4 | d
	}
	r := utf16.DecodeRune(first, second)
	if r != utf8.RuneError {
		s.offset += 6
		_, err = s.r.Discard(6)
	} else {
		err = nil
	}
	return r, err
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

// kind is the type of a JSON value, in words that errors use.
type kind string

const (
	kindNull   kind = "null"
	kindBool   kind = "true or false"
	kindNumber kind = "a number"
	kindText   kind = "a text"
	kindList   kind = "a list"
	kindObject kind = "an object"
)

// open consumes the start of a value: all of a scalar, whose bytes it returns for texts and numbers, or the bracket of a list or object.
func (s *scanner) open() (kind, []byte, error) {
	c, err := s.token()
	if err != nil {
		return "", nil, err
	}
	switch c {
	case '{':
		return kindObject, nil, nil
	case '[':
		return kindList, nil, nil
	case '"':
		text, err := s.text()
		return kindText, text, err
	case 'n':
		return kindNull, nil, s.word("ull")
	case 't':
		return kindBool, nil, s.word("rue")
	case 'f':
		return kindBool, nil, s.word("alse")
	}
	if c == '-' || c >= '0' && c <= '9' {
		number, err := s.number(c)
		return kindNumber, number, err
	}
	return "", nil, fmt.Errorf("%s stands where a value belongs", show(c))
}

// skip consumes the rest of a value that open has opened.
func (s *scanner) skip(k kind, depth int) error {
	if k != kindList && k != kindObject {
		return nil
	}
	if depth == maxDepth {
		return fmt.Errorf("lists and objects nest deeper than %d", maxDepth)
	}
	end := byte(']')
	if k == kindObject {
		end = '}'
	}
	empty, err := s.isEmpty(end)
	if err != nil || empty {
		return err
	}
	for more := true; more; {
		if k == kindObject {
			if _, err := s.key(); err != nil {
				return err
			}
		}
		inner, _, err := s.open()
		if err != nil {
			return err
		}
		if err := s.skip(inner, depth+1); err != nil {
			return err
		}
		if more, err = s.more(end); err != nil {
			return err
		}
	}
	return nil
}

func show(c byte) string { return fmt.Sprintf("%q", rune(c)) }
