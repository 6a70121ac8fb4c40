package serving

import (
	"bytes"
	"fmt"
	"strconv"
)

// maxRow is the longest row that a batch may have, in bytes.
const maxRow = 64 << 10

// What cutting a stream into rows finds out about one of them.
type flaw uint8

const (
	sound  flaw = iota
	tooBig      // longer than maxRow; its text is not kept
	broken      // its quotes do not pair as CSV has them
)

// span is one row of a chunk.
type span struct {
	from, to int
	flaw     flaw
}

// cutter cuts the stream of a batch into rows. It is used by one goroutine, and only the start of rows that are not whole yet comes to it again.
type cutter interface {
	// cut appends the whole rows that data begins with to rows and returns how many bytes they take; ended says that no data follows. An error means that
	// nothing more can be read: a *fieldError of the stream.
	cut(data []byte, ended bool, rows []span) ([]span, int, error)
}

// Error makes a fieldError an error, for those that end a batch.
func (e *fieldError) Error() string { return fmt.Sprintf(e.Format, e.Args...) }

// lineCutter cuts NDJSON: every line that is not blank is a row.
type lineCutter struct{ skipping bool }

func (l *lineCutter) cut(data []byte, ended bool, rows []span) ([]span, int, error) {
	at := 0
	for at < len(data) {
		length := bytes.IndexByte(data[at:], '\n')
		next := at + length + 1
		if length < 0 {
			if !ended {
				break
			}
			length, next = len(data)-at, len(data)
		}
		switch row := data[at : at+length]; {
		case l.skipping:
			l.skipping = false
		case len(row) > maxRow:
			rows = append(rows, span{from: at, to: at, flaw: tooBig})
		case !isBlank(row):
			rows = append(rows, span{from: at, to: at + length})
		}
		at = next
	}
	if len(data)-at > maxRow && !l.skipping {
		rows, l.skipping = append(rows, span{from: at, to: at, flaw: tooBig}), true
	}
	if l.skipping {
		at = len(data)
	}
	return rows, at, nil
}

