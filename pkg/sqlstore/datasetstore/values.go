package datasetstore

import (
	"context"
	"fmt"
	"strconv"

	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
)

// values is a row that was read: the value of column i is in place i of the slice of its kind.
type values struct {
	integers []int64
	numbers  []float64 // NaN is NULL
	texts    []property.Text
	known    map[string]string // texts that came before, so that those that repeat take memory once
}

func newValues(columns int) *values {
	return &values{
		integers: make([]int64, columns), numbers: make([]float64, columns), texts: make([]property.Text, columns), known: map[string]string{},
	}
}

// Texts that may repeat are at most so long; so many are remembered.
const (
	maxKnownLen = 64
	maxKnown    = 4096
)

// textOf returns the text that b holds, which the caller may overwrite.
func (v *values) textOf(b []byte) property.Text {
	if s, ok := v.known[string(b)]; ok { // the compiler makes no string for this
		return property.NewText(s)
	}
	s := string(b)
	if len(s) <= maxKnownLen && len(v.known) < maxKnown {
		v.known[s] = s
	}
	return property.NewText(s)
}

// listing reads a listing from the places that begin at from.
func (v *values) listing(from int) property.Listing {
	var l property.Listing
	for i, f := range listingColumns {
		if f.Number != nil {
			*f.Number(&l) = v.numbers[from+i]
		} else {
			*f.Text(&l) = v.texts[from+i]
		}
	}
	return l
}

// scan runs a query through database/sql.
func (d *database) scan(ctx context.Context, query string, kinds []kind, each func(*values) error) error {
	pool, err := sqlstore.Pool(d.db)
	if err != nil {
		return err
	}
	rows, err := pool.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("%s: read rows: %w", d.label, sqlstore.Explain(d.db, err))
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	v := newValues(len(kinds))
	dests := make([]any, len(kinds))
	for i, k := range kinds {
		switch k {
		case integer:
			dests[i] = &v.integers[i]
		case number:
			dests[i] = &numberTarget{&v.numbers[i]}
		case text:
			dests[i] = &textTarget{v, &v.texts[i]}
		}
	}
	for rows.Next() {
		if err := rows.Scan(dests...); err != nil {
			return fmt.Errorf("%s: read a row: %w", d.label, err)
		}
		if err := each(v); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: read rows: %w", d.label, sqlstore.Explain(d.db, err))
	}
	return nil
}

// numberTarget is a sql.Scanner, which database/sql serves without reflection.
type numberTarget struct{ to *float64 }

// Scan implements sql.Scanner.
func (t *numberTarget) Scan(value any) (err error) {
	switch v := value.(type) {
	case nil:
		*t.to = property.Null()
	case float64:
		*t.to = v
	case int64:
		*t.to = float64(v)
	case []byte:
		*t.to, err = strconv.ParseFloat(string(v), 64)
	default:
		err = fmt.Errorf("a number is a %T", value)
	}
	return err
}

type textTarget struct {
	of *values
	to *property.Text
}

// Scan implements sql.Scanner.
func (t *textTarget) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*t.to = property.Text{}
	case string:
		*t.to = property.NewText(v)
	case []byte:
		*t.to = t.of.textOf(v)
	default:
		return fmt.Errorf("a text is a %T", value)
	}
	return nil
}
