package serving

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// rowReader reads one row of a batch.
type rowReader interface {
	read(text string, v *values, unknown func(name string)) *fieldError
}

// jsonRows are rows of NDJSON or of a JSON array.
type jsonRows struct{}

func (jsonRows) read(text string, v *values, unknown func(name string)) *fieldError {
	p := jsonScanner{s: text}
	return p.listing(v, unknown)
}

// csvHead is what the first row of a CSV file says.
type csvHead struct {
	text   string // as it came
	names  []string
	width  int   // columns
	fields []int // for every column, the index of its field or noField

	anyColumns bool // any names will do
}

// csvAnswers are the columns that an answer in CSV adds.
var csvAnswers = [...]string{"prediction", "error"}

// read takes the names of the columns. Whatever would fail every row is told at once.
func (h *csvHead) read(row []byte, flaw flaw) *fieldError {
	text := strings.TrimPrefix(string(row), "\ufeff")
	if flaw != sound || !utf8.ValidString(text) || len(text) > maxRow {
		return &fieldError{Loc: []any{"body", 1}, Type: "csv_invalid", Format: "the first line of the CSV cannot be read; it must name the columns, in UTF-8"}
	}
	h.text, h.names, h.fields = text, nil, nil
	var present [fieldCount]bool
	for at := 0; at <= len(text); {
		var name string
		name, at = csvField(text, at)
		i := indexOf(name)
		switch {
		case i == noField:
		case present[i] && !h.anyColumns: // which of them is meant nobody can tell
			return twice(name)
		default:
			present[i] = true
		}
		h.names, h.fields = append(h.names, name), append(h.fields, i)
	}
	h.width = len(h.names)
	if h.anyColumns {
		return nil
	}
	for _, name := range csvAnswers {
		if slices.Contains(h.names, name) {
			return &fieldError{Loc: []any{"body", name}, Type: "value_error", Format: "the answer has a column %s of its own; rename yours", Args: []any{name}}
		}
	}
	for i, f := range fieldTable {
		if f.Required && !present[i] {
			return &fieldError{Loc: []any{"body", f.Name}, Type: "missing", Format: "the CSV has no column %s, which every listing needs", Args: []any{f.Name}}
		}
	}
	return nil
}

var fieldTable = fields()

const twoColumns = "the CSV has two columns %s; leave one of them out, or rename it"

// twice refuses a column that is there two times.
func twice(name string) *fieldError {
	return &fieldError{Loc: []any{"body", name}, Type: "value_error", Format: twoColumns, Args: []any{name}}
}

// readRow takes the fields of a row. Everything is text: what must be a number is read as one, as in a form.
func (h *csvHead) readRow(text string, v *values) *fieldError {
	if !utf8.ValidString(text) {
		return &fieldError{Loc: []any{"body"}, Type: "csv_invalid", Format: "the row is not UTF-8 text", Input: rawRow(text)}
	}
	err := h.each(text, func(column int, field string) error {
		if i := h.fields[column]; i != noField {
			v[i] = csvValue(field, fieldTable[i].Kind)
		}
		return nil
	})
	var problem *fieldError
	if errors.As(err, &problem) {
		problem.Input = rawRow(text)
	}
	return problem
}

// badQuotes is what is wrong with a row that is cut as broken.
const badQuotes = "the quotes of the row do not pair; put a field that holds quotes in quotes and double those in it"

const tooLongRow = "the row is longer than 64 kB, or a quote in it is never closed"

// maxInput is how much of a row that cannot be read is given back, in bytes.
const maxInput = 1 << 10

// rawRow is a row of CSV that cannot be read, given back so that whoever sent it finds it.
func rawRow(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if len(text) > maxInput {
		return strings.ToValidUTF8(text[:maxInput], "") + "…"
	}
	return text
}

// each calls take with every field of a row.
func (h *csvHead) each(text string, take func(column int, field string) error) error {
	for column, at := 0, 0; at <= len(text); column++ {
		if column == h.width {
			return &fieldError{
				Loc: []any{"body"}, Type: "csv_invalid", Format: "the row has more than the %s fields that the header names",
				Args: []any{strconv.Itoa(h.width)},
			}
		}
		var field string
		field, at = csvField(text, at)
		if err := take(column, field); err != nil {
			return err
		}
	}
	return nil
}

// readable returns the start of a row that can be told field by field, at most as many fields as the head names, and their number.
func (h *csvHead) readable(text string) (start string, columns int) {
	for at := 0; at <= len(text) && columns < h.width; columns++ {
		field, next := csvField(text, at)
		if quoted := at < len(text) && text[at] == '"'; !quoted && strings.IndexByte(field, '"') >= 0 || quoted && !closes(text, next-1) {
			return text[:at], columns + 1 // the field that is not told stays empty
		}
		start, at = text[:min(next-1, len(text))], next
	}
	return start, columns
}

// closes says whether a quoted field whose last quote is before text[end] is followed by another field, or by nothing.
func closes(text string, end int) bool {
	return end <= len(text) && text[end-1] == '"' && (end == len(text) || text[end] == ',')
}

func csvValue(field string, kind kind) value {
	v := textValue(field)
	if v.kind != isText || kind != number {
		return v
	}
	if n, ok := parseNumber(field); ok {
		return value{kind: isNumber, number: n}
	}
	return v
}

// csvField returns the field of a sound row that begins at from, and where the next begins: beyond the end after the last.
func csvField(row string, from int) (field string, next int) {
	if from == len(row) || row[from] != '"' {
		end := strings.IndexByte(row[from:], ',')
		if end < 0 {
			return row[from:], len(row) + 1
		}
		return row[from : from+end], from + end + 1
	}
	at, doubled := from+1, false
	for at < len(row) {
		if row[at] == '"' {
			if at+1 == len(row) || row[at+1] != '"' {
				break
			}
			doubled = true
			at++
		}
		at++
	}
	field = row[from+1 : min(at, len(row))]
	if doubled {
		field = strings.ReplaceAll(field, `""`, `"`)
	}
	return field, at + 2
}

// csvRows are rows of a CSV file.
type csvRows struct{ head *csvHead }

func (c csvRows) read(text string, v *values, _ func(name string)) *fieldError {
	return c.head.readRow(text, v)
}
