// Package mlflowapi holds the JSON of MLflow's REST API, version 2.0: its messages, its number forms and its error codes, and the
// one translation in each direction between them and the nouns of experiment, registry and apperror. The tracking role writes it,
// the tracking client reads it.
package mlflowapi

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Prefix is where the calls of version 2.0 live; PrefixV3 those of 3.0; PrefixAjax is where MLflow serves the same to its pages.
const (
	Prefix     = "/api/2.0"
	PrefixV3   = "/api/3.0"
	PrefixAjax = "/ajax-api"
)

// Float is a double as protobuf's JSON writes it: a number, or "NaN", "Infinity", "-Infinity".
type Float float64

// MarshalJSON writes f.
func (f Float) MarshalJSON() ([]byte, error) {
	v := float64(f)
	switch {
	case math.IsNaN(v):
		return []byte(`"NaN"`), nil
	case math.IsInf(v, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Infinity"`), nil
	}
	return json.Marshal(v)
}

// UnmarshalJSON reads a number or a text that holds one; null changes nothing, as in protobuf's JSON.
func (f *Float) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	text := strings.Trim(string(b), `"`)
	v, err := ParseFloat(text)
	if err != nil {
		return err
	}
	*f = Float(v)
	return nil
}

// ParseFloat reads a double as protobuf's JSON does: no hexadecimal, no underscores, no overflow to infinity.
func ParseFloat(text string) (float64, error) {
	switch text {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	if strings.Trim(text, "0123456789+-.eE") != "" {
		return 0, fmt.Errorf("%.40q is not a number", text)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a number that fits a double", text)
	}
	return v, nil
}

// Int is a 64-bit integer: written as a number, read from a number, a whole 1.0 or a text.
type Int int64

// UnmarshalJSON reads i; null changes nothing, as in protobuf's JSON.
func (i *Int) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	v, err := ParseInt(strings.Trim(string(b), `"`))
	if err != nil {
		return err
	}
	*i = Int(v)
	return nil
}

// ParseInt reads an integer as protobuf's JSON does; a float that is whole counts.
func ParseInt(text string) (int64, error) {
	v, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		return v, nil
	}
	f, ferr := ParseFloat(text)
	if ferr != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return 0, fmt.Errorf("%.40q is not a 64-bit integer", text)
	}
	return int64(f), nil
}
