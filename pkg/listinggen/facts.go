package listinggen

import "math"

// The figures in this file are measured: shares, medians and quantiles of real listings. They say how listings are distributed
// and hold none of them.

const (
	statusForSale      = "for_sale"
	statusReadyToBuild = "ready_to_build"
)

// Shares of listings (readyToBuild and those of a building: of buildings).
const (
	readyToBuild = 0.0028 // buildings that are only planned
	noBroker     = 0.0003 // brokered_by is missing
	noStreet     = 0.0047
	noCity       = 0.0012
	noZip        = 0.0022
	noSize       = 0.016  // house_size of a building is missing
	noRooms      = 0.0124 // bed and bath of a building are missing together
	noBedOnly    = 0.0042
	noBathOnly   = 0.0013 // beside those that are only planned
	noLandAcre   = 0.0072 // acre_lot of a plot is missing
)

// pricedByAcres is the share of plots whose price goes with their size; that of the others has other reasons.
const pricedByAcres = 0.3

// Shares out of range: 0.8 % of all listings have such a value.
const (
	tooManyBeds  = 0.0080 // of those with bed
	tooManyBaths = 0.0013 // of those with bath, beside bathsToo
	bathsToo     = 0.30   // of those with too many beds
	acresWrong   = 0.0016 // of those with acre_lot
)

// wrongAcres are acre_lot values out of range: none at all, or a figure that was square feet or a placeholder.
var wrongAcres = []float64{0, 0, 1250, 1690, 2480, 3550, 6720, 99999}

// Limits of values. The rooms are those that a listing may have and still be in range.
const (
	maxRooms             = 10
	minSize, maxSize     = 100, 60_000     // square feet
	minAcre              = 0.01            // acres
	minPrice, maxPrice   = 500, 60_000_000 // dollars
	minBroker, maxBroker = 59, 110_138
	minStreet, maxStreet = 169, 2_001_321
)

// bedShares are the shares of buildings with 1, 2, … 10 bedrooms.
var bedShares = []float64{0.0297, 0.1631, 0.4039, 0.2362, 0.0705, 0.0497, 0.0182, 0.0147, 0.0100, 0.0040}

// ln(bath) = bathBase + bathPerBed·ln(bed) + noise
const (
	bathBase   = -0.17
	bathPerBed = 0.825
	bathNoise  = 0.37
)

// ln(house_size) = sizeBase + sizePerBed·ln(bed) + sizePerBath·ln(bath) + noise, with a longer tail for a few
const (
	sizeBase      = 6.516
	sizePerBed    = 0.406
	sizePerBath   = 0.659
	sizeNoise     = 0.27
	sizeTailNoise = 0.60
	sizeTail      = 0.05
)

// ln(price) = priceBase + the terms below + statePull·ln(median of the state / typical median) + noise, with a longer tail for some
const (
	priceBase      = 6.85
	pricePerBath   = 0.474
	pricePerSize   = 0.822
	pricePerBed    = -0.498
	pricePerAcre   = 0.132
	statePull      = 0.8
	typicalMedian  = 330_000 // dollars
	priceNoise     = 0.38
	priceTailNoise = 0.75
	priceTail      = 0.12
)

// How sellers write prices.
const (
	pricesEndingIn900 = 0.28
	pricesInThousands = 0.65
)

// brokers is how many there are; the biggest holds 2 % of the market.
const brokers = 2500

// A few buildings are in a market of their own: more baths, more size and a far higher price, all by the same degree of luxury.
const (
	luxuries    = 0.06
	luxuryBaths = 1.0
	luxurySize  = 0.26
	luxuryPrice = 0.45
	maxLuxury   = 5
)

// The date of sale is missing more often where the lot is missing too: factors on the state's share.
const (
	noDateWithAcre    = 0.96
	noDateWithoutAcre = 1.15
)

// quantiles is a distribution by its quantiles; between two of them the logarithm is interpolated.
type quantiles struct{ share, ln []float64 }

func newQuantiles(share, value []float64) quantiles {
	ln := make([]float64, len(value))
	for i, v := range value {
		ln[i] = math.Log(v)
	}
	return quantiles{share: share, ln: ln}
}

// at returns the quantile of u in [0, 1).
func (q quantiles) at(u float64) float64 {
	i := 1
	for i < len(q.share)-1 && u >= q.share[i] {
		i++
	}
	part := (u - q.share[i-1]) / (q.share[i] - q.share[i-1])
	return math.Exp(q.ln[i-1] + part*(q.ln[i]-q.ln[i-1]))
}

var acreShares = []float64{0, .01, .05, .1, .25, .5, .75, .9, .95, .99, .995, .999, 1}

// houseAcres and landAcres are the lots of buildings and plots, in acres and within range.
var (
	houseAcres = newQuantiles(acreShares, []float64{.01, .03, .07, .1, .17, .38, 1.1, 3.62, 9.5, 85, 135, 359, 900})
	landAcres  = newQuantiles(acreShares, []float64{.02, .12, .23, .34, .81, 2.23, 9.56, 33.1, 73.6, 183, 269, 588, 950})
)

// landPrices are the prices of plots, in dollars.
var landPrices = newQuantiles(acreShares,
	[]float64{500, 14_900, 30_000, 40_000, 65_500, 125_000, 275_000, 700_000, 1_350_000, 5_000_000, 8_900_000, 21_500_000, 25_000_000})
