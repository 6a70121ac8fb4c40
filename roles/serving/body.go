package serving

import (
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
	p := jsonScanner{s: string(q.body)} // one copy, which all texts are parts of; the memory of the body is used again
	if q.list = p.token() == '['; q.list {
		return q.decodeList(&p), nil
	}
	if len(p.s) > maxBody {
		return nil, &http.MaxBytesError{Limit: maxBody}
	}
	q.decoded = append(q.decoded, decoded{})
	one := &q.decoded[0]
	if problem := p.listing(&one.values, one.ignore); problem != nil {
		return []fieldError{*problem}, nil
	}
	one.ordered()
	return nil, nil
}

func (q *question) decodeList(p *jsonScanner) (problems []fieldError) {
	if !utf8.ValidString(p.s) {
		return []fieldError{{Loc: []any{"body"}, Type: "json_invalid", Format: "the body is not UTF-8 text"}}
	}
	count := 0
	err := p.elements(func(i int) error {
		count++
		object := p.token() == '{'
		if !object && len(problems) < maxProblems {
			problems = append(problems, fieldError{
				Loc: []any{"body", i}, Type: "dict_type", Format: "this is a JSON %s; each listing of the list must be a JSON object", Args: []any{p.kind()},
			})
		}
		if !object || i >= maxList {
			_, err := p.value(1)
			return err
		}
		q.decoded = append(q.decoded, decoded{})
		one := &q.decoded[len(q.decoded)-1]
		err := p.fields(&one.values, one.ignore)
		one.ordered()
		return err
	})
	if err == nil && !p.end() {
		err = errJSONSyntax
	}
	if err != nil {
		return []fieldError{*p.invalid(err)}
	}
	if count > maxList {
		return []fieldError{{
			Loc: []any{"body"}, Type: "too_long", Format: "the list has %s listings; send at most %s at once, or all as a file to /predict/batch",
			Args: []any{strconv.Itoa(count), strconv.Itoa(maxList)},
		}}
	}
	return problems
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
