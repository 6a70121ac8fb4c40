package listingcsv

import "tasador/pkg/property"

// Column names a known column of a Record.
type Column int

// The known columns, in the order of property.Columns.
const (
	BrokeredBy Column = iota
	Status
	Price
	Bed
	Bath
	AcreLot
	Street
	City
	State
	ZipCode
	HouseSize
	PrevSoldDate
	columns
)

// Record is one record of a file.
type Record struct {
	fields [columns][]byte
}

// Bytes returns the text of a field, nil if it is NULL.
func (r *Record) Bytes(c Column) []byte { return r.fields[c] }

// Text returns a copy of a field.
func (r *Record) Text(c Column) property.Text {
	if r.fields[c] == nil {
		return property.Text{}
	}
	return property.NewText(string(r.fields[c]))
}

// Number returns the number in a field, NaN if it is NULL or not a number (see ParseNumber).
func (r *Record) Number(c Column) float64 { return ParseNumber(r.fields[c]) }

// Listing returns a copy of the whole record.
func (r *Record) Listing() property.Listing {
	return property.Listing{
		BrokeredBy:   r.Number(BrokeredBy),
		Status:       r.Text(Status),
		Price:        r.Number(Price),
		Bed:          r.Number(Bed),
		Bath:         r.Number(Bath),
		AcreLot:      r.Number(AcreLot),
		Street:       r.Number(Street),
		City:         r.Text(City),
		State:        r.Text(State),
		ZipCode:      r.Text(ZipCode),
		HouseSize:    r.Number(HouseSize),
		PrevSoldDate: r.Text(PrevSoldDate),
	}
}

// WrongTyped returns the number columns whose field holds something that is not a number, nil if there are none.
func (r *Record) WrongTyped() []string {
	var wrong []string
	for c, field := range numberColumns {
		if field != "" && r.fields[c] != nil && property.IsNull(r.Number(Column(c))) {
			wrong = append(wrong, field)
		}
	}
	return wrong
}

// numberColumns names the columns that hold numbers.
var numberColumns = func() (names [columns]string) {
	for i, f := range property.Fields() {
		if f.Number != nil {
			names[i] = f.Name
		}
	}
	return names
}()
