package config

import (
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"
	"time"
)

// Print writes every key with its value, one a line, as a configuration file would have them. Passwords in addresses are masked.
func (c *Config) Print(w io.Writer) error {
	var err error
	walk("", reflect.ValueOf(c).Elem(), func(key string, value any) {
		if err == nil {
			_, err = fmt.Fprintf(w, "%s: %s\n", key, show(value))
		}
	})
	return err
}

func walk(prefix string, v reflect.Value, each func(key string, value any)) {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		if _, embedded := tag.Lookup("embed"); embedded {
			walk(prefix+tag.Get("prefix"), v.Field(i), each)
			continue
		}
		each(prefix+tag.Get("name"), v.Field(i).Interface())
	}
}

func show(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("%q", maskPassword(v))
	case []string:
		return fmt.Sprintf("%q", strings.Join(v, ","))
	case time.Duration:
		return v.String()
	default:
		return fmt.Sprint(v)
	}
}

// maskPassword hides the password of an address, and all of one that cannot be read.
func maskPassword(s string) string {
	if !strings.Contains(s, "@") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil {
		return "xxxxx"
	}
	return u.Redacted()
}
