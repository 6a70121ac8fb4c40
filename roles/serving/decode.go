package serving

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
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

// decodeObject reads the fields of a JSON object.
func decodeObject(body []byte) (into decoded, problem *fieldError) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return into, explainJSON(err)
	}
	if raw == nil {
		return into, notAnObject("null")
	}
	for name, content := range raw {
		i := indexOf(name)
		if i == noField {
			into.unknown = append(into.unknown, name)
			continue
		}
		into.values[i] = jsonValue(content)
	}
	slices.Sort(into.unknown)
	return into, nil
}

func explainJSON(err error) *fieldError {
	var syntax *json.SyntaxError
	var shape *json.UnmarshalTypeError
	switch {
	case errors.As(err, &shape):
		return notAnObject(shape.Value)
	case errors.As(err, &syntax):
		return &fieldError{
			Loc: []any{"body", syntax.Offset}, Type: "json_invalid",
			Format: "the body is not JSON: %s at byte %s", Args: []any{syntax.Error(), strconv.FormatInt(syntax.Offset, 10)},
		}
	default:
		return &fieldError{Loc: []any{"body"}, Type: "json_invalid", Format: "the body is not JSON: %s", Args: []any{err.Error()}}
	}
}

func notAnObject(what string) *fieldError {
	return &fieldError{Loc: []any{"body"}, Type: "dict_type", Format: "the body is a JSON %s; send one listing as a JSON object", Args: []any{what}}
}

func jsonValue(content json.RawMessage) value {
	switch c := content[0]; {
	case c == 'n':
		return value{}
	case c == '"':
		var s string
		if err := json.Unmarshal(content, &s); err != nil {
			return value{kind: isOther}
		}
		return textValue(s)
	case c == '-' || c >= '0' && c <= '9':
		return numberValue(string(content))
	default:
		return value{kind: isOther}
	}
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
