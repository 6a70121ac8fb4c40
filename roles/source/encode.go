package source

import (
	"encoding/json"
	"slices"
	"strconv"

	"tasador/pkg/listinggen"
	"tasador/pkg/property"
)

// encoder writes rows as JSON, with the nulls and gaps that the plan wants.
type encoder struct {
	plan   listinggen.Batch
	fields []encoded
	buf    []byte
}

// encoded is one value of a row: where it comes from, -1 for always null, and what stands before it.
type encoded struct {
	from   int
	column string
	prefix []byte
}

func newEncoder(b *openBatch) *encoder {
	e := &encoder{plan: b.plan}
	if b.plan.Arrays {
		for _, column := range property.Columns() {
			e.fields = append(e.fields, encoded{from: slices.Index(b.columns, column), column: column})
		}
		return e
	}
	for i, column := range b.columns {
		if !slices.Contains(b.plan.Missing, column) {
			e.fields = append(e.fields, encoded{from: i, column: column, prefix: append(appendText(nil, column), ':')})
		}
	}
	return e
}

// row returns row i (from 0) of the batch with the comma that parts it from the row before; valid until the next call.
func (e *encoder) row(i int, literals [][]byte) []byte {
	open, end := byte('{'), byte('}')
	if e.plan.Arrays {
		open, end = '[', ']'
	}
	e.buf = e.buf[:0]
	if i > 0 {
		e.buf = append(e.buf, ',', '\n')
	}
	e.buf = append(e.buf, open)
	for n, f := range e.fields {
		if n > 0 {
			e.buf = append(e.buf, ',')
		}
		e.buf = append(e.buf, f.prefix...)
		switch {
		case f.from < 0 || e.plan.IsNull(f.column, i):
			e.buf = append(e.buf, "null"...)
		case e.plan.IsWrong(f.column, i):
			e.buf = append(e.buf, "true"...) // no column holds that
		default:
			e.buf = append(e.buf, literals[f.from]...)
		}
	}
	return append(e.buf, end)
}

// appendText appends s as a JSON text.
func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil { // a string always encodes
				return append(dst, "null"...)
			}
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// appendNumber appends v as a JSON number, null if it is missing.
func appendNumber(dst []byte, v float64) []byte {
	if property.IsNull(v) {
		return append(dst, "null"...)
	}
	if v == float64(int64(v)) {
		return append(strconv.AppendInt(dst, int64(v), 10), '.', '0')
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}

func appendMaybe(dst []byte, t property.Text) []byte {
	if !t.Valid {
		return append(dst, "null"...)
	}
	return appendText(dst, t.Value)
}
