package serving

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/features"
	"tasador/pkg/property"
)

// The most that a frame may hold: what needs more goes to /predict/batch.
const (
	maxFrame   = 8 << 20 // bytes of the request
	maxCells   = 1 << 20
	maxColumns = 1000
)

// frame is a table with named columns, as MLflow's clients and those of the Open Inference Protocol send it.
type frame struct {
	names   []string
	columns [][]value // a column that is too short lacks its last values
	rows    int
	cells   int
	places  map[string]int // of names
	twice   []string       // names that two columns came under
}

// column returns the index of a column, making it if it is new.
func (f *frame) column(name string) (int, error) {
	if i, ok := f.places[name]; ok {
		return i, nil
	}
	if f.places == nil {
		f.places = map[string]int{}
	}
	if len(f.names) == maxColumns {
		return 0, apperror.New(apperror.Invalid, "the data have more than %s columns", strconv.Itoa(maxColumns))
	}
	f.places[name] = len(f.names)
	f.names, f.columns = append(f.names, name), append(f.columns, nil)
	return len(f.names) - 1, nil
}

// set puts a value into a row of a column; of two for one place the last counts.
func (f *frame) set(column, row int, v value) error {
	c := f.columns[column]
	f.cells += max(0, row+1-len(c))
	if f.cells > maxCells {
		return apperror.New(apperror.Invalid, "the data have more than %s values; send fewer rows at once, or all of them to /predict/batch", strconv.Itoa(maxCells))
	}
	for len(c) <= row {
		c = append(c, value{})
	}
	c[row] = v
	f.columns[column], f.rows = c, max(f.rows, row+1)
	return nil
}

func (f *frame) at(column, row int) value {
	if c := f.columns[column]; row < len(c) {
		return c[row]
	}
	return value{}
}

// frameError is an error about what a frame holds, not about how it is written.
type frameError struct{ error }

// Unwrap returns the error with its code.
func (e *frameError) Unwrap() error { return e.error }

func badFrame(format string, args ...any) error {
	return &frameError{apperror.New(apperror.Invalid, format, args...)}
}

// requests turns the rows into what a version can price. A frame that has every feature of the model holds features, whatever it has beside them; else one that
// has the column status holds listings; any other lacks features. asOf is the instant of listings that do not name their own. Codes: Invalid, with what is wrong.
func (f *frame) requests(v *version, asOf time.Time) ([]request, error) {
	schema := v.Model.Schema.Features
	places, missing := make([]int, len(schema)), []string{}
	for i, name := range schema {
		if places[i] = slices.Index(f.names, name); places[i] < 0 {
			missing = append(missing, name)
		}
	}
	switch {
	case len(missing) == 0:
		if err := f.ambiguous(func(name string) bool { return slices.Contains(schema, name) }); err != nil {
			return nil, err
		}
		return f.encoded(schema, places, asOf)
	case slices.Contains(f.names, property.Status):
		if err := f.ambiguous(func(name string) bool { return indexOf(name) != noField }); err != nil {
			return nil, err
		}
		return f.listings(v, asOf)
	}
	return nil, f.incomplete(schema, missing)
}

// ambiguous refuses two columns of one name that is used: which of them is meant nobody can tell.
func (f *frame) ambiguous(used func(name string) bool) error {
	for _, name := range f.twice {
		if used(name) {
			return badFrame(twoColumns, name)
		}
	}
	return nil
}

// incomplete says as MLflow does what a frame lacks.
func (f *frame) incomplete(schema, missing []string) error {
	var extra []string
	for _, name := range f.names {
		if !slices.Contains(schema, name) && len(extra) < 20 {
			extra = append(extra, shortened(name))
		}
	}
	if len(extra) == 0 {
		return badFrame("Model is missing inputs %s.", listed(missing))
	}
	return badFrame("Model is missing inputs %s. Note that there were extra inputs: %s.", listed(missing), listed(extra))
}

// listed writes names as Python does.
func listed(names []string) string { return "['" + strings.Join(names, "', '") + "']" }

func shortened(name string) string {
	const most = 80
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}

// encoded reads rows of features.
func (f *frame) encoded(schema []string, places []int, asOf time.Time) ([]request, error) {
	requests := make([]request, f.rows)
	all := make([]float64, 0, f.rows*len(schema))
	for row := range requests {
		from := len(all)
		for i, place := range places {
			x, ok := f.at(place, row).asNumber()
			if !ok {
				return nil, apperror.New(apperror.Invalid, "row %s: %s must be a finite number", strconv.Itoa(row+1), schema[i])
			}
			all = append(all, x)
		}
		x := all[from:len(all):len(all)]
		requests[row] = request{Encoded: x, Listing: listingOf(schema, x, asOf), AsOf: asOf}
	}
	return requests, nil
}

