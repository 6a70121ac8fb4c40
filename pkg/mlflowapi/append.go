package mlflowapi

import (
	"encoding/json"
	"math"
	"strconv"
)

// The functions below write what encoding/json writes, byte for byte, without looking at each field by reflection: lists of runs and of points are long.

// AppendMetric adds a point to b as JSON.
func AppendMetric(b []byte, m *Metric) []byte {
	b = appendText(append(b, `{"key":`...), m.Key)
	b = appendFloat(append(b, `,"value":`...), float64(m.Value))
	b = strconv.AppendInt(append(b, `,"timestamp":`...), int64(m.Timestamp), 10)
	b = strconv.AppendInt(append(b, `,"step":`...), int64(m.Step), 10)
	if m.ModelID != "" {
		b = appendText(append(b, `,"model_id":`...), m.ModelID)
	}
	if m.RunID != "" {
		b = appendText(append(b, `,"run_id":`...), m.RunID)
	}
	if m.Dataset != "" {
		b = appendText(append(b, `,"dataset_name":`...), m.Dataset)
	}
	if m.Digest != "" {
		b = appendText(append(b, `,"dataset_digest":`...), m.Digest)
	}
	return append(b, '}')
}

// AppendRun adds a run to b as JSON.
func AppendRun(b []byte, r *Run) []byte {
	b = r.Info.appendTo(append(b, `{"info":`...))
	b = r.Data.appendTo(append(b, `,"data":`...))
	b = appendOther(append(b, `,"inputs":`...), len(r.Inputs.DatasetInputs)+len(r.Inputs.ModelInputs), r.Inputs)
	b = appendOther(append(b, `,"outputs":`...), len(r.Outputs.ModelOutputs), r.Outputs)
	return append(b, '}')
}

func (i *RunInfo) appendTo(b []byte) []byte {
	b = appendText(append(b, `{"run_uuid":`...), i.RunUUID)
	b = appendText(append(b, `,"experiment_id":`...), i.ExperimentID)
	b = appendText(append(b, `,"run_name":`...), i.RunName)
	b = appendText(append(b, `,"user_id":`...), i.UserID)
	b = appendText(append(b, `,"status":`...), i.Status)
	b = strconv.AppendInt(append(b, `,"start_time":`...), int64(i.StartTime), 10)
	if i.EndTime != nil {
		b = strconv.AppendInt(append(b, `,"end_time":`...), int64(*i.EndTime), 10)
	}
	b = appendText(append(b, `,"artifact_uri":`...), i.ArtifactURI)
	b = appendText(append(b, `,"lifecycle_stage":`...), i.LifecycleStage)
	return append(appendText(append(b, `,"run_id":`...), i.RunID), '}')
}

func (d *RunData) appendTo(b []byte) []byte {
	b = append(b, '{')
	if len(d.Metrics) > 0 {
		b = append(b, `"metrics":[`...)
		for i := range d.Metrics {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendMetric(b, &d.Metrics[i])
		}
		b = append(b, ']')
	}
	b = appendKeyValues(b, "params", d.Params)
	b = appendKeyValues(b, "tags", d.Tags)
	return append(b, '}')
}

// appendKeyValues adds a field of an object whose other fields, if it has some, are in b.
func appendKeyValues(b []byte, name string, list []KeyValue) []byte {
	if len(list) == 0 {
		return b
	}
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(append(append(b, '"'), name...), `":[`...)
	for i, kv := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(append(b, `{"key":`...), kv.Key)
		b = append(appendText(append(b, `,"value":`...), kv.Value), '}')
	}
	return append(b, ']')
}

// appendOther adds what most runs have not.
func appendOther(b []byte, n int, v any) []byte {
	if n == 0 {
		return append(b, "{}"...)
	}
	text, _ := json.Marshal(v) // texts and numbers
	return append(b, text...)
}

// appendText adds a text; encoding/json writes those with characters that it escapes.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, _ := json.Marshal(s) // a text always encodes
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// The exponents from which on encoding/json writes one, as JavaScript does.
const (
	leastPlain = 1e-6
	mostPlain  = 1e21
)

func appendFloat(b []byte, v float64) []byte {
	if abs := math.Abs(v); v == 0 || (abs >= leastPlain && abs < mostPlain) {
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	}
	text, _ := Float(v).MarshalJSON() // never fails
	return append(b, text...)
}
