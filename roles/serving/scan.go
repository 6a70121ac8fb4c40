package serving

import (
	"slices"
	"strconv"
)

// scanner reads the JSON that clients usually send, without anything in between: objects of plain texts, numbers and literals. Whatever else comes, right or wrong,
// it leaves to encoding/json, which decides what it means and what is wrong with it; where both read a body, they read the same (FuzzScan).
type scanner struct {
	text string // valid UTF-8
	at   int
}

// maxScanned is how many unknown names the scanner bears: it looks through them for each further one.
const maxScanned = 16

// scanListing reads a body that is one object. It reports false if that is left to encoding/json.
func scanListing(text string, into *decoded) bool {
	s := scanner{text: text}
	s.space()
	if !s.object(into) {
		return false
	}
	s.space()
	return s.at == len(text)
}

// scanList reads a body that is a list of objects, and gives each to add, which may refuse more. It reports false as scanListing does.
func scanList(text string, add func() *decoded) bool {
	s := scanner{text: text}
	s.space()
	if !s.take('[') {
		return false
	}
	s.space()
	if s.take(']') {
		s.space()
		return s.at == len(text)
	}
	for {
		into := add()
		s.space()
		if into == nil || !s.object(into) {
			return false
		}
		s.space()
		if s.take(',') {
			continue
		}
		if !s.take(']') {
			return false
		}
		s.space()
		return s.at == len(text)
	}
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) object(into *decoded) bool {
	*into = decoded{}
	if !s.take('{') {
		return false
	}
	s.space()
	if s.take('}') {
		return true
	}
	for {
		name, ok := s.string()
		if !ok {
			return false
		}
		s.space()
		if !s.take(':') {
			return false
		}
		s.space()
		if !s.member(name, into) {
			return false
		}
		s.space()
		if s.take('}') {
			slices.Sort(into.unknown)
			return true
		}
		if !s.take(',') {
			return false
		}
		s.space()
	}
}

// member reads the value of a name. Of a name that comes twice the last counts.
func (s *scanner) member(name string, into *decoded) bool {
	var v value
	if !s.value(&v) {
		return false
	}
	if i := indexOf(name); i != noField {
		into.values[i] = v
		return true
	}
	if !slices.Contains(into.unknown, name) {
		into.unknown = append(into.unknown, name)
	}
	return len(into.unknown) <= maxScanned
}

func (s *scanner) value(into *value) bool {
	if s.at == len(s.text) {
		return false
	}
	switch c := s.text[s.at]; {
	case c == '"':
		text, ok := s.string()
		*into = textValue(text)
		return ok
	case c == '-' || c >= '0' && c <= '9':
		return s.number(into)
	case c == 'n':
		return s.literal("null")
	case c == 't':
		*into = value{kind: isOther}
		return s.literal("true")
	case c == 'f':
		*into = value{kind: isOther}
		return s.literal("false")
	}
	return false // a list, an object, or nothing
}

func (s *scanner) literal(word string) bool {
	if len(s.text)-s.at < len(word) || s.text[s.at:s.at+len(word)] != word {
		return false
	}
	s.at += len(word)
	return true
}

// string reads a text without escapes.
func (s *scanner) string() (string, bool) {
	if !s.take('"') {
		return "", false
	}
	for i := s.at; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			text := s.text[s.at:i]
			s.at = i + 1
			return text, true
		case c == '\\' || c < ' ':
			return "", false
		}
	}
	return "", false
}

// number reads what JSON takes for one.
func (s *scanner) number(into *value) bool {
	from := s.at
	s.take('-')
	if !s.take('0') && s.digits() == 0 {
		return false
	}
	if s.take('.') && s.digits() == 0 {
		return false
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		if s.digits() == 0 {
			return false
		}
	}
	*into = numberValue(s.text[from:s.at])
	return true
}

func (s *scanner) digits() int {
	from := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at - from
}

// numberValue is the value of a number of JSON. One that is out of range is infinite, which no limit lets pass.
func numberValue(text string) value {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return value{kind: isNumber, number: v}
	}
	return value{kind: isNumber, number: v, text: text}
}