// asNumber reads a cell as MLflow casts it to a double: numbers as text count, and true is 1. What is missing is no number: its price would be none.
func (v value) asNumber() (float64, bool) {
	n := v.number
	switch v.kind {
	case isNumber:
	case isText:
		var ok bool
		if n, ok = parseNumber(v.text); !ok {
			return 0, false
		}
	case isOther:
		if v.text != wordTrue && v.text != wordFalse {
			return 0, false
		}
		n = map[string]float64{wordTrue: 1}[v.text]
	case isMissing:
		return 0, false
	}
	return n, !math.IsNaN(n) && !math.IsInf(n, 0)
}

// listingOf is a listing that the recipe turns into the features x, as far as there is one: it is what is recorded of them.
func listingOf(schema []string, x []float64, asOf time.Time) property.Listing {
	l := property.Listing{
		BrokeredBy: property.Null(), Price: property.Null(), Bed: property.Null(), Bath: property.Null(), AcreLot: property.Null(),
		Street: property.Null(), HouseSize: property.Null(),
	}
	statuses := 0
	for i, name := range schema {
		switch status, ok := strings.CutPrefix(name, features.StatusPrefix); {
		case name == property.Bed:
			l.Bed = x[i]
		case name == property.Bath:
			l.Bath = x[i]
		case name == property.AcreLot:
			l.AcreLot = x[i]
		case name == property.HouseSize:
			l.HouseSize = x[i]
		case name == features.DaysSinceLastSale:
			l.PrevSoldDate = soldBefore(x[i], asOf)
		case ok && x[i] != 0:
			l.Status = property.Text{Value: status, Valid: x[i] == 1}
			statuses++
		}
	}
	if statuses != 1 {
		l.Status = property.Text{}
	}
	return l
}

// soldBefore is the date that lies whole days before an instant.
func soldBefore(days float64, asOf time.Time) property.Text {
	const most = 200_000 // beyond the years that dates may have
	if days != math.Trunc(days) || days == features.NoDays || math.Abs(days) > most {
		return property.Text{}
	}
	date := asOf.UTC().AddDate(0, 0, -int(days)).Format(time.DateOnly)
	if _, ok := features.ParseSoldAt(date); !ok {
		return property.Text{}
	}
	return property.NewText(date)
}

// listings reads rows of raw listings, by the checks of /predict.
func (f *frame) listings(v *version, asOf time.Time) ([]request, error) {
	places := make([]int, len(f.names))
	var unknown []string
	for i, name := range f.names {
		if places[i] = indexOf(name); places[i] == noField {
			unknown = addName(unknown, name)
		}
	}
	requests := make([]request, f.rows)
	var wrong []string
	for row := range requests {
		var values values
		for column, field := range places {
			if field != noField {
				values[field] = f.at(column, row)
			}
		}
		for _, p := range check(&requests[row], &values, v.statuses, asOf) {
			wrong = append(wrong, fmt.Sprintf("row %d: %v: %s", row+1, p.Loc[len(p.Loc)-1], p.Error()))
		}
		if len(wrong) >= 10 {
			break
		}
		requests[row].Unknown = unknown
	}
	if len(wrong) > 0 {
		return nil, badFrame("%s", strings.Join(wrong, "; "))
	}
	return requests, nil
}

// answerFrame prices all rows of a frame and records them; the prices are in its order.
func (r *role) answerFrame(q *question, f *frame, asOf time.Time, answer func() error) error {
	var err error
	if q.requests, err = f.requests(q.version, asOf); err != nil {
		return err
	}
	if len(q.requests) == 0 {
		return nil
	}
	err = answer()
	var one *itemError
	if errors.As(err, &one) {
		return badFrame("row %s: %s", strconv.Itoa(one.index+1), apperror.SentenceOf(one.err))
	}
	return err
}

// instantOf reads an as_of that stands beside a frame.
func instantOf(v value, now time.Time) (time.Time, error) {
	if v.kind == isMissing {
		return now, nil
	}
	if at, ok := features.ParseSoldAt(v.text); ok && v.kind == isText {
		return at, nil
	}
	return now, badFrame("as_of: %s", dateHint)
}
