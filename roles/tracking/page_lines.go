package tracking

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// series is what one run has of a metric, for a chart of several runs.
type series struct {
	Number int // of the run on the page
	Name   string
	Points []point
}

// linechart draws several series over one axis. Each line ends in a label at the right, so there is no legend.
type linechart struct {
	Width, Height, Base int
	Left, Right         int // of the drawing
	Lines               []line
	Low, High           float64 // of the vertical axis
	First, Last         string  // ends of the horizontal one
}

// line is one series as it is drawn.
type line struct {
	Number int
	Name   string
	Path   string
	Dots   []dot
	End    *dot    // nil without a finite point
	endY   float64 // its height
	Leader string  // from the end of the line to its label
	LabelY string
}

const (
	linesWide  = 560
	linesLeft  = 8
	linesLabel = 128 // room for the labels
	linesHigh  = 200 // at least
	labelGap   = 14
)

// drawLines draws the series that have a finite point; nil if none has. The vertical axis spans the values, not zero.
func drawLines(all []series) *linechart {
	var points []point
	for _, s := range all {
		points = append(points, s.Points...)
	}
	c := &linechart{Width: linesWide, Height: max(linesHigh, len(all)*labelGap+chartTop+axisRoom), Left: linesLeft, Right: linesWide - linesLabel}
	c.Base = c.Height - 6
	if !c.name(points) {
		return nil
	}
	xs, ys := span(points)
	x := scale(xs.low, xs.high, linesLeft, float64(c.Right))
	y := scale(ys.low, ys.high, float64(c.Height-axisRoom), chartTop)
	for _, s := range all {
		c.Lines = append(c.Lines, drawLine(s, x, y))
	}
	c.label()
	return c
}

// interval is a range of values.
type interval struct{ low, high float64 }

// span returns the ranges of the points with a finite value.
func span(points []point) (x, y interval) {
	x, y = interval{math.Inf(1), math.Inf(-1)}, interval{math.Inf(1), math.Inf(-1)}
	for _, p := range points {
		if finite(p.Y) {
			x = interval{math.Min(x.low, p.X), math.Max(x.high, p.X)}
			y = interval{math.Min(y.low, p.Y), math.Max(y.high, p.Y)}
		}
	}
	return x, y
}

// name writes down the ends of both axes; it reports whether there is anything to draw.
func (c *linechart) name(points []point) bool {
	xs, ys := span(points)
	c.Low, c.High = ys.low, ys.high
	for _, p := range points {
		if finite(p.Y) && p.X == xs.low {
			c.First = p.At
		}
		if finite(p.Y) && p.X == xs.high {
			c.Last = p.At
		}
	}
	return xs.low <= xs.high
}

func drawLine(s series, x, y func(float64) float64) line {
	l := line{Number: s.Number, Name: s.Name}
	var path strings.Builder
	broken := true
	for _, p := range s.Points {
		if !finite(p.Y) {
			broken = true
			continue
		}
		d := dot{X: coordinate(x(p.X)), Y: coordinate(y(p.Y)), Value: p.Y, At: p.At}
		if broken {
			path.WriteString("M" + d.X + " " + d.Y)
		} else {
			path.WriteString("L" + d.X + " " + d.Y)
		}
		broken = false
		l.Dots = append(l.Dots, d)
		l.End, l.endY = &d, y(p.Y)
	}
	l.Path = path.String()
	return l
}

// label puts the labels beside the ends of their lines, apart from each other.
func (c *linechart) label() {
	var ended []*line
	for i := range c.Lines {
		if c.Lines[i].End != nil {
			ended = append(ended, &c.Lines[i])
		}
	}
	slices.SortStableFunc(ended, func(a, b *line) int { return cmp.Compare(a.endY, b.endY) })
	places := make([]float64, len(ended))
	next := math.Inf(-1)
	for i, l := range ended {
		places[i] = math.Max(l.endY, next)
		next = places[i] + labelGap
	}
	bottom := float64(c.Height - axisRoom)
	for i := len(places) - 1; i >= 0 && places[i] > bottom; i-- { // what was pushed out at the bottom pushes back
		places[i] = bottom
		bottom -= labelGap
	}
	for i, l := range ended {
		at := coordinate(places[i])
		l.LabelY = at
		l.Leader = "M" + l.End.X + " " + l.End.Y + "L" + coordinate(float64(c.Right)+8) + " " + at
	}
}

// barchart draws one number for each run as a bar from zero.
type barchart struct {
	Width, Height int
	Zero          string // where the bars begin
	Left, Value   int    // of the names and of the numbers
	Bars          []bar
}

// bar is the number of one run. One that is not finite has a text but no bar.
type bar struct {
	Number   int
	Name     string
	X, Width string
	Y, Text  int
	Value    float64
	Drawn    bool
}

const (
	barsWide = 560
	barsName = 40
	barHigh  = 20
)

// drawBars draws the last point of each series; those without one are left out.
func drawBars(all []series) *barchart {
	low, high := 0.0, 0.0
	var shown []series
	for _, s := range all {
		if len(s.Points) == 0 {
			continue
		}
		shown = append(shown, s)
		if v := s.Points[len(s.Points)-1].Y; finite(v) {
			low, high = math.Min(low, v), math.Max(high, v)
		}
	}
	c := &barchart{Width: barsWide, Height: len(shown)*barHigh + 4, Left: 0, Value: barsWide}
	x := scale(low, high, barsName, barsWide-linesLabel)
	zero := x(0)
	if low >= high {
		zero = barsName
	}
	c.Zero = coordinate(zero)
	for i, s := range shown {
		v := s.Points[len(s.Points)-1].Y
		b := bar{Number: s.Number, Name: s.Name, Y: i*barHigh + 4, Text: i*barHigh + 16, Value: v, Drawn: finite(v) && low < high}
		if b.Drawn {
			b.X, b.Width = coordinate(math.Min(zero, x(v))), coordinate(math.Abs(x(v)-zero))
		}
		c.Bars = append(c.Bars, b)
	}
	return c
}
