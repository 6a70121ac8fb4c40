package listingapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"tasador/pkg/apperror"
	"tasador/pkg/property"
)

// checkEvery is how many rows pass between two looks at the context.
const checkEvery = 1024

// Row is one decoded row.
type Row struct {
	Listing    property.Listing
	WrongTyped []string // columns whose value had the wrong type, NULL in Listing; valid until each returns
	Batch      int      // the number of the batch, 0 if the payload has not said it before its rows
}

// Decode reads a payload row by row: an object with its rows under data, or a bare list; a row is an object, or a list in the
// order of property.Columns. Values of the wrong type become NULL and are counted; unknown columns are passed over. An error of
// each ends the work and is returned as it is; an unreadable payload is an Invalid error that says where. Memory does not grow
// with the payload.
func Decode(ctx context.Context, r io.Reader, each func(property.Listing) error) (Batch, Report, error) {
	return DecodeRows(ctx, r, func(row Row) error { return each(row.Listing) })
}

// DecodeRows is Decode for those who need to know which values of a row had the wrong type.
func DecodeRows(ctx context.Context, r io.Reader, each func(Row) error) (Batch, Report, error) {
	d := &decoder{ctx: ctx, scanner: newScanner(r), each: each, texts: make(map[string]string)}
	err := d.payload()
	d.batch.Columns = d.columns()
	report := Report{Rows: d.rows, Invalid: d.invalid()}
	if err == nil {
		return d.batch, report, nil
	}
	var stopped *stopError
	if errors.As(err, &stopped) {
		return d.batch, report, stopped.cause
	}
	where := fmt.Sprintf("at byte %d", d.offset())
	if d.inRow {
		where += fmt.Sprintf(", in row %d", d.rows+1)
	}
	return d.batch, report, apperror.New(apperror.Invalid, "the data API's answer cannot be read %s: %v", where, err)
}

// stopError carries an error that has nothing to do with the payload through the decoder.
type stopError struct{ cause error }

func (e *stopError) Error() string { return e.cause.Error() }

type decoder struct {
	*scanner
	ctx    context.Context // the decoder lives for one call
	each   func(Row) error
	batch  Batch
	rows   int
	inRow  bool
	seen   [property.NumColumns]bool // known columns that some row has
	wrong  [property.NumColumns]int  // values of the wrong type
	row    Row
	texts  map[string]string // short texts met before, so that a city costs memory once
	detail string
	data   bool // the member data was there
}

func (d *decoder) payload() error {
	k, _, err := d.open()
	if errors.Is(err, errCutOff) && d.offset() == 0 {
		return errors.New("it is empty")
	}
	if err != nil {
		return err
	}
	switch k {
	case kindList:
		err = d.list()
	case kindObject:
		err = d.object()
	default:
		err = fmt.Errorf("it is %s, not an object or a list of rows", k)
	}
	if err != nil {
		return err
	}
	return d.atEnd()
}

// members calls each after the name of every member of an object, with the value still to read.
func (d *decoder) members(each func(name []byte) error) error {
	if empty, err := d.isEmpty('}'); err != nil || empty {
		return err
	}
	for more := true; more; {
		name, err := d.key()
		if err != nil {
			return err
		}
		if err := each(name); err != nil {
			return err
		}
		if more, err = d.more('}'); err != nil {
			return err
		}
	}
	return nil
}

// elements calls each before every element of a list.
func (d *decoder) elements(each func(i int) error) error {
	if empty, err := d.isEmpty(']'); err != nil || empty {
		return err
	}
	for i, more := 0, true; more; i++ {
		err := each(i)
		if err != nil {
			return err
		}
		if more, err = d.more(']'); err != nil {
			return err
		}
	}
	return nil
}

// object reads the members of the payload, in any order.
func (d *decoder) object() error {
	if err := d.members(func(name []byte) error { return d.member(string(name)) }); err != nil {
		return err
	}
	d.batch.Finished = !d.data && isExhausted(d.detail)
	return nil
}

func (d *decoder) member(name string) error {
	k, raw, err := d.open()
	if err != nil {
		return err
	}
	switch name {
	case "group_number":
		d.batch.Group = wholeNumber(raw)
	case "batch_number":
		d.batch.Number = wholeNumber(raw)
	case "detail":
		if k == kindText {
			d.detail = string(raw)
		}
	case "data":
		return d.dataMember(k)
	}
	return d.skip(k, 0)
}

func (d *decoder) dataMember(k kind) error {
	if d.data {
		return errors.New("data stands in it twice")
	}
	d.data = true
	switch k {
	case kindNull:
		return nil
	case kindList:
		return d.list()
	default:
		return fmt.Errorf("data is %s, not a list of rows", k)
	}
}

// wholeNumber reads 3, 3.0 or "3"; anything else is 0, for nothing depends on it.
func wholeNumber(raw []byte) int {
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || v != float64(int(v)) {
		return 0
	}
	return int(v)
}

// list reads rows up to the end of their list.
func (d *decoder) list() error {
	return d.elements(func(int) error {
		d.inRow = true
		if err := d.readRow(); err != nil {
			return err
		}
		d.inRow = false
		d.row.Batch = d.batch.Number
		if err := d.each(d.row); err != nil {
			return &stopError{cause: err}
		}
		d.rows++
		return d.checkContext()
	})
}

func (d *decoder) checkContext() error {
	if d.rows%checkEvery != 0 {
		return nil
	}
	if err := d.ctx.Err(); err != nil {
		return &stopError{cause: err}
	}
	return nil
}

func (d *decoder) readRow() error {
	null := property.Null()
	d.row.Listing = property.Listing{BrokeredBy: null, Price: null, Bed: null, Bath: null, AcreLot: null, Street: null, HouseSize: null}
	d.row.WrongTyped = d.row.WrongTyped[:0]
	k, _, err := d.open()
	switch {
	case err != nil:
		return err
	case k == kindObject:
		next := 0
		return d.members(func(name []byte) error {
			i := columnIndex(name, next)
			next = i + 1
			return d.field(i)
		})
	case k == kindList:
		return d.elements(d.listField)
	}
	return fmt.Errorf("the row is %s, not an object or a list", k)
}

func (d *decoder) listField(i int) error {
	if i == len(columns) {
		return fmt.Errorf("the row has more than the %d values that a listing has", len(columns))
	}
	return d.field(i)
}

// field reads one value into the column with index i; a negative index passes over it.
func (d *decoder) field(i int) error {
	k, raw, err := d.open()
	if err != nil {
		return err
	}
	if i >= 0 {
		d.seen[i] = true
		if !d.assign(i, k, raw) {
			d.wrong[i]++
			d.row.WrongTyped = append(d.row.WrongTyped, columns[i].Name)
		}
	}
	return d.skip(k, 0)
}

func (d *decoder) columns() []string {
	out := []string{}
	for i, c := range columns {
		if d.seen[i] {
			out = append(out, c.Name)
		}
	}
	return out
}

func (d *decoder) invalid() map[string]int {
	out := make(map[string]int)
	for i, c := range columns {
		if d.wrong[i] > 0 {
			out[c.Name] = d.wrong[i]
		}
	}
	return out
}
