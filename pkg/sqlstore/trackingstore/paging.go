package trackingstore

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash/fnv"
	"reflect"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
)

// kind is the type of a column, as far as page tokens have to know it.
type kind string

const (
	text  kind = "s"
	whole kind = "i"
	float kind = "f"
	truth kind = "b"
)

// sortKey is one term of an order. A term that can be NULL has one before it that tells NULL from other values.
type sortKey struct {
	sql  string
	kind kind
	desc bool
}

func (k sortKey) order() string {
	if k.desc {
		return k.sql + " DESC"
	}
	return k.sql
}

// window is a part of a list in some order: the rows after one whose sort keys are known. Unlike an offset this stays right while rows
// are added and removed before it, and the database does not count its way to it. The last key must be unique together with the others.
type window struct {
	keys  []sortKey
	after []any // values of the keys of the last row of the page before, nil for NULL; empty on the first page
	limit int
}

// newWindow reads a page request. Codes: Invalid.
func newWindow(q experiment.PageRequest, keys []sortKey, standard, most int) (window, error) {
	w := window{keys: keys, limit: q.MaxResults}
	switch {
	case q.MaxResults == 0:
		w.limit = standard
	case q.MaxResults < 0 || q.MaxResults > most:
		return w, apperror.New(apperror.Invalid,
			"Invalid value %d for parameter 'max_results' supplied. It must be a positive integer of at most %d.", q.MaxResults, most)
	}
	if q.PageToken == "" {
		return w, nil
	}
	var ok bool
	if w.after, ok = parseToken(q.PageToken, keys); !ok {
		return w, apperror.New(apperror.Invalid, "Invalid page token '%s'; send the one that the page before gave, with the same order.",
			experiment.Shorten(q.PageToken))
	}
	return w, nil
}

// token is what a page token holds: which order it belongs to, and where a page ended.
type token struct {
	Order string    `json:"o"`
	After []*string `json:"a"`
}

func signature(keys []sortKey) string {
	h := fnv.New32a()
	for _, k := range keys {
		_, _ = h.Write([]byte(k.order() + ",")) // never fails
	}
	return strconv.FormatUint(uint64(h.Sum32()), 36)
}

func formatToken(keys []sortKey, values []any) string {
	t := token{Order: signature(keys)}
	for _, v := range values {
		t.After = append(t.After, formatValue(v))
	}
	body, _ := json.Marshal(t) // texts always encode
	return base64.RawURLEncoding.EncodeToString(body)
}

func formatValue(v any) *string {
	var s string
	switch v := v.(type) {
	case nil:
		return nil
	case int64:
		s = strconv.FormatInt(v, 10)
	case float64:
		s = strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		s = strconv.FormatBool(v)
	case []byte:
		s = string(v)
	case string:
		s = v
	}
	return &s
}

func parseToken(encoded string, keys []sortKey) (after []any, ok bool) {
	var t token
	body, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || json.Unmarshal(body, &t) != nil || t.Order != signature(keys) || len(t.After) != len(keys) {
		return nil, false
	}
	for i, s := range t.After {
		if s == nil {
			after = append(after, nil)
			continue
		}
		v, err := keys[i].kind.parse(*s)
		if err != nil {
			return nil, false
		}
		after = append(after, v)
	}
	return after, true
}

func (k kind) parse(s string) (any, error) {
	switch k {
	case whole:
		return strconv.ParseInt(s, 10, 64)
	case float:
		return strconv.ParseFloat(s, 64)
	case truth:
		return strconv.ParseBool(s)
	default:
		if strings.Contains(s, "\x00") {
			return nil, strconv.ErrSyntax
		}
		return s, nil
	}
}

// condition is what holds for the rows after the last one of the page before. The first term bounds the rows on its own, so that an index
// on it can begin there.
func (w window) condition() (cond string, args []any) {
	for i := len(w.after) - 1; i >= 0; i-- {
		k, v := w.keys[i], w.after[i]
		if v == nil { // the term before says so, and all rows that it lets through are alike in this one
			continue
		}
		op := ">"
		if k.desc {
			op = "<"
		}
		if cond == "" {
			cond, args = k.sql+" "+op+" ?", []any{v}
			continue
		}
		cond, args = k.sql+" "+op+"= ? AND ("+k.sql+" "+op+" ? OR ("+cond+"))", append([]any{v, v}, args...)
	}
	return cond, args
}

// readWindow reads the rows of a query that are in the window, and the token of the next page if there is one.
func readWindow[R any](ctx context.Context, query *gorm.DB, w window) (rows []R, next string, err error) {
	rows, last, err := readRows[R](ctx, query, w)
	if err != nil || len(rows) <= w.limit {
		return rows, "", err
	}
	return rows[:w.limit], formatToken(w.keys, last), nil
}

// readRows reads the rows of a query that are in the window, and one more if there is one; last are the sort keys of the last one in it.
func readRows[R any](ctx context.Context, query *gorm.DB, w window) (rows []R, last []any, err error) {
	if cond, args := w.condition(); cond != "" {
		query = query.Where(cond, args...)
	}
	columns := query.Statement.Selects
	for i, k := range w.keys {
		query = query.Order(k.order())
		columns = append(columns, k.sql+" AS sort_key_"+strconv.Itoa(i))
	}
	found, err := query.Select(columns).Limit(w.limit + 1).Rows()
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = found.Close() }() // its errors are those of Err
	if _, ok := any(new(R)).(scanner); ok {
		return scanRows[R](found, w)
	}
	reader := &keyReader{Rows: found, limit: w.limit, keys: make([]any, len(w.keys))}
	tx := query.Session(&gorm.Session{NewDB: true, Context: ctx}).Model(new(R))
	if err := tx.Statement.Parse(&rows); err != nil {
		return nil, nil, err
	}
	tx.Statement.Dest, tx.Statement.ReflectValue = &rows, reflect.ValueOf(&rows).Elem()
	gorm.Scan(reader, tx, 0)
	return rows, reader.keys, errors.Join(tx.Error, found.Err())
}

// scanner is a row that is read without gorm, which looks at each field of each: there may be thousands.
type scanner interface {
	// dest are where the columns of the table go, in the order of the table.
	dest() []any
}

// scanRows reads the rows and their sort keys.
func scanRows[R any](found *sql.Rows, w window) (rows []R, last []any, err error) {
	last = make([]any, len(w.keys))
	for found.Next() {
		rows = append(rows, *new(R))
		r, _ := any(&rows[len(rows)-1]).(scanner) // the caller has looked
		dest := r.dest()
		for i := range last {
			to := &last[i]
			if len(rows) > w.limit {
				to = new(any)
			}
			dest = append(dest, to)
		}
		if err := found.Scan(dest...); err != nil {
			return nil, nil, err
		}
	}
	return rows, last, found.Err()
}

// keyReader hands out rows whose last columns are their sort keys, and keeps the keys of the last one up to the limit.
type keyReader struct {
	*sql.Rows
	n, limit int
	keys     []any
}

func (r *keyReader) Scan(dest ...any) error {
	for i := range r.keys { // gorm does nothing with columns that it does not know
		to := &dest[len(dest)-len(r.keys)+i]
		if *to = any(new(any)); r.n < r.limit {
			*to = &r.keys[i]
		}
	}
	r.n++
	return r.Rows.Scan(dest...)
}
