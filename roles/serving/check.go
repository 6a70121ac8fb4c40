package serving

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tasador/pkg/features"
	"tasador/pkg/property"
)

// request is a checked request: a listing and the instant that it is priced at.
type request struct {
	Listing property.Listing // without its street
	Street  property.Text    // as it was asked: a name or a number
	AsOf    time.Time
	Unknown []string  // names that no field has; they are not used
	Encoded []float64 // nil, or the features that came instead of a listing, in the order of the model; Listing is what they tell of it
}

// check turns values into req, or says what is wrong with each field, in the order of the fields. allowed are the statuses that are taken.
func check(req *request, v *values, allowed []string, now time.Time) []fieldError {
	*req = request{AsOf: now}
	req.Listing.BrokeredBy, req.Listing.Price, req.Listing.Street = property.Null(), property.Null(), property.Null()
	c := checker{allowed: allowed, req: req}
	for i := range v {
		c.index, c.value = i, &v[i]
		c.check()
	}
	return c.errors
}

// checker walks over the fields.
type checker struct {
	allowed []string
	req     *request
	errors  []fieldError
	index   int // of the field
	value   *value
}

// field is the one that is checked; only who has something to say of it needs it.
func (c *checker) field() field { return fields()[c.index] }

func (c *checker) fail(kind, format string, args ...any) {
	c.errors = append(c.errors, fieldError{Loc: []any{"body", c.field().Name}, Type: kind, Format: format, Args: args})
}

func (c *checker) check() {
	if c.value.kind == isMissing {
		switch c.index {
		case atStatus, atBed, atBath, atAcreLot, atHouseSize:
			c.fail("missing", "this field is required")
		}
		return
	}
	l := &c.req.Listing
	switch c.index {
	case atBrokeredBy:
		c.numberOrID(&l.BrokeredBy)
	case atPrice:
		c.number(&l.Price, maxPrice)
	case atBed:
		c.number(&l.Bed, maxRooms)
	case atBath:
		c.number(&l.Bath, maxRooms)
	case atAcreLot:
		c.number(&l.AcreLot, maxAcres)
	case atHouseSize:
		c.number(&l.HouseSize, maxSquare)
	case atStatus:
		c.status(&l.Status)
	case atStreet:
		c.street()
	case atCity:
		c.text(&l.City)
	case atState:
		c.text(&l.State)
	case atZip:
		c.zipCode(&l.ZipCode)
	case atPrevSoldDate:
		c.date(&l.PrevSoldDate)
	case atAsOf:
		c.instant()
	}
}

func (c *checker) numberOrID(into *float64) {
	if c.value.kind == isText {
		if n, ok := parseNumber(c.value.text); ok {
			c.value = &value{kind: isNumber, number: n}
		}
	}
	c.number(into, maxID)
}

func (c *checker) number(into *float64, limit float64) {
	v := c.value
	switch {
	case v.kind != isNumber:
		c.fail("float_type", "this must be a number, such as %s", fmt.Sprint(c.field().Example))
	case math.IsNaN(v.number):
		c.fail("finite_number", "this must be a finite number")
	case v.number < 0:
		c.fail("greater_than_equal", "this must not be negative")
	case v.number > limit:
		c.fail("less_than_equal", "this must be at most %s", strconv.FormatFloat(limit, 'f', -1, 64))
	default:
		*into = v.number
	}
}

// plain returns the value as a text that is short enough and can be shown.
func (c *checker) plain() (string, bool) {
	switch {
	case c.value.kind != isText:
		c.fail("string_type", "this must be a text")
	case len(c.value.text) > maxText && utf8.RuneCountInString(c.value.text) > maxText:
		c.fail("string_too_long", "this must have at most %s characters", strconv.Itoa(maxText))
	case hasControl(c.value.text):
		c.fail("string_pattern_mismatch", "this must not hold control characters")
	default:
		return c.value.text, true
	}
	return "", false
}

// hasControl looks at bytes: those of longer UTF-8 sequences are none of the ASCII characters that are looked for.
func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

func (c *checker) text(into *property.Text) {
	if s, ok := c.plain(); ok {
		*into = property.NewText(s)
	}
}

func (c *checker) status(into *property.Text) {
	s, ok := c.plain()
	switch {
	case ok && slices.Contains(c.allowed, s):
		*into = property.NewText(s)
	case ok:
		c.fail("enum", "this must be one of %s", strings.Join(c.allowed, ", "))
	}
}

// whole returns the value's number if it is a whole one that is not negative.
func (c *checker) whole(limit float64) (string, bool) {
	n := c.value.number
	if n != math.Trunc(n) || n < 0 || n > limit {
		c.fail("int_type", "as a number this must be whole and from 0 to %s", strconv.FormatFloat(limit, 'f', -1, 64))
		return "", false
	}
	return strconv.FormatFloat(n, 'f', -1, 64), true
}

func (c *checker) street() {
	if c.value.kind == isNumber {
		if s, ok := c.whole(maxID); ok {
			c.req.Street = property.NewText(s)
		}
		return
	}
	c.text(&c.req.Street)
}

// zipCode fills a number up to five digits, as the pipeline does.
func (c *checker) zipCode(into *property.Text) {
	if c.value.kind != isNumber {
		c.text(into)
		return
	}
	if s, ok := c.whole(maxZip); ok {
		*into = property.NewText(strings.Repeat("0", 5-len(s)) + s)
	}
}

const dateHint = "this must be a date such as 2021-12-01, optionally with a time, of a year from 1678 to 2261"

func (c *checker) date(into *property.Text) {
	s, ok := c.plain()
	if !ok {
		return
	}
	if _, good := features.ParseSoldAt(s); !good {
		c.fail("date_parsing", dateHint)
		return
	}
	*into = property.NewText(s)
}

func (c *checker) instant() {
	s, ok := c.plain()
	if !ok {
		return
	}
	at, good := features.ParseSoldAt(s)
	if !good {
		c.fail("date_parsing", dateHint)
		return
	}
	c.req.AsOf = at
}
