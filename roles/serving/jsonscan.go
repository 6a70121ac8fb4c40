package serving

import (
	"encoding/json"
	"errors"
	"strconv"

	"tasador/pkg/apperror"
)

// maxDepth is how deep lists and objects may nest in what a listing holds beside its fields.
const maxDepth = 64

// What is wrong with a JSON text; the caller knows where.
var (
	errJSONEnd    = errors.New("it ends in the middle")
	errJSONSyntax = errors.New("a character stands where none of its kind belongs")
	errJSONDepth  = errors.New("lists and objects nest too deep")
	errJSONText   = errors.New("a text is not valid")
	errJSONNumber = errors.New("a number is not valid")
)

// jsonScanner reads JSON (RFC 8259) that is in memory, without making garbage: names and texts are parts of s, as long as nothing in them is escaped. It takes what
// encoding/json takes, and nests less deep.
type jsonScanner struct {
	s  string
	at int
}

// token passes over white space and returns the byte that follows, 0 at the end.
func (p *jsonScanner) token() byte {
	for p.at < len(p.s) {
		switch c := p.s[p.at]; c {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return c
		}
	}
	return 0
}

// take consumes c, which must come next.
func (p *jsonScanner) take(c byte) error {
	switch p.token() {
	case c:
		p.at++
		return nil
	case 0:
		if p.at >= len(p.s) {
			return errJSONEnd
		}
	}
	return errJSONSyntax
}

// end says whether only white space is left.
func (p *jsonScanner) end() bool { return p.token() == 0 && p.at >= len(p.s) }

// members calls each with the name of every member of an object; each must consume its value.
func (p *jsonScanner) members(each func(name string) error) error {
	if err := p.take('{'); err != nil {
		return err
	}
	if p.token() == '}' {
		p.at++
		return nil
	}
	for {
		if p.token() != '"' {
			return p.wrong()
		}
		name, err := p.text()
		if err != nil {
			return err
		}
		if err := p.take(':'); err != nil {
			return err
		}
		if err := each(name); err != nil {
			return err
		}
		if more, err := p.more('}'); !more || err != nil {
			return err
		}
	}
}

// elements calls each before every element of a list; each must consume it.
func (p *jsonScanner) elements(each func(i int) error) error {
	if err := p.take('['); err != nil {
		return err
	}
	if p.token() == ']' {
		p.at++
		return nil
	}
	for i := 0; ; i++ {
		if err := each(i); err != nil {
			return err
		}
		if more, err := p.more(']'); !more || err != nil {
			return err
		}
	}
}

// more consumes a comma, or the end of a list or object.
func (p *jsonScanner) more(end byte) (bool, error) {
	switch p.token() {
	case ',':
		p.at++
		return true, nil
	case end:
		p.at++
		return false, nil
	}
	return false, p.wrong()
}

func (p *jsonScanner) wrong() error {
	if p.at >= len(p.s) {
		return errJSONEnd
	}
	return errJSONSyntax
}

// The words that a value of kind isOther has as its text; of lists and objects nothing is kept.
const (
	wordTrue  = "true"
	wordFalse = "false"
)

// value consumes a value.
func (p *jsonScanner) value(depth int) (value, error) {
	switch c := p.token(); {
	case c == '"':
		s, err := p.text()
		return textValue(s), err
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 'n':
		return value{}, p.word("null")
	case c == 't':
		return value{kind: isOther, text: wordTrue}, p.word(wordTrue)
	case c == 'f':
		return value{kind: isOther, text: wordFalse}, p.word(wordFalse)
	case c == '{' || c == '[':
		return value{kind: isOther}, p.skip(c, depth)
	}
	return value{}, p.wrong()
}

// whole consumes a value that is all there is.
func (p *jsonScanner) whole() error {
	_, err := p.value(0)
	if err == nil && !p.end() {
		err = errJSONSyntax
	}
	return err
}

// skip consumes a list or an object.
func (p *jsonScanner) skip(open byte, depth int) error {
	if depth >= maxDepth {
		return errJSONDepth
	}
	if open == '[' {
		return p.elements(func(int) error { _, err := p.value(depth + 1); return err })
	}
	return p.members(func(string) error { _, err := p.value(depth + 1); return err })
}

func (p *jsonScanner) word(w string) error {
	if len(p.s)-p.at < len(w) || p.s[p.at:p.at+len(w)] != w {
		return errJSONSyntax
	}
	p.at += len(w)
	return nil
}

// number consumes a number. One that no double holds is infinite, which no limit lets pass.
func (p *jsonScanner) number() (value, error) {
	from := p.at
	if p.s[p.at] == '-' {
		p.at++
	}
	whole := p.digits()
	if whole == 0 || whole > 1 && p.s[p.at-whole] == '0' {
		return value{}, errJSONNumber
	}
	if p.at < len(p.s) && p.s[p.at] == '.' {
		p.at++
		if p.digits() == 0 {
			return value{}, errJSONNumber
		}
	}
	if p.at < len(p.s) && (p.s[p.at] == 'e' || p.s[p.at] == 'E') {
		p.at++
		if p.at < len(p.s) && (p.s[p.at] == '+' || p.s[p.at] == '-') {
			p.at++
		}
		if p.digits() == 0 {
			return value{}, errJSONNumber
		}
	}
	text := p.s[from:p.at]
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return value{kind: isNumber, number: v}, nil //nolint:nilerr // out of range, as above
	}
	return value{kind: isNumber, number: v, text: text}, nil
}

func (p *jsonScanner) digits() int {
	from := p.at
	for p.at < len(p.s) && p.s[p.at]-'0' <= 9 {
		p.at++
	}
	return p.at - from
}

// text consumes a text whose opening quote comes next.
func (p *jsonScanner) text() (string, error) {
	from := p.at + 1
	for i := from; i < len(p.s); i++ {
		switch c := p.s[i]; {
		case c == '"':
			p.at = i + 1
			return p.s[from:i], nil
		case c == '\\':
			return p.escaped(i)
		case c < ' ':
			return "", errJSONText
		}
	}
	p.at = len(p.s)
	return "", errJSONEnd
}

// escaped consumes a text that has its first backslash at i. This is rare, so it may cost.
func (p *jsonScanner) escaped(i int) (string, error) {
	for ; i < len(p.s); i++ {
		switch p.s[i] {
		case '\\':
			i++
		case '"':
			raw := p.s[p.at : i+1]
			p.at = i + 1
			var s string
			if err := json.Unmarshal([]byte(raw), &s); err != nil {
				return "", errJSONText
			}
			return s, nil
		}
	}
	p.at = len(p.s)
	return "", errJSONEnd
}

// kind names what begins next, in JSON's words.
func (p *jsonScanner) kind() apperror.Sentence {
	switch p.token() {
	case '{':
		return apperror.Sentence{Format: "object"}
	case '[':
		return apperror.Sentence{Format: "array"}
	case '"':
		return apperror.Sentence{Format: "string"}
	case 'n':
		return apperror.Sentence{Format: "null"}
	case 't', 'f':
		return apperror.Sentence{Format: "boolean"}
	default:
		return apperror.Sentence{Format: "number"}
	}
}
