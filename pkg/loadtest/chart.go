package loadtest

import (
	"math"
	"strconv"
	"strings"
)

// The picture of a chart, in its own units; pages scale it.
const (
	chartWide  = 560
	chartHigh  = 260
	chartLeft  = 52 // room for the values of the vertical axis
	chartRight = 28 // and for half of the last value of the horizontal one
	chartTop   = 10
	chartBase  = 24 // room for those of the horizontal axis
)

// chart is a drawing of some lines over two axes. The template writes it as SVG.
type chart struct {
	Title, About   string
	Wide, High     int
	Left, Right    string // of the drawing, as are the next two
	Top, Bottom    string
	Lines          []chartLine
	XTicks, YTicks []tick
	XLabel, YLabel string
	xScale, yScale func(float64) float64
	NamesAt        string // where the names of the horizontal ticks stand
}

// chartLine is one series.
type chartLine struct{ Name, Class, Path string }

// tick is a named place on an axis.
type tick struct{ At, Name string }

// at is a point of a series; a NaN breaks the line.
type at struct{ x, y float64 }

func newChart(title, about, xLabel, yLabel string, x, y axis) *chart {
	c := &chart{
		Title: title, About: about, XLabel: xLabel, YLabel: yLabel, Wide: chartWide, High: chartHigh,
		Left: coordinate(chartLeft), Right: coordinate(chartWide - chartRight), Top: coordinate(chartTop), Bottom: coordinate(chartHigh - chartBase),
		xScale: x.scale(chartLeft, chartWide-chartRight), yScale: y.scale(chartHigh-chartBase, chartTop), NamesAt: coordinate(chartHigh - chartBase/3),
	}
	for _, m := range x.marks {
		c.XTicks = append(c.XTicks, tick{coordinate(c.xScale(m.at)), m.name})
	}
	for _, m := range y.marks {
		c.YTicks = append(c.YTicks, tick{coordinate(c.yScale(m.at)), m.name})
	}
	return c
}

// draw adds a series; one without a point is left out.
func (c *chart) draw(name, class string, points []at) {
	var path strings.Builder
	pen := "M"
	for _, p := range points {
		x, y := c.xScale(p.x), c.yScale(p.y)
		if math.IsNaN(x+y) || math.IsInf(x+y, 0) {
			pen = "M"
			continue
		}
		path.WriteString(pen + coordinate(x) + " " + coordinate(y))
		pen = "L"
	}
	if path.Len() > 0 {
		c.Lines = append(c.Lines, chartLine{name, class, path.String()})
	}
}

func coordinate(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// axis is a range of values with marks in it.
type axis struct {
	low, high float64
	marks     []mark
	bend      func(float64) float64 // before values are spread evenly; nil for not
}

type mark struct {
	at   float64
	name string
}

// scale maps the axis to from…to.
func (a axis) scale(from, to float64) func(float64) float64 {
	bend := a.bend
	if bend == nil {
		bend = func(v float64) float64 { return v }
	}
	low, high := bend(a.low), bend(a.high)
	return func(v float64) float64 { return from + (to-from)*(bend(v)-low)/(high-low) }
}

// logAxis spans positive values by whole decades, marked at 1, 2 and 5 where there is room. Values below it, such as 0, are off the picture.
func logAxis(values []float64) axis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v > 0 {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		low, high = 1, 1
	}
	from, to := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	to = max(to, from+1)
	a := axis{low: math.Pow(10, from), high: math.Pow(10, to), bend: math.Log10}
	steps := []float64{1, 2, 5}
	if to-from > 3 {
		steps = steps[:1]
	}
	for e := from; e <= to; e++ {
		for _, s := range steps {
			if v := s * math.Pow(10, e); v <= a.high {
				a.marks = append(a.marks, mark{v, number(v)})
			}
		}
	}
	return a
}

// linearAxis spans 0 to a round value above all of them, with up to six marks.
func linearAxis(values []float64) axis {
	high := 0.0
	for _, v := range values {
		high = max(high, v)
	}
	if high == 0 {
		high = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(high/5)))
	for _, s := range []float64{1, 2, 5, 10} {
		if high/(s*step) <= 5 {
			step *= s
			break
		}
	}
	a := axis{high: math.Ceil(high/step) * step}
	for i := 0.0; i*step <= a.high; i++ {
		a.marks = append(a.marks, mark{i * step, number(i * step)})
	}
	return a
}

// timeAxis spans the seconds of a run.
func timeAxis(seconds float64) axis {
	a := linearAxis([]float64{seconds})
	a.high = seconds
	for len(a.marks) > 0 && a.marks[len(a.marks)-1].at > seconds {
		a.marks = a.marks[:len(a.marks)-1]
	}
	return a
}

// nines bends a percentile so that 90, 99 and 99.9 lie evenly, as on the plots of HdrHistogram.
func nines(percentile float64) float64 { return -math.Log10(1 - percentile/100) }

// percentileAxis spans 0 to the last percentile that a number of requests can tell.
func percentileAxis(requests uint64) axis {
	decades := max(math.Ceil(math.Log10(float64(max(requests, 1)))), 1)
	a := axis{high: 100 * (1 - math.Pow(10, -decades)), bend: nines, marks: []mark{{0, "0 %"}, {50, "50 %"}}}
	for d := 1.0; d <= decades; d++ {
		p := 100 * (1 - math.Pow(10, -d))
		a.marks = append(a.marks, mark{p, strconv.FormatFloat(p, 'f', int(max(d-2, 0)), 64) + " %"})
	}
	return a
}
