package serving

import (
	"strconv"
	"unicode/utf8"

	"tasador/pkg/apperror"
)

// document members of MLflow's scoring protocol.
const (
	dataframeSplit   = "dataframe_split"
	dataframeRecords = "dataframe_records"
	instancesMember  = "instances"
	inputsMember     = "inputs"
	paramsMember     = "params"
)

const requiredInput = "The input must be a JSON dictionary with exactly one of the input fields dataframe_split, dataframe_records, instances, inputs"

// mlflowFrame reads a JSON body of MLflow's scoring protocol: exactly one of its four forms. as_of is what params say of it. Codes: Invalid.
func mlflowFrame(body string) (f *frame, asOf value, err error) {
	p := &jsonScanner{s: body}
	if !utf8.ValidString(body) {
		return nil, value{}, apperror.New(apperror.Invalid, "Invalid input. Ensure that input is a valid JSON formatted string: it is not UTF-8 text")
	}
	if p.token() != '{' {
		return nil, value{}, notADictionary(p)
	}
	form, at, forms := "", 0, 0
	err = p.members(func(name string) error {
		switch name {
		case dataframeSplit, dataframeRecords, instancesMember, inputsMember:
			p.token()
			form, at, forms = name, p.at, forms+1
		case paramsMember:
			if p.token() == '{' {
				return p.members(func(name string) error {
					v, err := p.value(1)
					if name == asOfField {
						asOf = v
					}
					return err
				})
			}
		}
		_, err := p.value(0)
		return err
	})
	if err == nil && !p.end() {
		err = errJSONSyntax
	}
	if err != nil {
		return nil, value{}, invalidJSON(p, err)
	}
	if forms != 1 {
		return nil, value{}, apperror.New(apperror.Invalid, "%s. Received %s of them.", requiredInput, strconv.Itoa(forms))
	}
	p.at = at
	f, err = p.formOf(form)
	return f, asOf, err
}

func notADictionary(p *jsonScanner) error {
	kind := p.kind()
	if err := p.whole(); err != nil {
		return invalidJSON(p, err)
	}
	return apperror.New(apperror.Invalid, "Invalid input. %s. Received a %s.", requiredInput, kind)
}

func invalidJSON(p *jsonScanner, err error) error {
	return apperror.New(apperror.Invalid, "Invalid input. Ensure that input is a valid JSON formatted string: %s at byte %s", err.Error(), strconv.Itoa(p.at))
}

// formOf reads what one of the four members holds; its JSON is known to be good.
func (p *jsonScanner) formOf(form string) (*frame, error) {
	f := &frame{}
	switch c := p.token(); {
	case form == dataframeSplit && c == '{':
		return f, p.split(f)
	case form == dataframeSplit:
		return nil, apperror.New(apperror.Invalid, "Invalid input. Dataframe split format must be a dictionary.")
	case form == dataframeRecords && c == '[':
		return f, p.records(f)
	case form == dataframeRecords:
		return nil, apperror.New(apperror.Invalid, "Invalid input. Dataframe records format must be a list of records.")
	case c == '{' && form == inputsMember:
		return f, p.byColumn(f)
	case c == '[':
		return f, p.instances(f)
	}
	return nil, apperror.New(apperror.Invalid, "Invalid input. %s must be a list, or for inputs an object of columns.", form)
}

// split reads {"columns": […], "data": [[…], …]}, in any order.
func (p *jsonScanner) split(f *frame) error {
	columns, data := -1, -1
	err := p.members(func(name string) error {
		p.token()
		switch name {
		case "columns":
			columns = p.at
		case "data":
			data = p.at
		case "index":
		default:
			return apperror.New(apperror.Invalid, "Invalid input. Dataframe split format must have 'data' field and optionally 'columns' and 'index' fields. Got %s.", shortened(name))
		}
		_, err := p.value(0)
		return err
	})
	if err != nil {
		return err
	}
	if data < 0 || p.s[data] != '[' || columns >= 0 && p.s[columns] != '[' {
		return apperror.New(apperror.Invalid, "Invalid input. Dataframe split format must have a list 'data', and 'columns' as a list if it has them.")
	}
	if columns >= 0 {
		p.at = columns
		if err := p.names(f); err != nil {
			return err
		}
	}
	p.at = data
	return p.elements(func(row int) error { return p.row(f, row, columns < 0) })
}

