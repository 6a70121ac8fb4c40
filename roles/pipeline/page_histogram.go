package pipeline

import (
	"math"
	"slices"
	"strconv"

	"tasador/pkg/dataset"
	"tasador/pkg/property"
)

// histogramView is a histogram as SVG draws it. Its lengths are in the units of the picture.
type histogramView struct {
	Column, Unit  string // the unit is a key of the translations
	Width, Height int
	Base          int // the axis
	Top           int // where the tallest bar ends
	Bars          []histogramBar
	Ticks         []tick
	Tallest       int // rows
	Below, Above  int // rows that are not drawn
	From, To      float64
	Whole         bool // each bar is one whole number
}

// histogramBar is one bin.
type histogramBar struct {
	X, Y, W, H string
	From, To   float64
	Rows       int
}

// tick is a mark on the axis.
type tick struct {
	X      string
	Anchor string // of its text
	Value  float64
}

// frame is the size of a histogram, with the room above and below the bars.
type frame struct{ width, height, above, below int }

var (
	largeChart = frame{width: 340, height: 140, above: 20, below: 24}
	smallChart = frame{width: 96, height: 28, above: 0, below: 1}
)

// units names what the numbers of a column count.
var units = map[string]string{
	property.Price: "dollars", property.Bed: "bedrooms", property.Bath: "bathrooms", property.AcreLot: "acres", property.HouseSize: "square feet",
}

// drawHistogram lays out a histogram: bars stand on zero, and the axis is marked at its ends and in the middle.
func drawHistogram(column string, n *dataset.NumberStatistics, f frame) histogramView {
	h := n.Histogram
	v := histogramView{Column: column, Unit: units[column], Width: f.width, Height: f.height, Base: f.height - f.below, Top: f.above, Below: h.Below, Above: h.Above}
	for _, rows := range h.Counts {
		v.Tallest = max(v.Tallest, rows)
	}
	v.From, v.To = h.Start, h.Start+float64(len(h.Counts))*h.Width
	each := float64(f.width) / float64(len(h.Counts))
	gap := math.Min(1, each/4)
	for i, rows := range h.Counts {
		height := 0.0
		if rows > 0 {
			height = math.Max(1, float64(rows)/float64(v.Tallest)*float64(v.Base-v.Top))
		}
		v.Bars = append(v.Bars, histogramBar{
			X: coordinate(float64(i)*each + gap/2), Y: coordinate(float64(v.Base) - height), W: coordinate(each - gap), H: coordinate(height),
			From: h.Start + float64(i)*h.Width, To: h.Start + float64(i+1)*h.Width, Rows: rows,
		})
	}
	if half := h.Width / 2; h.Width == 1 && h.Start != math.Trunc(h.Start) {
		v.Whole = true
		for i := range v.Bars {
			v.Bars[i].From, v.Bars[i].To = v.Bars[i].From+half, v.Bars[i].To+half
		}
		v.From, v.To = v.From+half, v.To+half
		for _, i := range []int{0, len(v.Bars) / 2, len(v.Bars) - 1} {
			v.Ticks = append(v.Ticks, tick{X: coordinate((float64(i) + 0.5) * each), Anchor: "middle", Value: v.Bars[i].From})
		}
		v.Ticks = slices.Compact(v.Ticks)
		return v
	}
	if h.Width == 0 {
		v.Ticks = []tick{{X: coordinate(float64(f.width) / 2), Anchor: "middle", Value: h.Start}}
		return v
	}
	middle := len(h.Counts) / 2
	v.Ticks = []tick{
		{X: "0", Anchor: "start", Value: v.From},
		{X: coordinate(float64(middle) * each), Anchor: "middle", Value: h.Start + float64(middle)*h.Width},
		{X: strconv.Itoa(f.width), Anchor: "end", Value: v.To},
	}
	return v
}

// rounded is a value to three digits, which is what a quantile is good for.
func rounded(v float64) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil {
		return v // it would be too large
	}
	return short
}

func coordinate(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// nullStrip is a bar for each required column: the share of rows in which it is null.
type nullStrip struct {
	Bars  []nullBar
	Worst *nullBar // nil if there are no nulls
}

// nullBar is the share of nulls of a column. Y and H are of a strip that is 28 high, W of a bar that is 100 wide.
type nullBar struct {
	Column string
	X      int
	Y, H   string
	W      string
	Rows   int
	Share  float64
}

const stripHeight = 28

func drawNulls(p *dataset.Profile) nullStrip {
	var strip nullStrip
	nulls := dataset.Gate{}.Examine(p).Nulls
	for i, column := range property.Required() {
		bar := newNullBar(column, nulls[column], p.Rows())
		bar.X = i * 8
		strip.Bars = append(strip.Bars, bar)
		if bar.Rows > 0 && (strip.Worst == nil || bar.Rows > strip.Worst.Rows) {
			strip.Worst = &bar
		}
	}
	return strip
}

func newNullBar(column string, nulls, rows int) nullBar {
	b := nullBar{Column: column, Rows: nulls, Y: strconv.Itoa(stripHeight), H: "0", W: "0"}
	if rows == 0 || nulls == 0 {
		return b
	}
	b.Share = float64(nulls) / float64(rows)
	height := math.Max(1, b.Share*stripHeight)
	b.Y, b.H, b.W = coordinate(stripHeight-height), coordinate(height), coordinate(math.Max(1, b.Share*100))
	return b
}
