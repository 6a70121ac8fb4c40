package tracking

import (
	"math"
	"strconv"
	"strings"
)

// chart is a small line chart. Its numbers are in the units of the picture; the template writes it as SVG.
type chart struct {
	Width, Height int
	Path          string // of the line; it breaks where a point has no finite value
	Dots          []dot
	First, Last   *dot // the ends, whose values are written beside them; nil without finite points
	Base          int  // where the names of the points stand
}

// dot is one point of a chart.
type dot struct {
	X, Y   string
	Value  float64
	At     string // the name of the point on the axis
	Filled bool
	Href   string
	Named  bool // At is written below it
}

// point is what a chart draws. X says where, in any unit; points come in its order.
type point struct {
	X, Y   float64
	At     string
	Filled bool
	Href   string
}

// frame is the size of a chart. Pad is the room at both sides for the values of the ends.
type frame struct{ width, height, pad int }

const (
	maxDots  = 60 // more would hide the line
	letter   = 8  // width of a letter of a name, with the room beside it
	chartTop = 14 // room above the highest point
	axisRoom = 26 // and below the lowest, for the names of the points
)

// plot draws points as a line, or as steps: a value holds until the next one.
func plot(points []point, f frame, steps bool) chart {
	c := chart{Width: f.width, Height: f.height, Base: f.height - 6}
	x, y := scales(points, f)
	var path strings.Builder
	broken, before := true, ""
	named := fit(points, f)
	for _, p := range points {
		if !finite(p.Y) {
			broken = true
			continue
		}
		d := dot{X: coordinate(x(p.X)), Y: coordinate(y(p.Y)), Value: p.Y, At: p.At, Filled: p.Filled, Href: p.Href, Named: named}
		switch {
		case broken:
			path.WriteString("M" + d.X + " " + d.Y)
		case steps:
			path.WriteString("L" + d.X + " " + before + "L" + d.X + " " + d.Y)
		default:
			path.WriteString("L" + d.X + " " + d.Y)
		}
		broken, before = false, d.Y
		c.Dots = append(c.Dots, d)
	}
	c.Path = path.String()
	if len(c.Dots) == 0 {
		return c
	}
	first, end := &c.Dots[0], &c.Dots[len(c.Dots)-1]
	first.Named, end.Named = true, true
	firstDot, lastDot := *first, *end
	c.First, c.Last = &firstDot, &lastDot
	if len(c.Dots) > maxDots {
		c.Dots = []dot{firstDot, lastDot}
	}
	return c
}

// fit reports whether the names of all points have room below them; else only the ends are named.
func fit(points []point, f frame) bool {
	letters := 0
	for _, p := range points {
		letters += len(p.At) + 1
	}
	return letters*letter <= f.width-2*f.pad
}

// scales returns the functions from values to the picture. The vertical one spans the values, not zero: charts of one measure over
// time show its change, and the ends carry their values.
func scales(points []point, f frame) (x, y func(float64) float64) {
	xLow, xHigh, yLow, yHigh := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, p := range points {
		if finite(p.Y) {
			xLow, xHigh = math.Min(xLow, p.X), math.Max(xHigh, p.X)
			yLow, yHigh = math.Min(yLow, p.Y), math.Max(yHigh, p.Y)
		}
	}
	x = scale(xLow, xHigh, float64(f.pad), float64(f.width-f.pad))
	y = scale(yLow, yHigh, float64(f.height-axisRoom), chartTop)
	return x, y
}

// scale maps low…high to from…to; a single value to the middle. It halves first, so that no difference overflows.
func scale(low, high, from, to float64) func(float64) float64 {
	if low >= high {
		return func(float64) float64 { return (from + to) / 2 }
	}
	return func(v float64) float64 { return from + (to-from)*((v/2-low/2)/(high/2-low/2)) }
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func coordinate(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
