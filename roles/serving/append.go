package serving

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// appendAnswer appends the answer to one listing as encoding/json writes an Answer (FuzzAnswer).
func (q *question) appendAnswer(dst []byte, i int) []byte {
	req := &q.requests[i]
	dst = append(dst, `{"prediction":`...)
	dst = appendFloat(dst, q.prices[i])
	dst = append(dst, q.version.written...)
	dst = appendString(dst, q.id)
	dst = append(dst, `,"as_of":"`...)
	dst = req.AsOf.AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, '"')
	if len(req.Unknown) > 0 {
		dst = append(dst, `,"ignored_fields":[`...)
		for n, name := range req.Unknown {
			if n > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, name)
		}
		dst = append(dst, ']')
	}
	dst = q.appendExtras(dst, i)
	return append(dst, '}')
}

// write prepares the part that all answers of a version have.
func (v *version) write() {
	v.written = append(v.written, `,"model_name":`...)
	v.written = appendString(v.written, v.Name)
	v.written = append(v.written, `,"model_version":`...)
	v.written = appendString(v.written, v.Version)
	v.written = append(v.written, `,"model_run_id":`...)
	v.written = appendString(v.written, v.RunID)
	v.written = append(v.written, `,"model_stage":`...)
	v.written = appendString(v.written, string(v.Stage))
	v.written = append(v.written, `,"model_role":`...)
	v.written = appendString(v.written, string(v.Role))
	v.written = append(v.written, `,"request_id":`...)
}

// writeBase prepares the parts that all answers of a version have which explain, if it can.
func (v *version) writeBase() {
	base := v.Model.Base()
	if math.IsNaN(base) {
		return
	}
	v.base = append(appendFloat([]byte(`,"base":`), base), `,"contributions":{`...)
	for i, name := range v.Model.Schema.Features {
		var key []byte
		if i > 0 {
			key = append(key, ',')
		}
		v.features = append(v.features, append(appendString(key, name), ':'))
	}
}

// appendAnswers appends the whole body: an answer, or a list of them in the order of the listings.
func (q *question) appendAnswers(dst []byte) []byte {
	if !q.list {
		return append(q.appendAnswer(dst, 0), '\n')
	}
	dst = append(dst, '[')
	for i := range q.requests {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = q.appendAnswer(dst, i)
	}
	return append(dst, ']', '\n')
}

// appendString appends a text as JSON.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c >= 0x7f, c == '"', c == '\\', c == '<', c == '>', c == '&':
			quoted, err := json.Marshal(s)
			if err != nil { // a text can always be written
				quoted = []byte(`""`)
			}
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// appendFloat appends a finite number as encoding/json does, which does it as JavaScript: with an exponent only where it is very small or large.
func appendFloat(dst []byte, v float64) []byte {
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	dst = strconv.AppendFloat(dst, v, format, -1, 64)
	if n := len(dst); format == 'e' && n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' { // e-09 is e-9
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}
