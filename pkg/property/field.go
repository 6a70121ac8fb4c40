package property

// NumColumns is how many columns a raw listing has.
const NumColumns = 12

// Field says where in a listing the value of a column is: exactly one of Number and Text is set.
type Field struct {
	Name   string
	Number func(*Listing) *float64
	Text   func(*Listing) *Text
}

// Fields lists all columns in the order of Columns.
func Fields() [NumColumns]Field {
	return [NumColumns]Field{
		{Name: BrokeredBy, Number: func(l *Listing) *float64 { return &l.BrokeredBy }},
		{Name: Status, Text: func(l *Listing) *Text { return &l.Status }},
		{Name: Price, Number: func(l *Listing) *float64 { return &l.Price }},
		{Name: Bed, Number: func(l *Listing) *float64 { return &l.Bed }},
		{Name: Bath, Number: func(l *Listing) *float64 { return &l.Bath }},
		{Name: AcreLot, Number: func(l *Listing) *float64 { return &l.AcreLot }},
		{Name: Street, Number: func(l *Listing) *float64 { return &l.Street }},
		{Name: City, Text: func(l *Listing) *Text { return &l.City }},
		{Name: State, Text: func(l *Listing) *Text { return &l.State }},
		{Name: ZipCode, Text: func(l *Listing) *Text { return &l.ZipCode }},
		{Name: HouseSize, Number: func(l *Listing) *float64 { return &l.HouseSize }},
		{Name: PrevSoldDate, Text: func(l *Listing) *Text { return &l.PrevSoldDate }},
	}
}
