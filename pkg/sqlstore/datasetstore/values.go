package datasetstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
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

// scan runs a query on the driver itself: database/sql locks and converts for every row. The query is prepared, because MySQL then sends
// doubles as they are; to write them as texts takes it three times as long as all the rest.
func (d *database) scan(ctx context.Context, query string, kinds []kind, each func(*values) error) error {
	pool, err := sqlstore.Pool(d.db)
	if err != nil {
		return err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%s: read rows: %w", d.label, sqlstore.Explain(d.db, err))
	}
	defer func() { _ = conn.Close() }() // it only goes back to the pool
	var broken error                    // why each gave up
	err = conn.Raw(func(driverConn any) (err error) {
		rows, end, err := openRows(ctx, driverConn, query)
		if err != nil {
			return err
		}
		broken, err = eachRow(rows, kinds, each)
		return errors.Join(err, end())
	})
	if broken != nil {
		return broken
	}
	if err != nil {
		return fmt.Errorf("%s: read rows: %w", d.label, sqlstore.Explain(d.db, err))
	}
	return nil
}

// openRows runs a query without parameters as a prepared statement. Call end after the last row.
func openRows(ctx context.Context, driverConn any, query string) (rows driver.Rows, end func() error, err error) {
	conn, ok := driverConn.(driver.ConnPrepareContext)
	if !ok {
		return nil, nil, fmt.Errorf("the connection is a %T", driverConn)
	}
	prepared, err := conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	statement, ok := prepared.(driver.StmtQueryContext)
	if !ok {
		return nil, nil, errors.Join(fmt.Errorf("the statement is a %T", prepared), prepared.Close())
	}
	if rows, err = statement.QueryContext(ctx, nil); err != nil {
		return nil, nil, errors.Join(err, prepared.Close())
	}
	return rows, func() error { return errors.Join(rows.Close(), prepared.Close()) }, nil
}

// eachRow calls each with every row. broken is what it failed with.
func eachRow(rows driver.Rows, kinds []kind, each func(*values) error) (broken, err error) {
	v := newValues(len(kinds))
	row := make([]driver.Value, len(kinds))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			return nil, err
		}
		for i, k := range kinds {
			if err := v.set(i, k, row[i]); err != nil {
				return nil, err
			}
		}
		if err := each(v); err != nil {
			return err, nil
		}
	}
}

// set takes a value as the drivers give it.
func (v *values) set(i int, k kind, value driver.Value) (err error) {
	switch k {
	case integer:
		n, ok := value.(int64)
		if !ok {
			return fmt.Errorf("an integer is a %T", value)
		}
		v.integers[i] = n
	case number:
		v.numbers[i], err = numberOf(value)
	case text:
		v.texts[i], err = v.textValue(value)
	}
	return err
}

func numberOf(value driver.Value) (float64, error) {
	switch n := value.(type) {
	case nil:
		return property.Null(), nil
	case float64:
		return n, nil
	case int64:
		return float64(n), nil
	case []byte:
		return strconv.ParseFloat(string(n), 64)
	}
	return 0, fmt.Errorf("a number is a %T", value)
}

func (v *values) textValue(value driver.Value) (property.Text, error) {
	switch s := value.(type) {
	case nil:
		return property.Text{}, nil
	case string:
		return property.NewText(s), nil
	case []byte:
		return v.textOf(s), nil
	}
	return property.Text{}, fmt.Errorf("a text is a %T", value)
}
