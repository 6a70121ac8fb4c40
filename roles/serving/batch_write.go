package serving

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// rowWriter writes the answer to a batch in one form. It is used by several goroutines, each on its own dst.
type rowWriter interface {
	head(dst []byte) []byte
	// price and problem write the answer to a row; row is its number, from 1, and text what it was.
	price(dst []byte, row int, text string, price float64) []byte
	problem(dst []byte, row int, text string, what ValidationError) []byte
	tail(dst []byte, s *Summary) []byte
}

// Summary is how a batch ended.
type Summary struct {
	Rows         int      `json:"rows" doc:"Rows that were read."`
	OK           int      `json:"ok" doc:"Rows with a prediction."`
	Failed       int      `json:"failed" doc:"Rows with an error."`
	ModelName    string   `json:"model_name" doc:"Registered model that answered."`
	ModelVersion string   `json:"model_version" doc:"Its version."`
	ModelRunID   string   `json:"model_run_id" doc:"Run that trained it."`
	RequestID    string   `json:"request_id" doc:"Id of the request; recorded predictions are found by it."`
	Recorded     bool     `json:"recorded" doc:"Whether the predictions are recorded."`
	Ignored      []string `json:"ignored_fields,omitempty" doc:"Fields of the request that are not known."`
	Error        string   `json:"error,omitempty" doc:"Why the rows after the last one were not read."`
}

// BatchRow is the answer to one row of a batch: a prediction or an error. NDJSON has one on each line, and {"summary": …} on the last.
type BatchRow struct {
	Row        int              `json:"row" doc:"Number of the row, from 1; blank lines do not count."`
	Prediction *float64         `json:"prediction,omitempty" doc:"Price in dollars."`
	Error      *ValidationError `json:"error,omitempty" doc:"What is wrong with the row."`
}

// BatchAnswer is the answer to a batch as one JSON object.
type BatchAnswer struct {
	Results []BatchRow `json:"results" nullable:"false" doc:"One for each row, in their order."`
	Summary Summary    `json:"summary" doc:"How the batch ended."`
}

// appendPrice writes dollars as encoding/json writes a number.
func appendPrice(dst []byte, v float64) []byte {
	form := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(dst, v, form, -1, 64)
}

// lineAnswers are NDJSON; arrayAnswers put the same objects into one.
type lineAnswers struct{}

func (lineAnswers) head(dst []byte) []byte { return dst }

func (lineAnswers) price(dst []byte, row int, _ string, price float64) []byte {
	return append(appendJSONPrice(dst, row, price), '\n')
}

func (lineAnswers) problem(dst []byte, row int, _ string, what ValidationError) []byte {
	return append(appendJSONProblem(dst, row, what), '\n')
}

func (lineAnswers) tail(dst []byte, s *Summary) []byte {
	dst = append(dst, `{"summary":`...)
	return append(appendJSON(dst, s), "}\n"...)
}

type arrayAnswers struct{}

func (arrayAnswers) head(dst []byte) []byte { return append(dst, `{"results":[`...) }

func (arrayAnswers) price(dst []byte, row int, _ string, price float64) []byte {
	return appendJSONPrice(comma(dst, row), row, price)
}

func (arrayAnswers) problem(dst []byte, row int, _ string, what ValidationError) []byte {
	return appendJSONProblem(comma(dst, row), row, what)
}

func (arrayAnswers) tail(dst []byte, s *Summary) []byte {
	dst = append(dst, "\n],\"summary\":"...)
	return append(appendJSON(dst, s), "}\n"...)
}

func comma(dst []byte, row int) []byte {
	if row > 1 {
		dst = append(dst, ',')
	}
	return append(dst, '\n')
}

func appendJSONPrice(dst []byte, row int, price float64) []byte {
	dst = append(dst, `{"row":`...)
	dst = strconv.AppendInt(dst, int64(row), 10)
	dst = append(dst, `,"prediction":`...)
	return append(appendPrice(dst, price), '}')
}

func appendJSONProblem(dst []byte, row int, what ValidationError) []byte {
	dst = append(dst, `{"row":`...)
	dst = strconv.AppendInt(dst, int64(row), 10)
	dst = append(dst, `,"error":`...)
	return append(appendJSON(dst, what), '}')
}

func appendJSON(dst []byte, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // of our own types, which JSON can hold
		return append(dst, "null"...)
	}
	return append(dst, b...)
}

// csvOutput is CSV: the columns of a CSV that came, as they came, or else the number of the row; then prediction and error.
type csvOutput struct{ came *csvHead } // nil if something else came

func (c csvOutput) head(dst []byte) []byte {
	if c.came == nil {
		dst = append(dst, "row"...)
	} else {
		dst = append(dst, c.came.text...)
	}
	return append(dst, ",prediction,error\n"...)
}

// left writes what stands before the answer. Of a row that cannot be read as CSV the columns up to there are kept.
func (c csvOutput) left(dst []byte, row int, text string) []byte {
	if c.came == nil {
		return strconv.AppendInt(dst, int64(row), 10)
	}
	start, columns := c.came.readable(strings.ToValidUTF8(text, "\ufffd"))
	dst = append(dst, start...)
	for ; columns < c.came.width; columns++ {
		dst = append(dst, ',')
	}
	return dst
}

func (c csvOutput) price(dst []byte, row int, text string, price float64) []byte {
	dst = append(c.left(dst, row, text), ',')
	return append(appendPrice(dst, price), ",\n"...)
}

func (c csvOutput) problem(dst []byte, row int, text string, what ValidationError) []byte {
	dst = append(c.left(dst, row, text), `,,"`...)
	for i, p := range what.Detail {
		if i > 0 {
			dst = append(dst, "; "...)
		}
		if name, ok := p.Loc[len(p.Loc)-1].(string); ok && len(p.Loc) > 1 {
			dst = append(append(dst, name...), ": "...)
		}
		dst = append(dst, strings.ReplaceAll(p.Msg, `"`, `""`)...)
		if p.Input != "" {
			dst = append(append(dst, ": "...), strings.ReplaceAll(p.Input, `"`, `""`)...)
		}
	}
	return append(dst, "\"\n"...)
}

// tail has no summary: that would be a row. What ended the batch early is one, because a file that is kept has no trailer.
func (c csvOutput) tail(dst []byte, s *Summary) []byte {
	if s.Error == "" {
		return dst
	}
	return c.problem(dst, s.Rows+1, "", ValidationError{Detail: []ErrorDetail{{Loc: []any{"body"}, Msg: s.Error}}})
}
