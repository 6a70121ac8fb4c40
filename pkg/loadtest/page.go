package loadtest

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"time"

	"tasador/web"
)

//go:embed report.html
var pageText string

// page is what the template of the report shows.
type page struct {
	*Report
	Style  template.CSS
	Load   string
	Charts []*chart
}

// WriteHTML writes the report as one page that needs nothing beside itself.
func (r *Report) WriteHTML(w io.Writer) error {
	style, err := web.Stylesheet()
	if err != nil {
		return err
	}
	parsed, err := template.New("report").Funcs(template.FuncMap{
		"number":  number,
		"percent": func(ratio float64) string { return number(100 * ratio) },
		"moment":  func(t time.Time) string { return t.Format("2006-01-02 15:04:05 UTC") },
		"plural":  plural,
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("parse the template of the report: %w", err)
	}
	var b bytes.Buffer
	p := page{Report: r, Style: template.CSS(style), Load: r.load(), Charts: r.charts()} //nolint:gosec // the style is our own
	if err := parsed.Execute(&b, p); err != nil {
		return fmt.Errorf("make the report: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// charts draws latency over time and by percentile, on the same vertical axis, and the rate.
func (r *Report) charts() []*chart {
	var times, rates []float64
	for _, s := range r.Slices {
		times = append(times, s.P50, s.P99, s.Max)
		rates = append(rates, s.Asked, float64(s.Requests)/s.Seconds)
	}
	times = append(times, r.Latency.Min, r.Latency.Max)
	limit := math.NaN()
	for _, l := range r.Limits {
		if l.Name == maxP99 {
			limit = l.Limit
			times = append(times, limit)
		}
	}
	latency := logAxis(times)

	over := newChart("Latency over time", "by when the request left", "seconds", "ms", timeAxis(r.Seconds), latency)
	over.draw("max", "max", r.series(func(s Slice) float64 { return s.Max }))
	over.draw("p99", "p99", r.series(func(s Slice) float64 { return s.P99 }))
	over.draw("p50", "p50", r.series(func(s Slice) float64 { return s.P50 }))
	over.draw("limit of p99", "limit", []at{{0, limit}, {r.Seconds, limit}})

	requests := r.Good + r.Errors
	by := newChart("Latency by percentile", "how many percent of all requests took at most so long", "percentile", "ms", percentileAxis(requests), latency)
	var points []at
	for _, d := range r.Distribution {
		points = append(points, at{min(d.Percentile, percentileAxis(requests).high), d.MS})
	}
	by.draw("latency", "p99", points)

	rate := newChart("Requests over time", "asked for and ended, by when they left", "seconds", "per second", timeAxis(r.Seconds), linearAxis(rates))
	rate.draw("asked", "max", r.series(func(s Slice) float64 { return s.Asked }))
	rate.draw("all", "p50", r.series(func(s Slice) float64 { return float64(s.Requests) / s.Seconds }))
	rate.draw("errors", "limit", r.series(func(s Slice) float64 { return float64(s.Errors) / s.Seconds }))
	return []*chart{over, by, rate}
}

// series takes one value of each slice, at its middle; a slice without requests breaks the line.
func (r *Report) series(value func(Slice) float64) []at {
	points := make([]at, 0, len(r.Slices))
	for _, s := range r.Slices {
		p := at{s.At + s.Seconds/2, value(s)}
		if s.Requests == 0 {
			p.y = math.NaN()
		}
		points = append(points, p)
	}
	return points
}