// names reads the names of the columns.
func (p *jsonScanner) names(f *frame) error {
	return p.elements(func(i int) error {
		v, err := p.value(0)
		if err != nil {
			return err
		}
		if _, err := f.column(v.text); err != nil {
			return err
		}
		if len(f.names) != i+1 {
			return badFrame("the column %s is named twice", shortened(v.text))
		}
		return nil
	})
}

// row reads the cells of a row; unnamed columns are called by their number, as pandas does.
func (p *jsonScanner) row(f *frame, row int, unnamed bool) error {
	if p.token() != '[' {
		return apperror.New(apperror.Invalid, "Invalid input. Row %s is not a list.", strconv.Itoa(row+1))
	}
	f.rows = max(f.rows, row+1)
	return p.elements(func(i int) error {
		if i >= len(f.names) {
			if !unnamed {
				return apperror.New(apperror.Invalid, "Invalid input. %s columns passed, passed data had more in row %s", strconv.Itoa(len(f.names)), strconv.Itoa(row+1))
			}
			if _, err := f.column(strconv.Itoa(i)); err != nil {
				return err
			}
		}
		return p.cell(f, i, row)
	})
}

func (p *jsonScanner) cell(f *frame, column, row int) error {
	v, err := p.value(0)
	if err != nil {
		return err
	}
	return f.set(column, row, v)
}

// records reads [{column: value, …}, …].
func (p *jsonScanner) records(f *frame) error {
	return p.elements(func(row int) error {
		if p.token() != '{' {
			return apperror.New(apperror.Invalid, "Invalid input. Row %s is not an object.", strconv.Itoa(row+1))
		}
		f.rows = max(f.rows, row+1)
		return p.members(func(name string) error {
			column, err := f.column(name)
			if err != nil {
				return err
			}
			return p.cell(f, column, row)
		})
	})
}

// instances reads a list of records, or of rows or values without names.
func (p *jsonScanner) instances(f *frame) error {
	from := p.at
	p.at++
	first := p.token()
	p.at = from
	switch first {
	case '{':
		if err := p.records(f); err != nil {
			return err
		}
		for _, column := range f.columns { // unlike a data frame, this form has no gaps
			if len(column) != f.rows {
				return apperror.New(apperror.Invalid, "Invalid input. The length of values for each input/column name are not the same")
			}
		}
		return nil
	case '[':
		return p.elements(func(row int) error { return p.row(f, row, true) })
	}
	if _, err := f.column("0"); err != nil {
		return err
	}
	return p.elements(func(row int) error { return p.cell(f, 0, row) })
}

// byColumn reads {column: [value, …], …}; single values make one row.
func (p *jsonScanner) byColumn(f *frame) error {
	length := -1
	err := p.members(func(name string) error {
		column, err := f.column(name)
		if err != nil {
			return err
		}
		n := 1
		if p.token() == '[' {
			n = 0
			err = p.elements(func(i int) error { n++; return p.cellOf(f, column, i) })
		} else {
			err = p.cell(f, column, 0)
		}
		if err == nil && length >= 0 && n != length {
			return badFrame("the columns have different lengths: %s has %s values, and those before it %s", shortened(name), strconv.Itoa(n), strconv.Itoa(length))
		}
		length = n
		return err
	})
	return err
}

// cellOf reads a value of a column, which may stand in a list of its own, as in a matrix of one column.
func (p *jsonScanner) cellOf(f *frame, column, row int) error {
	if p.token() != '[' {
		return p.cell(f, column, row)
	}
	n := 0
	err := p.elements(func(int) error { n++; return p.cell(f, column, row) })
	if err == nil && n != 1 {
		return badFrame("a column has a row of %s values instead of one", strconv.Itoa(n))
	}
	return err
}
