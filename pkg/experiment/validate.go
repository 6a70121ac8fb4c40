package experiment

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"tasador/pkg/apperror"
)

// MLflow's limits, in characters or in entries.
const (
	MaxKey             = 250
	MaxParamValue      = 6000 // longer ones are cut
	MaxRunTagValue     = 8000 // longer ones are cut
	MaxExperimentName  = 500
	maxDatasetName     = 500
	maxDatasetDigest   = 36
	MaxExperimentTag   = 20000
	MaxArtifactURI     = 2048
	MaxMetricsPerBatch = 1000
	MaxParamsPerBatch  = 100
	MaxPerBatch        = 1000
)

var (
	keyForm   = regexp.MustCompile(`^[/\pL\pN_.\- :]*$`)
	runIDForm = regexp.MustCompile(`^[a-zA-Z0-9][\w\-]{0,255}$`)
)

// InvalidValue is MLflow's sentence for a parameter with a wrong value.
func InvalidValue(parameter string, value any, hint string) error {
	shown, err := json.Marshal(value)
	if err != nil {
		shown = []byte("?")
	}
	if hint != "" {
		hint = ": " + hint
	} else {
		hint = "."
	}
	return apperror.New(apperror.Invalid, "Invalid value %s for parameter '%s' supplied%s", Shorten(string(shown)), parameter, hint)
}

// MissingValue is MLflow's sentence for a parameter that is not there.
func MissingValue(parameter string) error {
	return apperror.New(apperror.Invalid, "Missing value for required parameter '%s'.", parameter)
}

const maxShown = 300

// Shorten keeps messages readable when what they name is huge.
func Shorten(s string) string { return cut(s, maxShown, "…") }

func cut(s string, limit int, mark string) string {
	if len(s) <= limit {
		return s
	}
	n := 0
	for i := range s {
		if n == limit {
			return s[:i] + mark
		}
		n++
	}
	return s
}

// CheckLength refuses a text of more than limit characters. Codes: Invalid.
func CheckLength(parameter, value string, limit int) error {
	if utf8.RuneCountInString(value) > limit {
		return apperror.New(apperror.Invalid, "'%s' exceeds the maximum length of %d characters", parameter, limit)
	}
	return nil
}

// CheckKey refuses names of metrics, params and tags that MLflow refuses. Codes: Invalid.
func CheckKey(parameter, key string) error { return checkKey(parameter, parameter, key) }

// checkKey is CheckKey with the word that MLflow has for a key that is too long.
func checkKey(parameter, long, key string) error {
	if !keyForm.MatchString(key) {
		return InvalidValue(parameter, key, "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.),"+
			" spaces ( ), colon(:) and slashes (/).")
	}
	if err := CheckPathStable(parameter, key); err != nil {
		return err
	}
	return CheckLength(long, key, MaxKey)
}

// CheckPathStable refuses names that would mean another name if they were paths. Codes: Invalid.
func CheckPathStable(parameter, name string) error {
	norm := path.Clean(name)
	if norm != name || norm == "." || strings.HasPrefix(norm, "..") || strings.HasPrefix(norm, "/") {
		return InvalidValue(parameter, name, "Names may be treated as files in certain cases, and must not resolve to other names"+
			" when treated as such. This name would resolve to '"+Shorten(norm)+"'")
	}
	return nil
}

// CheckRunID refuses what cannot be the id of a run. Codes: Invalid.
func CheckRunID(id string) error {
	if !runIDForm.MatchString(id) {
		return InvalidValue("run_id", id, "")
	}
	return nil
}

// CheckExperimentName refuses an empty or a long name. Codes: Invalid.
func CheckExperimentName(name string) error {
	if strings.TrimSpace(name) == "" {
		return apperror.New(apperror.Invalid, "Invalid experiment name: '%s'", Shorten(name))
	}
	return CheckLength("name", name, MaxExperimentName)
}

// CheckExperimentTag refuses a bad key or a long value. Codes: Invalid.
func CheckExperimentTag(t Tag) error {
	if err := CheckKey("key", t.Key); err != nil {
		return err
	}
	return CheckLength("value", t.Value, MaxExperimentTag)
}

// CheckRunTag refuses a bad key and returns the tag with its value cut to what is kept. Codes: Invalid.
func CheckRunTag(parameter string, t Tag) (Tag, error) {
	t.Value = cut(t.Value, MaxRunTagValue, "")
	return t, CheckKey(parameter, t.Key)
}

