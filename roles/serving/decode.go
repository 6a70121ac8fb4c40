package serving

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tasador/pkg/apperror"
)

// value is what a request says for one field, whether it came as JSON or from a form.
type value struct {
	kind   valueKind
	number float64
	text   string
}

// values are those of one listing, by the index of their field.
type values [fieldCount]value

// decoded is what a request says of one listing.
type decoded struct {
	values  values
	unknown []string // names that no field has, sorted
}

type valueKind uint8

const (
	isMissing valueKind = iota // not there, null or an empty text
	isNumber
	isText
	isOther // true, a list, an object
)

// fieldError says what is wrong with one field, in the shape that FastAPI's clients know. Format and Args make the sentence, so that
// the page can say it in its own language.
type fieldError struct {
	Loc    []any
	Type   string
	Format string
	Args   []any
	Input  string // what came, where nothing else of it can be told
}

// listing reads a listing, the only thing in the text, into v. unknown gets the names that no field has.
func (p *jsonScanner) listing(v *values, unknown func(name string)) *fieldError {
	if p.end() {
		return &fieldError{Loc: []any{"body"}, Type: "missing", Format: "the body is empty; send a listing as a JSON object"}
	}
	if !utf8.ValidString(p.s) {
		return &fieldError{Loc: []any{"body"}, Type: "json_invalid", Format: "the body is not UTF-8 text"}
	}
	if p.token() != '{' {
		kind := p.kind()
		if err := p.whole(); err != nil {
			return p.invalid(err)
		}
		return &fieldError{Loc: []any{"body"}, Type: "dict_type", Format: "the body is a JSON %s; send one listing as a JSON object", Args: []any{kind}}
	}
	err := p.fields(v, unknown)
	if err == nil && !p.end() {
		err = errJSONSyntax
	}
	if err != nil {
		return p.invalid(err)
	}
	return nil
}

// fields reads an object. Of a name that comes twice the last counts.
func (p *jsonScanner) fields(v *values, unknown func(name string)) error {
	return p.members(func(name string) error {
		got, err := p.value(1)
		if i := indexOf(name); i != noField {
			v[i] = got
		} else if err == nil {
			unknown(name)
		}
		return err
	})
}

func (p *jsonScanner) invalid(err error) *fieldError {
	return &fieldError{
		Loc: []any{"body", int64(p.at)}, Type: "json_invalid", Format: "the body is not JSON: %s at byte %s", Args: []any{apperror.Sentence{Format: err.Error()}, strconv.Itoa(p.at)},
	}
}

// ignore notes a name that no field has.
func (d *decoded) ignore(name string) { d.unknown = append(d.unknown, name) }

// ordered sorts the names that no field has, each once.
func (d *decoded) ordered() {
	slices.Sort(d.unknown)
	d.unknown = slices.Compact(d.unknown)
}

// textValue takes an empty text for a missing one: a form sends those, and no field of a listing means anything by it.
func textValue(s string) value {
	if strings.TrimSpace(s) == "" {
		return value{}
	}
	return value{kind: isText, text: s}
}

// decodeForm reads the fields of a submitted form, where everything is text: what must be a number is read as one.
func decodeForm(form url.Values) (decoded values) {
	for i, f := range fields() {
		v := textValue(form.Get(f.Name))
		if n, ok := parseNumber(v.text); ok && f.Kind == number {
			v = value{kind: isNumber, number: n}
		}
		decoded[i] = v
	}
	return decoded
}
