package listingcsv

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"tasador/pkg/apperror"
)

// lineError is what is wrong at a line of a block; lines are counted from 0 at the block's first.
type lineError struct {
	line   int
	format string // begins with the line as %d
	args   []any
}

// at returns the error for a block whose first line is the given one of the file.
func (e *lineError) at(first int) error {
	return apperror.New(apperror.Invalid, e.format, append([]any{e.line + first}, e.args...)...)
}

// parser parses blocks. It is used again and again, but not by two goroutines at once.
type parser struct {
	maxRecord int
	width     int
	slots     []int8
	line      int // lines of the block that lie before what is being read
	record    Record
	scratch   []byte // unescaped text of the record
}

// special marks the bytes that end an unquoted field or do not belong in one.
var special = [256]bool{',': true, '\n': true, '\r': true, '"': true}

// block calls add with every record of a block and returns how many lines the block has.
func (p *parser) block(b []byte, add func(*Record)) (int, *lineError) {
	p.line = 0
	if err := checkText(b); err != nil {
		return 0, err
	}
	for {
		b = p.skipBlank(b)
		if len(b) == 0 {
			return p.line, nil
		}
		rest, err := p.next(b)
		if err != nil {
			return 0, err
		}
		add(&p.record)
		b = rest
	}
}

// next reads the record that b begins with and returns what follows it.
func (p *parser) next(b []byte) ([]byte, *lineError) {
	p.record = Record{}
	p.scratch = p.scratch[:0]
	at := 0
	for field := 0; ; field++ {
		value, end, err := p.field(b, at)
		if err != nil {
			return nil, err
		}
		if field == p.width {
			return nil, p.fault("line %d has more than the %d fields that the header names; put quotes around fields that hold commas", p.width)
		}
		if slot := p.slots[field]; slot >= 0 && len(value) > 0 {
			p.record.fields[slot] = value
		}
		at = end + 1
		if end == len(b) || b[end] != ',' {
			return p.endRecord(b, end)
		}
	}
}

// header reads the names of the columns; nil if there are only blank lines.
func (p *parser) header(b []byte) ([]string, []byte, *lineError) {
	if err := checkText(b); err != nil {
		err.line += p.line
		return nil, nil, err
	}
	b = p.skipBlank(b)
	if len(b) == 0 {
		return nil, nil, nil
	}
	var names []string
	for at := 0; ; {
		value, end, err := p.field(b, at)
		if err != nil {
			return nil, nil, err
		}
		names = append(names, string(value))
		at = end + 1
		if end == len(b) || b[end] != ',' {
			rest, err := p.endRecord(b, end)
			return names, rest, err
		}
	}
}

// endRecord passes over the line end at b[end], where a record ends.
func (p *parser) endRecord(b []byte, end int) ([]byte, *lineError) {
	if end > p.maxRecord {
		return nil, p.tooLong()
	}
	p.line++
	return afterLineEnd(b, end), nil
}

func afterLineEnd(b []byte, end int) []byte {
	if end == len(b) {
		return nil
	}
	if b[end] == '\r' && end+1 < len(b) && b[end+1] == '\n' {
		end++
	}
	return b[end+1:]
}

// field reads the field at b[at:] and returns where it ends: at a comma, a line end, or the end of b.
func (p *parser) field(b []byte, at int) ([]byte, int, *lineError) {
	if at < len(b) && b[at] == '"' {
		return p.quoted(b, at+1)
	}
	end := at
	for end < len(b) && !special[b[end]] {
		end++
	}
	if end < len(b) && b[end] == '"' {
		return nil, 0, p.fault(`line %d has a quote (") within a field that does not begin with one; put the field in quotes and double the quotes in it`)
	}
	return b[at:end], end, nil
}

// quoted reads a field whose opening quote lies before at.
func (p *parser) quoted(b []byte, at int) ([]byte, int, *lineError) {
	from, kept := at, len(p.scratch)
	for {
		length := bytes.IndexByte(b[at:], '"')
		if length < 0 {
			if len(b) > p.maxRecord {
				return nil, 0, p.tooLong()
			}
			return nil, 0, p.fault(`line %d: a quote (") opens a field here or further up and is never closed`)
		}
		p.line += lineEnds(b[at : at+length])
		end := at + length
		at = end + 1
		if at < len(b) && b[at] == '"' { // a doubled quote stands for one
			at++
			p.scratch = append(p.scratch, b[from:at-1]...)
			from = at
			continue
		}
		if at < len(b) && (b[at] == '"' || !special[b[at]]) {
			return nil, 0, p.fault(`line %d has text behind the closing quote (") of a field; double the quotes within fields`)
		}
		if len(p.scratch) == kept {
			return b[from:end], at, nil
		}
		p.scratch = append(p.scratch, b[from:end]...)
		return p.scratch[kept:], at, nil
	}
}

// skipBlank passes over lines that hold nothing but spaces and tabs.
func (p *parser) skipBlank(b []byte) []byte {
	for len(b) > 0 {
		end := 0
		for end < len(b) && (b[end] == ' ' || b[end] == '\t') {
			end++
		}
		if end < len(b) && b[end] != '\n' && b[end] != '\r' {
			return b
		}
		b = afterLineEnd(b, end)
		p.line++
	}
	return b
}

func (p *parser) fault(format string, args ...any) *lineError {
	return &lineError{line: p.line, format: format, args: args}
}

func (p *parser) tooLong() *lineError {
	return p.fault(`line %d: the record here is longer than %d bytes, the most that is read; is a quote (") never closed?`, p.maxRecord)
}

// lineEnds counts the line ends in b: LF, CRLF, and CR alone.
func lineEnds(b []byte) int {
	n := bytes.Count(b, newline)
	for i := bytes.IndexByte(b, '\r'); i >= 0; {
		if i+1 == len(b) || b[i+1] != '\n' {
			n++
		}
		next := bytes.IndexByte(b[i+1:], '\r')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return n
}

var newline = []byte{'\n'}

// checkText finds bytes that are not UTF-8. Most text is ASCII, of which eight bytes are passed at a time.
func checkText(b []byte) *lineError {
	const high = 0x8080808080808080
	for at := 0; at < len(b); {
		if at+8 <= len(b) && binary.LittleEndian.Uint64(b[at:])&high == 0 {
			at += 8
			continue
		}
		r, size := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && size == 1 {
			return &lineError{line: lineEnds(b[:at]), format: "line %d holds bytes that are not UTF-8 text; save the file as UTF-8"}
		}
		at += size
	}
	return nil
}
