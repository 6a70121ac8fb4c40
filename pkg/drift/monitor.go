package drift

import (
	"math"
	"time"
)

// Monitor counts what one model version is asked and answers, in memory of a fixed size. It is safe for concurrent use and takes no lock. A nil
// Monitor sees nothing.
type Monitor struct {
	reference Reference
	fields    []place
	counters  int
	hour      *ring
	week      *ring
}

// place says where a field's value comes from and where its counts are.
type place struct {
	field   *Field
	column  int   // of a number among the features; answer for the prediction
	columns []int // of a category
	counts  int   // first of its counters
	sums    int   // first of its two sums: how far values lie below, and above, the edges
}

// answer stands for the prediction, which is no feature.
const answer = -1

// Counters that come before those of the fields.
const (
	predictions = iota // counted
	feedbacks          // with a known price
	intervals          // of those, with an interval
	covered            // of those, the price lies within
	firstCounter
)

// Sums that come before those of the fields.
const (
	errorSum = iota
	absoluteSum
	squareSum
	firstSum
)

// Prediction names the field of a reference that is the model's answer.
const Prediction = "prediction"

// NewMonitor watches for drift from a reference. The features are those that Observe gets, in their order; a category's columns are named prefix
// and name. Fields that are neither a feature, nor a category, nor Prediction are left out.
func NewMonitor(reference Reference, features []string, prefix string) *Monitor {
	m := &Monitor{reference: reference, counters: firstCounter}
	sums := firstSum
	index := make(map[string]int, len(features))
	for i, name := range features {
		index[name] = i
	}
	for i := range reference.Fields {
		f := &reference.Fields[i]
		p := place{field: f, column: answer, counts: m.counters, sums: sums}
		column, known := index[f.Name]
		switch {
		case f.IsCategory():
			p.columns = f.CategoryColumns(features, prefix)
		case known:
			p.column = column
		case f.Name != Prediction:
			continue
		}
		m.fields = append(m.fields, p)
		m.counters += len(f.Counts)
		sums += 2
	}
	m.hour = newRing(fine, Hour.Span(), m.counters, sums)
	m.week = newRing(coarse, Week.Span(), m.counters, sums)
	return m
}

// Observe counts one prediction and the features that it was made from. It keeps neither and allocates nothing but a block of counters when a
// step begins.
func (m *Monitor) Observe(x []float64, prediction float64, now time.Time) {
	if m == nil {
		return
	}
	hour, week := m.hour.at(now), m.week.at(now)
	hour.counts[predictions].Add(1)
	week.counts[predictions].Add(1)
	for i := range m.fields {
		p := &m.fields[i]
		if p.columns != nil {
			at := p.counts + categoryOf(p.columns, x)
			hour.counts[at].Add(1)
			week.counts[at].Add(1)
			continue
		}
		v := prediction
		if p.column != answer {
			v = x[p.column]
		}
		bin := binOf(p.field.Edges, v)
		hour.counts[p.counts+bin].Add(1)
		week.counts[p.counts+bin].Add(1)
		last := len(p.field.Edges)
		switch {
		case bin == 0:
			hour.sums[p.sums].add(p.field.Edges[0] - v)
			week.sums[p.sums].add(p.field.Edges[0] - v)
		case bin > last:
			hour.sums[p.sums+1].add(v - p.field.Edges[last-1])
			week.sums[p.sums+1].add(v - p.field.Edges[last-1])
		}
	}
}

// categoryOf returns which of the columns is set, or their number if none is.
func categoryOf(columns []int, x []float64) int {
	for i, column := range columns {
		if column >= 0 && x[column] != 0 {
			return i
		}
	}
	return len(columns)
}

// Feedback is a prediction whose price is known now, in dollars. Low and High are its interval, NaN if it had none.
type Feedback struct {
	Predicted, Actual float64
	Low, High         float64
}

// Learn counts a feedback.
func (m *Monitor) Learn(f Feedback, now time.Time) {
	if m == nil {
		return
	}
	off := f.Predicted - f.Actual
	for _, b := range []*block{m.hour.at(now), m.week.at(now)} {
		b.counts[feedbacks].Add(1)
		b.sums[errorSum].add(off)
		b.sums[absoluteSum].add(math.Abs(off))
		b.sums[squareSum].add(off * off)
		if math.IsNaN(f.Low) || math.IsNaN(f.High) {
			continue
		}
		b.counts[intervals].Add(1)
		if f.Low <= f.Actual && f.Actual <= f.High {
			b.counts[covered].Add(1)
		}
	}
}
