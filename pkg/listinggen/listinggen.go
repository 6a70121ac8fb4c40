// Package listinggen makes up listings that are statistically like real ones: the same shares of gaps, categories and values out
// of range, the same long tail of prices. The same seed gives the same listings, on every machine.
package listinggen

import (
	"math"
	"math/rand/v2"

	"tasador/pkg/property"
)

// Options say which listings to make.
type Options struct {
	Seed     uint64 // listings of different seeds have nothing in common
	Stream   uint64 // an independent sequence within the seed, such as the number of a batch
	Complete bool   // no gaps and nothing out of range, so that every row passes the gate
}

// Generator makes one listing after the other; it is not safe for use by several goroutines.
type Generator struct {
	rng      *rand.Rand
	complete bool
}

// New returns a generator at the start of its sequence.
func New(opts Options) *Generator {
	return &Generator{rng: rand.New(rand.NewPCG(opts.Seed, opts.Stream)), complete: opts.Complete} //nolint:gosec // nothing secret is drawn
}

// Next returns the next listing.
func (g *Generator) Next() property.Listing {
	l := property.Listing{
		BrokeredBy: g.broker(),
		Status:     property.NewText(statusForSale),
		Street:     float64(minStreet + g.rng.IntN(maxStreet-minStreet)),
	}
	s := g.state()
	p := g.place(s)
	l.City, l.State, l.ZipCode = property.NewText(p.city), property.NewText(s.name), property.NewText(p.zip)
	if g.chance(s.land) && !g.complete {
		g.land(&l, s)
	} else {
		g.house(&l, s)
	}
	if !g.complete {
		g.someMissing(&l)
		g.outOfRange(&l)
	}
	return l
}

// house fills in a building: rooms first, then the size that they ask for, then the price that people pay for that.
func (g *Generator) house(l *property.Listing, s *state) {
	bed := float64(1 + g.pick(bedShares))
	bath := math.Round(math.Exp(bathBase + bathPerBed*math.Log(bed) + bathNoise*g.rng.NormFloat64()))
	luxury := 0.0
	if g.chance(luxuries) {
		luxury = math.Min(g.rng.ExpFloat64(), maxLuxury)
		bath += math.Round(luxuryBaths * luxury)
	}
	bath = math.Min(math.Max(bath, 1), maxRooms)
	size := math.Exp(sizeBase + sizePerBed*math.Log(bed) + sizePerBath*math.Log(bath) + luxurySize*luxury + g.noise(sizeNoise, sizeTailNoise, sizeTail))
	size = math.Min(math.Max(math.Round(size), minSize), maxSize)
	acre := houseAcres.at(g.rng.Float64())
	price := math.Exp(priceBase + pricePerBath*math.Log(bath) + pricePerSize*math.Log(size) + pricePerBed*math.Log(bed) +
		pricePerAcre*math.Log(acre) + statePull*math.Log(s.median/typicalMedian) + luxuryPrice*luxury + g.noise(priceNoise, priceTailNoise, priceTail))
	l.Bed, l.Bath, l.HouseSize, l.AcreLot, l.Price = bed, bath, size, roundAcres(acre), g.roundPrice(price)
	l.PrevSoldDate = property.NewText(g.date())
	switch {
	case g.chance(readyToBuild):
		l.Status = property.NewText(statusReadyToBuild)
		if !g.complete { // such listings are plans: they have rooms and a size, but were never sold
			l.Bath, l.AcreLot, l.PrevSoldDate = property.Null(), property.Null(), property.Text{}
		}
	case !g.complete:
		g.houseGaps(l, s)
	}
}

