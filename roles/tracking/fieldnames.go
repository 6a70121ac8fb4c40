package tracking

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
)

// camelKey finds what may be the name of a field in lowerCamelCase.
var camelKey = regexp.MustCompile(`"[a-z]+[A-Z][A-Za-z]*"\s*:`)

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
