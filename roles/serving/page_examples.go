package serving

import (
	"fmt"

	"tasador/pkg/property"
)

// example is a typical listing that fills the form. The first one is that of the documentation; the others are rows of real listings.
type example struct {
	ID, Label string // the label is a key of the translations
	values    map[string]string
}

// exampleParam names the example in an address of the form.
const exampleParam = "example"

func examples() []example {
	documented := map[string]string{}
	for _, f := range fields() {
		if f.Name != asOfField {
			documented[f.Name] = fmt.Sprint(f.Example)
		}
	}
	return []example{
		{ID: "family", Label: "Family house", values: documented},
		{ID: "small", Label: "Small house", values: map[string]string{
			property.BrokeredBy: "105551", property.Status: "for_sale", property.Price: "229900", property.Bed: "2", property.Bath: "1", property.AcreLot: "0.17",
			property.Street: "1272843", property.City: "Watertown", property.State: "Connecticut", property.ZipCode: "06779", property.HouseSize: "952", property.PrevSoldDate: "1995-07-26",
		}},
		{ID: "large", Label: "Large house", values: map[string]string{
			property.BrokeredBy: "32014", property.Status: "for_sale", property.Price: "2295000", property.Bed: "5", property.Bath: "6", property.AcreLot: "8.48",
			property.Street: "1556587", property.City: "Sharon", property.State: "Connecticut", property.ZipCode: "06069", property.HouseSize: "6000", property.PrevSoldDate: "2007-06-28",
		}},
		{ID: "land", Label: "House with land", values: map[string]string{
			property.BrokeredBy: "22188", property.Status: "for_sale", property.Price: "380000", property.Bed: "4", property.Bath: "2", property.AcreLot: "17.84",
			property.Street: "259387", property.City: "Huntington", property.State: "Massachusetts", property.ZipCode: "01050", property.HouseSize: "2196", property.PrevSoldDate: "2014-09-08",
		}},
		{ID: "new", Label: "Never sold before", values: map[string]string{
			property.BrokeredBy: "31239", property.Status: "for_sale", property.Price: "145000", property.Bed: "4", property.Bath: "2", property.AcreLot: "0.1",
			property.Street: "1947675", property.City: "Ponce", property.State: "Puerto Rico", property.ZipCode: "00731", property.HouseSize: "1800",
		}},
	}
}

// exampleOf returns the example of an id, the first one if there is none of it.
func exampleOf(id string) example {
	all := examples()
	for _, e := range all {
		if e.ID == id {
			return e
		}
	}
	return all[0]
}

func (e example) value(f field) string { return e.values[f.Name] }
