package listinggen

import "time"

// dateShares and dateDays are the quantiles of the day of the last sale, in days since 1970-01-01: from 1901 to early 2022, half of
// them before the end of 2007.
var (
	dateShares = []float64{0, .001, .01, .02, .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .99, 1}
	dateDays   = []float64{-25_202, -1_200, 3_743, 5_649, 6_830, 8_730, 10_948, 12_215, 13_028, 13_796, 15_120, 16_601, 17_624, 18_422, 18_753, 18_983, 19_074}
)

// date draws a day of sale as YYYY-MM-DD.
func (g *Generator) date() string {
	u := g.rng.Float64()
	i := 1
	for i < len(dateShares)-1 && u >= dateShares[i] {
		i++
	}
	part := (u - dateShares[i-1]) / (dateShares[i] - dateShares[i-1])
	days := dateDays[i-1] + part*(dateDays[i]-dateDays[i-1])
	return time.Unix(int64(days)*24*60*60, 0).UTC().Format(time.DateOnly)
}
