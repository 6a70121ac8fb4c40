package serving

import (
	"slices"

	"tasador/pkg/dataset"
	"tasador/pkg/property"
)

// kind is what a field of a listing may hold.
type kind int

const (
	number     kind = iota
	text            // of at most maxText characters
	numberOrID      // a number, or a text that holds one
	textOrID        // a text, or a whole number
	zipCode         // a text, or a whole number of up to five digits
	status          // one of the statuses
	date            // a date, or a date with a time
	instant         // as date; of the request, not of the listing
)

// maxText is how many characters a text may have.
const maxText = 200

// asOfField names the instant of the request beside the fields of the listing.
const asOfField = "as_of"

// field is one field of the request: the one place from which decoding, checking, the form and the OpenAPI document know it.
type field struct {
	Name     string
	Kind     kind
	Required bool
	Max      float64 // of numbers; the least is 0
	Label    string  // in forms; a key of the translations
	Doc      string
	Example  any
}

// The limits only keep out what cannot be meant: the largest real listings stay far below them.
const (
	maxRooms  = 1000
	maxAcres  = 10_000_000
	maxSquare = 100_000_000
	maxPrice  = 1_000_000_000_000
	maxID     = 1_000_000_000_000
	maxZip    = 99_999
)

// Indexes of values, in the order of fields.
const (
	atBrokeredBy = iota
	atStatus
	atPrice
	atBed
	atBath
	atAcreLot
	atStreet
	atCity
	atState
	atZip
	atHouseSize
	atPrevSoldDate
	atAsOf
	fieldCount
	noField = -1
)

// indexOf resolves the name of a field; the compiler makes it a few comparisons.
func indexOf(name string) int {
	switch name {
	case property.BrokeredBy:
		return atBrokeredBy
	case property.Status:
		return atStatus
	case property.Price:
		return atPrice
	case property.Bed:
		return atBed
	case property.Bath:
		return atBath
	case property.AcreLot:
		return atAcreLot
	case property.Street:
		return atStreet
	case property.City:
		return atCity
	case property.State:
		return atState
	case property.ZipCode:
		return atZip
	case property.HouseSize:
		return atHouseSize
	case property.PrevSoldDate:
		return atPrevSoldDate
	case asOfField:
		return atAsOf
	}
	return noField
}

// fields lists the fields in the order of the form.
func fields() []field {
	return []field{
		{Name: property.BrokeredBy, Kind: numberOrID, Max: maxID, Label: "Broker", Doc: "Number of the broker. Stored, not used.", Example: 74802},
		{Name: property.Status, Kind: status, Required: true, Label: "Status", Doc: "One of for_sale, ready_to_build, to_build, sold, or another status that the model was trained on.", Example: "for_sale"},
		{Name: property.Price, Kind: number, Max: maxPrice, Label: "Asking price", Doc: "Asking price in dollars. Stored, never used for the prediction.", Example: 394900},
		{Name: property.Bed, Kind: number, Required: true, Max: maxRooms, Label: "Bedrooms", Doc: "Number of bedrooms.", Example: 3},
		{Name: property.Bath, Kind: number, Required: true, Max: maxRooms, Label: "Bathrooms", Doc: "Number of bathrooms.", Example: 2},
		{Name: property.AcreLot, Kind: number, Required: true, Max: maxAcres, Label: "Lot (acres)", Doc: "Size of the lot in acres.", Example: 1.17},
		{Name: property.Street, Kind: textOrID, Label: "Street", Doc: "Street, or its number in the listings. Stored, not used.", Example: 1589662},
		{Name: property.City, Kind: text, Label: "City", Doc: "City. Stored, not used.", Example: "Crossville"},
		{Name: property.State, Kind: text, Label: "State", Doc: "State. Stored, not used.", Example: "Tennessee"},
		{Name: property.ZipCode, Kind: zipCode, Label: "Zip code", Doc: "Postal code; as a number it is filled up to five digits. Stored, not used.", Example: "38571"},
		{Name: property.HouseSize, Kind: number, Required: true, Max: maxSquare, Label: "House size (sq ft)", Doc: "Living space in square feet.", Example: 2056},
		{Name: property.PrevSoldDate, Kind: date, Label: "Previously sold", Doc: "Date of the last sale, YYYY-MM-DD; without one the house counts as never sold.", Example: "2021-12-01"},
		{Name: asOfField, Kind: instant, Label: "As of", Doc: "Instant that the days since the last sale are counted to, YYYY-MM-DD or with a time; without it, now.", Example: "2026-01-01T00:00:00Z"},
	}
}

// statuses lists the statuses of the rules of collection, then further ones, each once.
func statuses(further ...string) []string {
	list := dataset.Statuses()
	for _, s := range further {
		if s != "" && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}
