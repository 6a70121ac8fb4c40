package serving

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"
)

const (
	maxBody = 64 << 10 // the longest request that one listing can need, in bytes
	maxList = 1000     // listings in one request
	// maxListBody is the longest request of a list, in bytes: more than any 1000 listings that are meant.
	maxListBody = 1 << 20
	// maxProblems bounds what is said of a list, whose listings may all be wrong in all fields.
	maxProblems = 100
)

// read reads a body of JSON whole, into the question's memory.
func (q *question) read(r io.Reader) error {
	q.body = q.body[:0]
	for {
		if len(q.body) == cap(q.body) {
			q.body = slices.Grow(q.body, max(1024, len(q.body)))
		}
		n, err := r.Read(q.body[len(q.body):cap(q.body)])
		q.body = q.body[:len(q.body)+n]
		if err == io.EOF { // as it is, says io.Reader
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// decode reads the listings of the body: one, or a list of them. The error says that the body is too long for what it is.
func (q *question) decode() ([]fieldError, error) {
	q.decoded, q.list = q.decoded[:0], false
	if !utf8.Valid(q.body) {
		return []fieldError{{Loc: []any{"body"}, Type: "json_invalid", Format: "the body is not UTF-8 text"}}, nil
	}
	// One copy, which all texts are parts of; the memory of the body is used again.
	text := string(q.body)
	begin := scanner{text: text}
	begin.space()
	if begin.at == len(text) {
		return []fieldError{{Loc: []any{"body"}, Type: "missing", Format: "the body is empty; send a listing as a JSON object"}}, nil
	}
	if text[begin.at] == '[' {
		q.list = true
		return q.decodeList(text), nil
	}
	if len(text) > maxBody {
		return nil, &http.MaxBytesError{Limit: maxBody}
	}
	if scanListing(text, q.next()) {
		return nil, nil
	}
	one, problem := decodeObject(q.body)
	if problem != nil {
		return []fieldError{*problem}, nil
	}
	q.decoded[0] = one
	return nil, nil
}

// next returns the place of the next listing, nil if there are too many.
func (q *question) next() *decoded {
	if len(q.decoded) == maxList {
		return nil
	}
	q.decoded = append(q.decoded, decoded{})
	return &q.decoded[len(q.decoded)-1]
}

func (q *question) decodeList(text string) (problems []fieldError) {
	if scanList(text, q.next) {
		return nil
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(q.body, &raw); err != nil {
		return []fieldError{*explainJSON(err)}
	}
	if len(raw) > maxList {
		return []fieldError{{
			Loc: []any{"body"}, Type: "too_long", Format: "the list has %s listings; send at most %s at once, or all as a file to /predict/batch",
			Args: []any{strconv.Itoa(len(raw)), strconv.Itoa(maxList)},
		}}
	}
	q.decoded = q.decoded[:0]
	for i, item := range raw {
		one, problem := decodeObject(item)
		if problem != nil {
			problem.Loc = []any{"body", i}
			problem.Format = "this is a JSON %s; each listing of the list must be a JSON object"
			problems = append(problems, *problem)
		}
		q.decoded = append(q.decoded, one)
	}
	return problems[:min(len(problems), maxProblems)]
}

// check turns what was decoded into requests, or says what is wrong with each listing.
func (q *question) check() (problems []fieldError) {
	q.requests = slices.Grow(q.requests[:0], len(q.decoded))[:len(q.decoded)]
	for i := range q.decoded {
		wrong := check(&q.requests[i], &q.decoded[i].values, q.version.statuses, q.now)
		q.requests[i].Unknown = q.decoded[i].unknown
		for _, p := range wrong {
			if q.list {
				p.Loc = append([]any{"body", i}, p.Loc[1:]...)
			}
			problems = append(problems, p)
		}
		if len(problems) >= maxProblems {
			return problems[:maxProblems]
		}
	}
	return problems
}