// CheckMetric refuses a bad name or a negative time, and returns the point as it is kept: an infinite value becomes the largest
// finite one of its sign, as MLflow has it. Codes: Invalid.
func CheckMetric(parameter string, m Metric) (Metric, error) {
	if m.Timestamp < 0 {
		return m, InvalidValue(parameter+"timestamp", m.Timestamp, fmt.Sprintf(
			"metric '%s' (value=%s). Timestamp must be a nonnegative long (64-bit integer) ", Shorten(m.Key), FormatFloat(m.Value)))
	}
	switch {
	case math.IsInf(m.Value, 1):
		m.Value = math.MaxFloat64
	case math.IsInf(m.Value, -1):
		m.Value = -math.MaxFloat64
	}
	if err := errors.Join(
		CheckLength(parameter+"dataset_name", m.Dataset.Name, maxDatasetName), CheckLength(parameter+"dataset_digest", m.Dataset.Digest, maxDatasetDigest),
	); err != nil {
		return m, err
	}
	return m, checkKey(parameter+"name", "Metric name", m.Key)
}

// CheckParam refuses a bad key and returns the param with its value cut to what is kept. Codes: Invalid.
func CheckParam(parameter string, p Param) (Param, error) {
	p.Value = cut(p.Value, MaxParamValue, "")
	return p, checkKey(parameter+"key", "Param key", p.Key)
}

// uniqueParams refuses keys that come twice. Codes: Invalid.
func uniqueParams(params []Param) error {
	seen := map[string]bool{}
	var twice []string
	for _, p := range params {
		if seen[p.Key] {
			twice = append(twice, "'"+Shorten(p.Key)+"'")
		}
		seen[p.Key] = true
	}
	if len(twice) == 0 {
		return nil
	}
	return apperror.New(apperror.Invalid, "Duplicate parameter keys have been submitted: [%s]. Please ensure "+
		"the request contains only one param value per param key.", strings.Join(twice, ", "))
}

// CheckDataset refuses a dataset without a name, digest or source, or with longer texts than MLflow takes. Codes: Invalid.
func CheckDataset(d DatasetInput) error {
	for _, f := range []struct {
		name, value string
		required    bool
		limit       int
	}{
		{"name", d.Dataset.Name, true, maxDatasetName}, {"digest", d.Dataset.Digest, true, maxDatasetDigest}, {"source_type", d.Dataset.SourceType, true, MaxKey},
		{"source", d.Dataset.Source, true, 65_535}, {"schema", d.Dataset.Schema, false, 1_048_575}, {"profile", d.Dataset.Profile, false, 16_777_215},
	} {
		if f.required && f.value == "" {
			return MissingValue("datasets.dataset." + f.name)
		}
		if err := CheckLength("datasets.dataset."+f.name, f.value, f.limit); err != nil {
			return err
		}
	}
	for _, t := range d.Tags {
		if t.Key == "" {
			return MissingValue("datasets.tags.key")
		}
		if err := CheckLength("datasets.tags.key", t.Key, 255); err != nil {
			return err
		}
		if err := CheckLength("datasets.tags.value", t.Value, 500); err != nil {
			return err
		}
	}
	return nil
}

// CheckBatch refuses what MLflow refuses in a batch and returns it as it is kept. Codes: Invalid.
func CheckBatch(b Batch) (Batch, error) {
	for _, l := range []struct {
		what     string
		n, limit int
	}{
		{"metrics", len(b.Metrics), MaxMetricsPerBatch}, {"params", len(b.Params), MaxParamsPerBatch}, {"tags", len(b.Tags), MaxParamsPerBatch},
		{"metrics, params, and tags", len(b.Metrics) + len(b.Params) + len(b.Tags), MaxPerBatch},
	} {
		if l.n > l.limit {
			return b, apperror.New(apperror.Invalid, "A batch logging request can contain at most %d %s. Got %d %s. "+
				"Please split up %s across multiple requests and try again.", l.limit, l.what, l.n, l.what, l.what)
		}
	}
	var out Batch
	for i, m := range b.Metrics {
		m, err := CheckMetric(index("metrics", i), m)
		if err != nil {
			return b, err
		}
		out.Metrics = append(out.Metrics, m)
	}
	for i, p := range b.Params {
		p, err := CheckParam(index("params", i), p)
		if err != nil {
			return b, err
		}
		out.Params = append(out.Params, p)
	}
	if err := uniqueParams(b.Params); err != nil {
		return b, err
	}
	for i, t := range b.Tags {
		t, err := CheckRunTag(index("tags", i)+"key", t)
		if err != nil {
			return b, err
		}
		out.Tags = append(out.Tags, t)
	}
	return out, nil
}
