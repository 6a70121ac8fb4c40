package listinggen

import "fmt"

// place is a town with one of its zip codes.
type place struct{ city, zip string }

// state is a part of the market: its share of the listings and what is particular to it.
type state struct {
	name       string
	share      float64 // of all listings
	land       float64 // share of plots without a building
	median     float64 // price of a building, in dollars
	noAcre     float64 // share of buildings without acre_lot
	noDate     float64 // share of buildings without prev_sold_date
	noLandDate float64 // the same of plots
	zip        int     // the first zip code of its villages
	places     []place // its towns, the largest market first
}

// states are the parts of the market, the largest first. The towns and zip codes are public; the villages beside them are invented.
var states = []state{
	{name: "Connecticut", share: .2959, land: .1487, median: 295_000, noAcre: .141, noDate: .335, noLandDate: .775, zip: 6200, places: []place{
		{"Hartford", "06103"}, {"New Britain", "06051"}, {"Manchester", "06040"}, {"West Hartford", "06107"}, {"Torrington", "06790"}, {"Enfield", "06082"},
		{"Middletown", "06457"}, {"Windsor", "06095"}, {"Glastonbury", "06033"}, {"New Haven", "06511"}, {"Waterbury", "06702"}, {"Danbury", "06810"}}},
	{name: "Massachusetts", share: .2906, land: .2827, median: 450_000, noAcre: .179, noDate: .528, noLandDate: .937, zip: 1900, places: []place{
		{"Springfield", "01104"}, {"Worcester", "01602"}, {"Pittsfield", "01201"}, {"Northampton", "01060"}, {"Holyoke", "01040"}, {"Chicopee", "01013"},
		{"Amherst", "01002"}, {"Westfield", "01085"}, {"Greenfield", "01301"}, {"Leominster", "01453"}, {"Boston", "02116"}, {"Cambridge", "02139"}}},
	{name: "Puerto Rico", share: .2068, land: .1836, median: 170_000, noAcre: .245, noDate: .997, noLandDate: .998, zip: 650, places: []place{
		{"San Juan", "00907"}, {"Carolina", "00979"}, {"Guaynabo", "00969"}, {"Bayamon", "00956"}, {"Humacao", "00791"}, {"Dorado", "00646"},
		{"Caguas", "00725"}, {"Ponce", "00730"}, {"Arecibo", "00612"}, {"Rincon", "00677"}, {"Mayaguez", "00680"}}},
	{name: "New York", share: .0631, land: .4360, median: 395_000, noAcre: .011, noDate: .522, noLandDate: .870, zip: 12900, places: []place{
		{"Hudson", "12534"}, {"Kinderhook", "12106"}, {"Hillsdale", "12529"}, {"Albany", "12203"}, {"Troy", "12180"}, {"Poughkeepsie", "12601"}}},
	{name: "Virgin Islands", share: .0582, land: .7147, median: 876_000, noAcre: .210, noDate: .991, noLandDate: .994, zip: 803, places: []place{
		{"Christiansted", "00820"}, {"Saint John", "00830"}, {"Frederiksted", "00840"}, {"Saint Thomas", "00802"}}},
	{name: "New Hampshire", share: .0467, land: .2757, median: 447_000, noAcre: .229, noDate: .633, noLandDate: .970, zip: 3850, places: []place{
		{"Keene", "03431"}, {"Nashua", "03060"}, {"Salem", "03079"}, {"Hinsdale", "03451"}, {"Rindge", "03461"}}},
	{name: "Rhode Island", share: .0206, land: .0301, median: 352_000, noAcre: .167, noDate: .422, noLandDate: .875, zip: 2950, places: []place{
		{"Woonsocket", "02895"}, {"Providence", "02906"}, {"Cranston", "02910"}, {"Warwick", "02886"}}},
	{name: "Vermont", share: .0181, land: .3830, median: 269_000, noAcre: .110, noDate: .641, noLandDate: .900, zip: 5950, places: []place{
		{"Brattleboro", "05301"}, {"Bennington", "05201"}, {"Wilmington", "05363"}, {"Rutland", "05701"}}},
}

// Invented villages are a beginning and an ending of a name.
var (
	villageStarts = []string{"Alder", "Birch", "Cold", "Elm", "Fox", "Gray", "High", "Iron", "Maple", "North",
		"Oak", "Pine", "Quarry", "Red", "Stone", "Thorn", "Upper", "Vine", "West", "Willow"}
	villageEnds = []string{"bridge", "brook", "crest", "dale", "field", "ford", "gate", "haven", "mere", "ridge",
		"bury", "hill", "ley", "stead", "ton", "view", "water", "wick", "wood", "worth"}
)

// villages is the share of listings that are in none of the towns named above.
const villages = 0.5

func (g *Generator) state() *state {
	u := g.rng.Float64()
	for i := range states {
		if u -= states[i].share; u < 0 {
			return &states[i]
		}
	}
	return &states[0]
}

// place draws a town or a village of a state.
func (g *Generator) place(s *state) place {
	if g.chance(villages) {
		i := g.rng.IntN(len(villageStarts) * len(villageEnds))
		name := villageStarts[i/len(villageEnds)] + villageEnds[i%len(villageEnds)]
		return place{city: name, zip: fmt.Sprintf("%05d", s.zip+i%50)}
	}
	u := g.rng.Float64()
	return s.places[int(float64(len(s.places))*u*u)] // the first towns are the largest markets
}
