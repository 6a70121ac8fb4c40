package dataset

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"tasador/pkg/property"
)

// The bounds of categories.
const (
	maxCounters   = 4096 // values that are counted at one time
	maxCategories = 20   // values that a profile keeps
	maxCategory   = 64   // bytes of a value that count; longer ones that begin alike are one
)

// Categories holds the most frequent values of a column. They are counted by the algorithm of Misra and Gries (1982): exactly while there
// are at most 4096 different ones, else each count may be too small by up to MaxError.
type Categories struct {
	Values   []Category `json:"values"`    // most frequent first, at most 20
	Distinct int        `json:"distinct"`  // different values; at least so many if MaxError > 0
	Other    int        `json:"other"`     // rows with another value
	MaxError int        `json:"max_error"` // of a count; at most a 4097th of the rows
}

// Category is one value with its rows. Of a long value the beginning is kept.
type Category struct {
	Value string `json:"value"`
	Rows  int    `json:"rows"`
}

// categories counts the values of one column.
type categories struct {
	counters map[string]*int
	rows     int
	dropped  int // how often all counters were lowered
}

func (c *categories) add(t property.Text) {
	if !t.Valid {
		return
	}
	c.rows++
	value := t.Value
	if len(value) > maxCategory {
		value = value[:maxCategory]
	}
	if n, ok := c.counters[value]; ok {
		*n++
		return
	}
	if c.counters == nil {
		c.counters = make(map[string]*int)
	}
	if len(c.counters) < maxCounters {
		n := 1
		c.counters[strings.Clone(value)] = &n
		return
	}
	// This value and one row of each other cancel out. Every row that is taken away was added once, so it costs no more than that.
	c.dropped++
	for value, n := range c.counters {
		if *n--; *n == 0 {
			delete(c.counters, value)
		}
	}
}

// statistics describes the values so far, nil if there are none.
func (c *categories) statistics() *Categories {
	if c.rows == 0 {
		return nil
	}
	out := &Categories{Values: make([]Category, 0, len(c.counters)), Distinct: len(c.counters), Other: c.rows, MaxError: c.dropped}
	if c.dropped > 0 {
		out.Distinct = maxCounters + 1
	}
	for value, n := range c.counters {
		out.Values = append(out.Values, Category{Value: value, Rows: *n})
	}
	slices.SortFunc(out.Values, func(a, b Category) int { return cmp.Or(cmp.Compare(b.Rows, a.Rows), strings.Compare(a.Value, b.Value)) })
	out.Values = slices.Clone(out.Values[:min(len(out.Values), maxCategories)])
	for i := range out.Values {
		v := &out.Values[i]
		out.Other -= v.Rows
		v.Value = shown(v.Value)
	}
	return out
}

// shown is a value as JSON can hold it, with a mark if it was cut.
func shown(value string) string {
	cut := len(value) == maxCategory
	for cut && value != "" && !utf8.ValidString(value) && len(value) > maxCategory-utf8.UTFMax {
		value = value[:len(value)-1] // a character that was cut in two
	}
	value = strings.ToValidUTF8(value, "\uFFFD")
	if cut {
		value += "…"
	}
	return value
}
