package pricemodel

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/dataset"
	"tasador/pkg/features"
	"tasador/pkg/property"
)

// runConf is what the conf of a DAG run may change.
type runConf struct {
	asOf time.Time // zero if not given
	gate func(dataset.Gate) dataset.Gate
}

// ValidateConf checks the conf of a DAG run: an object with the keys
//
//	as_of  a date or an instant (UTC unless it says otherwise) that days_since_last_sale counts to
//	gate   an object with any of nullable (a list of columns), max_invalid_ratio (0 to 1), min_new_records (a count)
//
// Codes: Invalid, with a sentence that names the key.
func ValidateConf(raw json.RawMessage) error {
	_, err := parseConf(raw)
	return err
}

func parseConf(raw json.RawMessage) (runConf, error) {
	c := runConf{gate: func(g dataset.Gate) dataset.Gate { return g }}
	keys, err := object("conf", raw, "as_of", "gate")
	if err != nil {
		return c, err
	}
	if v, given := keys["as_of"]; given {
		if c.asOf, err = parseAsOf(v); err != nil {
			return c, err
		}
	}
	if v, given := keys["gate"]; given {
		if c.gate, err = parseGate(v); err != nil {
			return c, err
		}
	}
	return c, nil
}

// object reads a JSON object that may have only the known keys; null and nothing are an empty one.
func object(name string, raw json.RawMessage, known ...string) (map[string]json.RawMessage, error) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
		return map[string]json.RawMessage{}, nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return nil, apperror.New(apperror.Invalid, "%s is not a JSON object; its keys are %s", name, strings.Join(known, ", "))
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !slices.Contains(known, key) {
			return nil, apperror.New(apperror.Invalid, "%s has the unknown key %q; its keys are %s", name, key, strings.Join(known, ", "))
		}
	}
	return keys, nil
}

func parseAsOf(raw json.RawMessage) (time.Time, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if at, ok := features.ParseSoldAt(text); ok {
			return at, nil
		}
	}
	return time.Time{}, apperror.New(apperror.Invalid, "conf as_of %s is not a date or an instant; write it as 2026-01-31 or 2026-01-31T12:00:00+00:00", raw)
}

func parseGate(raw json.RawMessage) (func(dataset.Gate) dataset.Gate, error) {
	keys, err := object("conf gate", raw, "nullable", "max_invalid_ratio", "min_new_records")
	if err != nil {
		return nil, err
	}
	var nullable *[]string
	var ratio *float64
	var minimum *int
	for key, dst := range map[string]any{"nullable": &nullable, "max_invalid_ratio": &ratio, "min_new_records": &minimum} {
		v, given := keys[key]
		if given && json.Unmarshal(v, dst) != nil {
			return nil, gateError(key, v)
		}
	}
	if nullable != nil {
		for _, column := range *nullable {
			if !slices.Contains(property.Required(), column) {
				return nil, gateError("nullable", keys["nullable"])
			}
		}
	}
	if ratio != nil && !(*ratio >= 0 && *ratio <= 1) {
		return nil, gateError("max_invalid_ratio", keys["max_invalid_ratio"])
	}
	if minimum != nil && *minimum < 0 {
		return nil, gateError("min_new_records", keys["min_new_records"])
	}
	return func(g dataset.Gate) dataset.Gate {
		if nullable != nil {
			g.Nullable = *nullable
		}
		if ratio != nil {
			g.MaxInvalidRatio = *ratio
		}
		if minimum != nil {
			g.MinNewRecords = *minimum
		}
		return g
	}, nil
}

func gateError(key string, value json.RawMessage) error {
	want := map[string]apperror.Sentence{
		"nullable":          {Format: "a list of the columns %s", Args: []any{strings.Join(property.Required(), ", ")}},
		"max_invalid_ratio": {Format: "a number from 0 to 1"},
		"min_new_records":   {Format: "a whole number that is not negative"},
	}[key]
	return apperror.New(apperror.Invalid, "conf gate.%s is %s; it must be %s", key, value, want)
}

// asOfOf returns the as-of instant of a DAG run, to the microsecond: its start, unless its conf names another.
func asOfOf(run dag.Run) (time.Time, error) {
	c, err := parseConf(run.Conf)
	if err != nil {
		return time.Time{}, err
	}
	if !c.asOf.IsZero() {
		return c.asOf.UTC().Truncate(time.Microsecond), nil
	}
	if run.StartedAt.IsZero() {
		return time.Time{}, apperror.New(apperror.Internal, "DAG run %s has no start", run.ID)
	}
	return run.StartedAt.UTC().Truncate(time.Microsecond), nil
}

// isoformat writes an instant as Python's datetime.isoformat does: 2026-01-01T00:00:00+00:00.
func isoformat(t time.Time) string {
	if t.Truncate(time.Second).Equal(t) {
		return t.UTC().Format("2006-01-02T15:04:05+00:00")
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000+00:00")
}
