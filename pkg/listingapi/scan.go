package listingapi

import (
	"errors"
	"fmt"
	"io"
)

// MaxText is the longest text that a field may hold, in bytes.
const MaxText = 1 << 20

const (
	maxNumber = 1 << 10 // bytes that a number may be long
	maxDepth  = 256     // lists and objects that a skipped value may nest
)

// errCutOff says that the payload ended too early.
var errCutOff = errors.New("the JSON ends in the middle, so the answer was cut off")

// readAhead is how much of a payload is read at once.
const readAhead = 1 << 16

// scanner reads JSON (RFC 8259) value by value from a stream. It holds one text at a time, never a whole payload.
type scanner struct {
	in     io.Reader
	store  []byte // where window is
	window []byte // what was read last
	at     int    // how much of it is consumed
	before int64  // bytes consumed before window
	buf    []byte // the last text or number
}

func newScanner(r io.Reader) *scanner {
	return &scanner{in: r, store: make([]byte, readAhead), buf: make([]byte, 0, 256)}
}

// offset is how many bytes are consumed.
func (s *scanner) offset() int64 { return s.before + int64(s.at) }

// need reads until n bytes lie ahead, which must be far fewer than readAhead. The error is io.EOF or the stream's.
func (s *scanner) need(n int) error {
	for len(s.window)-s.at < n {
		left := copy(s.store, s.window[s.at:])
		s.before += int64(s.at)
		more, err := io.ReadAtLeast(s.in, s.store[left:], 1)
		s.window, s.at = s.store[:left+more], 0
		if err != nil {
			return err
		}
	}
	return nil
}

// next consumes one byte.
func (s *scanner) next() (byte, error) {
	if s.at == len(s.window) {
		if err := s.need(1); err != nil {
			return 0, cutOff(err)
		}
	}
	c := s.window[s.at]
	s.at++
	return c, nil
}

// back gives back the byte that next consumed last.
func (s *scanner) back() { s.at-- }

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
