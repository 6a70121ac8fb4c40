package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"tasador/pkg/redact"
)

// Print writes every key with its value, one a line, as a configuration file would have them. Passwords in addresses are masked.
func (c *Config) Print(w io.Writer) error {
	var err error
	walk("", reflect.ValueOf(c).Elem(), func(key string, value any, secret string) {
		if err == nil {
			_, err = fmt.Fprintf(w, "%s: %s\n", key, show(value, secret))
		}
	})
	return err
}

// walk calls each for every setting. secret is header if its values are headers and value if it is a password: they must not be shown.
func walk(prefix string, v reflect.Value, each func(key string, value any, secret string)) {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		if tag.Get("kong") == "-" {
			continue // no setting
		}
		if _, embedded := tag.Lookup("embed"); embedded {
			walk(prefix+tag.Get("prefix"), v.Field(i), each)
			continue
		}
		each(prefix+tag.Get("name"), v.Field(i).Interface(), tag.Get("secret"))
	}
}

func show(value any, secret string) string {
	switch v := value.(type) {
	case string:
		if secret == "value" && v != "" {
			return fmt.Sprintf("%q", redact.Mask)
		}
		return fmt.Sprintf("%q", redact.URL(v))
	case []string:
		if secret == "header" {
			return fmt.Sprintf("%q", redact.Headers(strings.Join(v, "\n")))
		}
		return fmt.Sprintf("%q", strings.Join(v, ","))
	case time.Duration:
		return v.String()
	default:
		return fmt.Sprint(v)
	}
}
