package tracking

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
)

// hasCamelKey reports whether body holds what may be the name of a field in lowerCamelCase: "[a-z]+[A-Z][A-Za-z]*"\s*: as a regular expression, which
// would take longer than all else that is done with a large batch.
func hasCamelKey(body []byte) bool {
	small := func(c byte) bool { return c >= 'a' && c <= 'z' }
	large := func(c byte) bool { return c >= 'A' && c <= 'Z' }
	for {
		at := bytes.IndexByte(body, '"')
		if at < 0 {
			return false
		}
		body = body[at+1:]
		n := 0
		for n < len(body) && small(body[n]) {
			n++
		}
		if n == 0 || n == len(body) || !large(body[n]) {
			continue
		}
		for n < len(body) && (small(body[n]) || large(body[n])) {
			n++
		}
		if n == len(body) || body[n] != '"' {
			continue
		}
		for n++; n < len(body) && (body[n] == ' ' || body[n] == '\t' || body[n] == '\n' || body[n] == '\f' || body[n] == '\r'); {
			n++
		}
		if n < len(body) && body[n] == ':' {
			return true
		}
	}
}

// snakeKeys writes the names of fields with underscores. Protobuf's JSON allows both spellings, and some clients send the other one; the
// calls of this API have no objects with names that clients choose. Codes: Invalid, if a field has both.
func snakeKeys(body []byte) ([]byte, error) {
	var value any
	numbers := json.NewDecoder(bytes.NewReader(body))
	numbers.UseNumber()
	if numbers.Decode(&value) != nil {
		return body, nil // whoever reads it says so
	}
	value, err := renamed(value)
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

func renamed(value any) (any, error) {
	var err error
	switch v := value.(type) {
	case []any:
		for i := range v {
			if v[i], err = renamed(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, inner := range v {
			name := snake(key)
			if _, both := v[name]; both && name != key {
				return nil, apperror.New(apperror.Invalid, "Request specifies both '%s' and '%s'; provide only one of them.",
					experiment.Shorten(name), experiment.Shorten(key))
			}
			if out[name], err = renamed(inner); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return value, nil
}

func snake(key string) string {
	var out strings.Builder
	for _, r := range key {
		if unicode.IsUpper(r) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}
