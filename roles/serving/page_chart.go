package serving

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"tasador/pkg/features"
	"tasador/pkg/model"
	"tasador/pkg/property"
)

// rangeView is a price and its interval over an axis that begins at zero, as SVG draws them. Lengths are in the units of the picture.
type rangeView struct {
	Width            int
	Low, High, Price float64 // dollars
	Asking           *float64
	From, Wide       string // the interval
	At               string // the price
	AskingAt         string
	LowText          string // where the text of the low end stands, and which end of it
	LowAnchor        string
	HighText         string // where that of the high end begins
	PriceText        string // the middle of its text
	AskingText       string
}

const (
	rangeWidth = 400
	letterWide = 6.7 // of the texts beside it
	textGap    = 8
	wordWide   = 48 // of the word before the asking price
)

// roomFor is how wide an amount is written, such as $1,234,567.
func roomFor(dollars float64) float64 {
	digits := max(1, len(strconv.FormatFloat(math.Abs(dollars), 'f', 0, 64)))
	return letterWide * float64(digits+(digits-1)/3+1)
}

// drawRange draws an interval; most is what the axis must reach beside it.
func drawRange(price float64, i model.Interval, asking *float64, most float64) *rangeView {
	low, most := math.Min(0, i.Low), max(most, i.High, price)
	if asking != nil {
		most = math.Max(most, *asking)
	}
	x := func(v float64) float64 {
		if most <= low {
			return 0
		}
		return rangeWidth * (v - low) / (most - low)
	}
	v := &rangeView{Width: rangeWidth, Low: i.Low, High: i.High, Price: price, Asking: asking}
	from, to := x(i.Low), x(i.High)
	v.From, v.Wide, v.At = coordinate(from), coordinate(math.Max(1, to-from)), coordinate(x(price))
	lowWide, highWide := roomFor(i.Low), roomFor(i.High)
	lowEnd := min(from, rangeWidth-highWide-textGap)
	v.LowText, v.LowAnchor = coordinate(lowEnd), "end"
	if lowEnd < lowWide {
		v.LowAnchor, lowEnd = "start", lowEnd+lowWide
	}
	v.HighText = coordinate(min(max(to, lowEnd+textGap), rangeWidth-highWide))
	within := func(at, wide float64) string { return coordinate(min(max(at, wide/2), rangeWidth-wide/2)) }
	v.PriceText = within(x(price), roomFor(price))
	if asking != nil {
		v.AskingAt = coordinate(x(*asking))
		v.AskingText = within(x(*asking), roomFor(*asking)+wordWide)
	}
	return v
}

func coordinate(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// whyLine is one step from the average house to this one, with its bar.
type whyLine struct {
	Label          string   // a key of the translations
	Text           string   // the value, where it is no number
	Word           string   // the same, as a key of the translations
	Value, Average *float64 // nil where there is none
	Dollars        float64
	Total          bool // the whole price: of the average house, or of this one
	X, W           string
	Start          string // where the step begins
}

const whyWidth = 200

// featureLabels names features for people. The columns of the status count as one.
var featureLabels = map[string]string{
	property.Bed: "Bedrooms", property.Bath: "Bathrooms", property.AcreLot: "Lot (acres)", property.HouseSize: "House size (sq ft)",
	features.DaysSinceLastSale: "Days since the last sale", property.Status: "Status",
}

func labelOf(feature string) string { return cmp.Or(featureLabels[feature], feature) }

// why lists what leads from the price of the average house to that of a listing, the largest step first; empty if the model does not know its means.
func why(m *model.Model, listing *property.Listing, x []float64, price float64) []whyLine {
	base := m.Base()
	if math.IsNaN(base) {
		return nil
	}
	var steps []whyLine
	status := whyLine{Label: labelOf(property.Status), Text: listing.Status.Value}
	columns := 0
	for i, dollars := range m.Contributions(x, nil) {
		name := m.Schema.Features[i]
		if strings.HasPrefix(name, features.StatusPrefix) {
			status.Dollars += dollars
			columns++
			continue
		}
		value, average := x[i], float64(m.Training.Statistics[i].Mean)
		step := whyLine{Label: labelOf(name), Value: &value, Average: &average, Dollars: dollars}
		if name == features.DaysSinceLastSale && !listing.PrevSoldDate.Valid {
			step.Value, step.Word = nil, "never sold"
		}
		steps = append(steps, step)
	}
	if columns > 0 {
		steps = append(steps, status)
	}
	slices.SortStableFunc(steps, func(a, b whyLine) int { return cmp.Compare(math.Abs(b.Dollars), math.Abs(a.Dollars)) })
	lines := append([]whyLine{{Label: "Average house", Dollars: base, Total: true}}, steps...)
	lines = append(lines, whyLine{Label: "This house", Dollars: price, Total: true})
	drawWhy(lines)
	return lines
}

// drawWhy lays out the bars: the totals from zero, each step from where the one before ended.
func drawWhy(lines []whyLine) {
	low, high, at := 0.0, 0.0, 0.0
	ends := make([][2]float64, len(lines))
	for i, l := range lines {
		from := at
		if l.Total {
			from = 0
		}
		at = from + l.Dollars
		ends[i] = [2]float64{from, at}
		low, high = min(low, at), max(high, at)
	}
	x := func(v float64) float64 {
		if high <= low {
			return 0
		}
		return whyWidth * (v - low) / (high - low)
	}
	for i, e := range ends {
		from, to := x(min(e[0], e[1])), x(max(e[0], e[1]))
		lines[i].X, lines[i].W, lines[i].Start = coordinate(from), coordinate(math.Max(0.5, to-from)), coordinate(x(e[0]))
	}
}