func isBlank(row []byte) bool {
	for _, c := range row {
		if c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// csvCutter cuts CSV (RFC 4180): a line that is not blank is a row, and longer if a quote is open at its end. A row whose quotes are wrong ends with its line.
type csvCutter struct {
	head     *csvHead // filled by the first row
	skipping bool
}

func (c *csvCutter) cut(data []byte, ended bool, rows []span) ([]span, int, error) {
	at := 0
	if c.skipping {
		line := bytes.IndexByte(data, '\n')
		if line < 0 {
			return rows, len(data), nil
		}
		at, c.skipping = line+1, false
	}
	for at < len(data) {
		// A row that does not end in the window is too long, however much of it is there.
		window := data[:min(len(data), at+maxRow+1)]
		end, next, flaw := csvRow(window, at, ended && len(window) == len(data))
		if end < 0 {
			if !ended && len(data)-at <= maxRow {
				break
			}
			// Too long, or a quote that is never closed: reading goes on behind the line that the row begins in.
			line := bytes.IndexByte(data[at:], '\n')
			c.skipping = line < 0 && !ended
			end, next, flaw = at, at+line+1, tooBig
			if line < 0 {
				next = len(data)
			}
			if len(data)-at <= maxRow { // a quote that is never closed
				end, flaw = withoutCR(data, at, next), broken
				if line >= 0 {
					end = withoutCR(data, at, at+line)
				}
			}
		}
		problem := c.add(&rows, data, span{from: at, to: end, flaw: flaw})
		if problem != nil {
			return rows, at, problem
		}
		at = next
	}
	if ended && c.head.width == 0 {
		return rows, at, &fieldError{Loc: []any{"body"}, Type: "missing", Format: "the body is empty; the first line of the CSV must name the columns"}
	}
	return rows, at, nil
}

// add appends a row, unless it is blank or the head.
func (c *csvCutter) add(rows *[]span, data []byte, row span) *fieldError {
	text := data[row.from:row.to]
	switch {
	case row.flaw == sound && isBlank(text):
		return nil
	case c.head.width == 0:
		return c.head.read(text, row.flaw)
	case len(text) > maxRow:
		row = span{from: row.from, to: row.from, flaw: tooBig}
	}
	*rows = append(*rows, row)
	return nil
}

// csvRow finds the end of the row at data[at:] and where the next begins; end is -1 if it does not end in data.
func csvRow(data []byte, at int, ended bool) (end, next int, flaw flaw) {
	line := bytes.IndexByte(data[at:], '\n')
	end, next = at+line, at+line+1
	if line < 0 {
		end, next = len(data), len(data)
	}
	if bytes.IndexByte(data[at:end], '"') < 0 {
		if line < 0 && !ended {
			return -1, 0, sound
		}
		return withoutCR(data, at, end), next, sound
	}
	return quotedRow(data, at, ended)
}

// quotedRow is csvRow for a row that has quotes.
func quotedRow(data []byte, at int, ended bool) (end, next int, flaw flaw) {
	fresh := true // a field begins
	for i := at; i < len(data); i++ {
		switch c := data[i]; {
		case c == '\n':
			return withoutCR(data, at, i), i + 1, flaw
		case c == ',':
			fresh = true
			continue
		case c == '"' && fresh && flaw == sound:
			closing := closingQuote(data, i+1)
			if closing < 0 {
				return -1, 0, sound
			}
			i = closing
			if i+1 < len(data) && data[i+1] != ',' && data[i+1] != '\n' && data[i+1] != '\r' {
				flaw = broken
			}
		case c == '"':
			flaw = broken
		}
		fresh = false
	}
	if !ended {
		return -1, 0, sound
	}
	return len(data), len(data), flaw
}

// closingQuote finds the quote that ends a field whose text begins at from; two in a row stand for one.
func closingQuote(data []byte, from int) int {
	for from < len(data) {
		i := bytes.IndexByte(data[from:], '"')
		if i < 0 {
			return -1
		}
		from += i + 1
		if from == len(data) || data[from] != '"' {
			return from - 1
		}
		from++
	}
	return -1
}

func withoutCR(data []byte, from, to int) int {
	if to > from && data[to-1] == '\r' {
		return to - 1
	}
	return to
}

// arrayCutter cuts a JSON array: every element is a row.
type arrayCutter struct {
	state   arrayState
	before  int64 // bytes cut already
	depth   int   // of the element under way
	inText  bool
	escaped bool
	looked  int // bytes of the element under way that were looked at
	long    bool
}

type arrayState uint8

const (
	beforeArray arrayState = iota
	beforeFirst
	beforeElement
	inElement
	afterElement
	afterArray
)

func (a *arrayCutter) cut(data []byte, ended bool, rows []span) ([]span, int, error) {
	start, i := 0, 0 // of the element under way, and of what is looked at
	if a.state == inElement {
		i = a.looked
	}
	for i < len(data) {
		c := data[i]
		if a.state == inElement {
			end := a.element(data, i)
			if end < 0 {
				break
			}
			rows, i = a.ended(rows, start, end), end
			continue
		}
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			i++
			continue
		}
		switch {
		case a.state == beforeArray && c == '[':
			a.state = beforeFirst
		case (a.state == beforeFirst || a.state == afterElement) && c == ']':
			a.state = afterArray
		case a.state == afterElement && c == ',':
			a.state = beforeElement
		case (a.state == beforeFirst || a.state == beforeElement) && c != ',' && c != ']' && c != '}' && c != ':':
			a.state, a.depth, a.inText, a.escaped, start = inElement, 0, false, false, i
			continue
		default:
			return rows, i, a.wrong(i)
		}
		i++
	}
	return a.rest(data, ended, rows, start)
}

// rest decides about what data ends with.
func (a *arrayCutter) rest(data []byte, ended bool, rows []span, start int) ([]span, int, error) {
	if ended && a.state != afterArray {
		return rows, len(data), &fieldError{Loc: []any{"body", a.before + int64(len(data))}, Type: "json_invalid", Format: "the JSON array ends in the middle"}
	}
	if a.state != inElement {
		a.before += int64(len(data))
		return rows, len(data), nil
	}
	if len(data)-start > maxRow && !a.long {
		rows, a.long = append(rows, span{from: start, to: start, flaw: tooBig}), true
	}
	if a.long {
		start = len(data)
	}
	a.looked = len(data) - start
	a.before += int64(start)
	return rows, start, nil
}

func (a *arrayCutter) wrong(i int) error {
	at := a.before + int64(i)
	return &fieldError{
		Loc: []any{"body", at}, Type: "json_invalid", Format: "the body is not a JSON array of listings: the byte %s does not belong there",
		Args: []any{strconv.FormatInt(at, 10)},
	}
}

func (a *arrayCutter) ended(rows []span, start, end int) []span {
	a.state = afterElement
	switch {
	case a.long:
		a.long = false
	case end-start > maxRow:
		rows = append(rows, span{from: start, to: start, flaw: tooBig})
	default:
		rows = append(rows, span{from: start, to: end})
	}
	return rows
}

// element looks on from data[i] for the end of the element under way; -1 if it is not there. Brackets only are counted: whether they are of one kind shows when
// the element is read.
func (a *arrayCutter) element(data []byte, i int) int {
	for ; i < len(data); i++ {
		c := data[i]
		switch {
		case a.escaped:
			a.escaped = false
		case a.inText:
			switch c {
			case '\\':
				a.escaped = true
			case '"':
				a.inText = false
			}
		case c == '"':
			a.inText = true
		case c == '{' || c == '[':
			a.depth++
		case c == '}' || c == ']':
			if a.depth == 0 { // of the array
				return i
			}
			if a.depth--; a.depth == 0 {
				return i + 1
			}
		case a.depth == 0 && (c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			return i
		}
	}
	return -1
}
