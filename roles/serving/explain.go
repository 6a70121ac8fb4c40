package serving

import (
	"encoding/json"
	"math"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"tasador/pkg/apperror"
	"tasador/pkg/model"
)

// extras is what a request asks for beside the price.
type extras struct {
	level   float64 // of the interval
	explain bool    // with contributions
}

// Parameters of a request for a prediction.
const (
	levelParam   = "level"
	explainParam = "explain"
	versionParam = "version" // in the address
)

// extrasOf reads the parameters level and explain; others are left alone.
func (r *role) extrasOf(u *url.URL) (extras, *fieldError) {
	e := extras{level: r.cfg.Serving.IntervalLevel, explain: true}
	if u.RawQuery == "" {
		return e, nil
	}
	query := u.Query()
	if text := query.Get(levelParam); text != "" {
		level, ok := parseNumber(text)
		if !ok || model.CheckLevel(level) != nil {
			return e, &fieldError{
				Loc: []any{"query", levelParam}, Type: "value_error", Format: "this must be a number from %v to %v, such as %v",
				Args: []any{model.LeastLevel, model.MostLevel, model.DefaultLevel},
			}
		}
		e.level = level
	}
	if text := query.Get(explainParam); text != "" {
		explain, err := strconv.ParseBool(text)
		if err != nil {
			return e, &fieldError{Loc: []any{"query", explainParam}, Type: "bool_parsing", Format: "this must be true or false"}
		}
		e.explain = explain
	}
	return e, nil
}

// explain adds to an answer what there is beside the price of a listing.
func (q *question) explain(a *Answer, i int) {
	if q.asked == (extras{}) {
		return // a protocol that has no place for more
	}
	m, x := q.version.Model, q.features(i)
	interval, err := m.Interval(a.Prediction, q.asked.level)
	if err == nil {
		a.Interval = &interval
	} else {
		a.NoInterval = apperror.MessageOf(err)
	}
	if base := m.Base(); q.asked.explain && !math.IsNaN(base) {
		a.Base, a.Contributions = &base, &Contributions{names: m.Schema.Features, dollars: m.Contributions(x, make([]float64, 0, len(x)))}
	}
	a.Warnings = warningsOf(m.Warnings(&q.requests[i].Listing, x, nil))
}

// features returns what a listing was priced from. It is overwritten by the next call.
func (q *question) features(i int) []float64 {
	if len(q.requests) == 1 {
		return q.scratch
	}
	_, q.again, _ = q.version.Price(&q.requests[i].Listing, q.requests[i].AsOf, q.again) // it had a price before
	return q.again
}

// appendExtras appends what explain adds to an answer, with the comma before it.
func (q *question) appendExtras(dst []byte, i int) []byte {
	if q.asked == (extras{}) {
		return dst
	}
	m, x := q.version.Model, q.features(i)
	interval, err := m.Interval(q.prices[i], q.asked.level)
	if err == nil {
		dst = append(dst, `,"interval":{"level":`...)
		dst = appendFloat(dst, interval.Level)
		dst = append(dst, `,"low":`...)
		dst = appendFloat(dst, interval.Low)
		dst = append(dst, `,"high":`...)
		dst = appendFloat(dst, interval.High)
		dst = append(dst, '}')
	} else {
		dst = append(dst, `,"interval_missing":`...)
		dst = appendString(dst, apperror.MessageOf(err))
	}
	if q.asked.explain && len(q.version.base) > 0 {
		dst = append(dst, q.version.base...)
		q.parts = m.Contributions(x, q.parts[:0])
		for i, name := range q.version.features {
			dst = appendFloat(append(dst, name...), q.parts[i])
		}
		dst = append(dst, '}')
	}
	if q.unusual = m.Warnings(&q.requests[i].Listing, x, q.unusual[:0]); len(q.unusual) > 0 {
		text, err := json.Marshal(warningsOf(q.unusual))
		if err == nil { // texts can always be written
			dst = append(append(dst, `,"warnings":`...), text...)
		}
	}
	return dst
}

func warningsOf(found []model.Warning) []Warning {
	var out []Warning
	for _, w := range found {
		out = append(out, Warning{Type: string(w.Kind), Field: w.Field, Message: w.Sentence().String()})
	}
	return out
}

// Warning is something unusual about a listing.
type Warning struct {
	Type    string `json:"type" doc:"outside_training, unseen_status, missing_filled or missing_sold_date."`
	Field   string `json:"field" doc:"Field or feature that it is about."`
	Message string `json:"message" doc:"What is unusual."`
}

// Contributions is an object with a number of dollars for each feature, in the order of the model's features.
type Contributions struct {
	names   []string
	dollars []float64
}

// MarshalJSON writes the object.
func (c *Contributions) MarshalJSON() ([]byte, error) {
	dst := []byte{'{'}
	for i, name := range c.names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, name)
		dst = append(dst, ':')
		dst = appendFloat(dst, c.dollars[i])
	}
	return append(dst, '}'), nil
}

// Schema describes the object.
func (*Contributions) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: &huma.Schema{Type: huma.TypeNumber}}
}
