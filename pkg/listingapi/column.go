package listingapi

import "tasador/pkg/property"

// columns are the known columns, in the order of list rows.
var columns = property.Fields()

const zipCodeIndex = 9

// columnIndex finds a known column by its exact name, or gives -1. It looks first at likely, since rows mostly have their columns in order.
func columnIndex(name []byte, likely int) int {
	if likely < len(columns) && columns[likely].Name == string(name) {
		return likely
	}
	for i := range columns {
		if columns[i].Name == string(name) {
			return i
		}
	}
	return -1
}

// assign puts a value into column i of the row and reports whether its type was right. A column that comes twice keeps the last.
func (d *decoder) assign(i int, k kind, raw []byte) bool {
	if columns[i].Number != nil {
		to := columns[i].Number(&d.row.Listing)
		*to = property.Null()
		if k != kindNumber {
			return k == kindNull
		}
		v, err := parseNumber(raw)
		if err != nil {
			return false // too large for a double
		}
		*to = v
		return true
	}
	to := columns[i].Text(&d.row.Listing)
	*to = property.Text{}
	switch {
	case k == kindText:
		*to = property.NewText(d.intern(raw))
		return true
	case k == kindNumber && i == zipCodeIndex:
		zip, ok := zipCode(raw)
		if ok {
			*to = property.NewText(zip)
		}
		return ok
	}
	return k == kindNull
}

// zipCode reads a zip code that came as a number.
func zipCode(raw []byte) (string, bool) {
	v, err := parseNumber(raw)
	if err != nil {
		return "", false
	}
	return property.ZipCodeOf(v)
}

const (
	maxInterned     = 64   // bytes of a text that is kept
	maxInternedSize = 8192 // texts that are kept
)

// intern returns raw as a string, the same one for the same short text.
func (d *decoder) intern(raw []byte) string {
	if known, ok := d.texts[string(raw)]; ok {
		return known
	}
	s := string(raw)
	if len(s) <= maxInterned && len(d.texts) < maxInternedSize {
		d.texts[s] = s
	}
	return s
}