// houseGaps takes values away from a building as often as they are missing.
func (g *Generator) houseGaps(l *property.Listing, s *state) {
	noDate := s.noDate * noDateWithAcre
	if g.chance(s.noAcre) {
		l.AcreLot = property.Null()
		noDate = s.noDate * noDateWithoutAcre
	}
	if g.chance(noDate) {
		l.PrevSoldDate = property.Text{}
	}
	if g.chance(noSize) {
		l.HouseSize = property.Null()
	}
	switch u := g.rng.Float64(); {
	case u < noRooms:
		l.Bed, l.Bath = property.Null(), property.Null()
	case u < noRooms+noBedOnly:
		l.Bed = property.Null()
	case u < noRooms+noBedOnly+noBathOnly:
		l.Bath = property.Null()
	}
}

// land fills in a plot without a building, which has no rooms, no house size and mostly no sale behind it.
func (g *Generator) land(l *property.Listing, s *state) {
	l.Bed, l.Bath, l.HouseSize = property.Null(), property.Null(), property.Null()
	acres, price := g.rng.Float64(), g.rng.Float64()
	if g.chance(pricedByAcres) {
		price = acres
	}
	l.AcreLot, l.Price = roundAcres(landAcres.at(acres)), g.roundPrice(landPrices.at(price))
	if g.chance(noLandAcre) {
		l.AcreLot = property.Null()
	}
	if !g.chance(s.noLandDate) {
		l.PrevSoldDate = property.NewText(g.date())
	}
}

// someMissing takes values away that have nothing to do with the building.
func (g *Generator) someMissing(l *property.Listing) {
	if g.chance(noBroker) {
		l.BrokeredBy = property.Null()
	}
	if g.chance(noStreet) {
		l.Street = property.Null()
	}
	if g.chance(noCity) {
		l.City = property.Text{}
	}
	if g.chance(noZip) {
		l.ZipCode = property.Text{}
	}
}

// outOfRange replaces values of some rows by what no listing should hold: guest houses typed as homes, square feet typed as acres.
func (g *Generator) outOfRange(l *property.Listing) {
	manyBeds := !property.IsNull(l.Bed) && g.chance(tooManyBeds)
	if manyBeds {
		l.Bed = g.tooMany()
	}
	if !property.IsNull(l.Bath) && (g.chance(tooManyBaths) || manyBeds && g.chance(bathsToo)) {
		l.Bath = g.tooMany()
	}
	if !property.IsNull(l.AcreLot) && g.chance(acresWrong) {
		l.AcreLot = wrongAcres[g.rng.IntN(len(wrongAcres))]
	}
}

// tooMany is 11 or more: mostly a few more, rarely dozens.
func (g *Generator) tooMany() float64 { return maxRooms + 1 + math.Floor(3*g.rng.ExpFloat64()) }

func (g *Generator) chance(share float64) bool { return g.rng.Float64() < share }

// noise is normal with standard deviation usual, or tail for the given share of rows, which makes the tails long.
func (g *Generator) noise(usual, tail, share float64) float64 {
	if g.chance(share) {
		return tail * g.rng.NormFloat64()
	}
	return usual * g.rng.NormFloat64()
}

// pick returns an index with the chance that its share has; the shares sum to one.
func (g *Generator) pick(shares []float64) int {
	u := g.rng.Float64()
	for i, share := range shares {
		if u -= share; u < 0 {
			return i
		}
	}
	return len(shares) - 1
}

func (g *Generator) broker() float64 {
	u := g.rng.Float64()
	k := int(brokers * u * u) // the first are the biggest
	return float64(minBroker + k*2749%(maxBroker-minBroker))
}

func roundAcres(v float64) float64 { return math.Max(math.Round(v*100)/100, minAcre) }

// roundPrice rounds as sellers do: to a figure just under a round one, to thousands, or else to hundreds.
func (g *Generator) roundPrice(v float64) float64 {
	v = math.Min(math.Max(v, minPrice), maxPrice)
	u := g.rng.Float64()
	switch {
	case u < pricesEndingIn900 && v > 2000:
		return math.Floor(v/1000)*1000 - 100
	case u < pricesEndingIn900+pricesInThousands && v > 2000:
		return math.Round(v/1000) * 1000
	}
	return math.Max(math.Round(v/100)*100, 100)
}
