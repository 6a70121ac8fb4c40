package model

import (
	"strings"

	"tasador/pkg/drift"
	"tasador/pkg/features"
	"tasador/pkg/property"
	"tasador/pkg/training"
)

// referenceOf describes how the features of the train sample, and the prices that the model gives it, are distributed. The columns of status
// are one field: a row that is in none of them has the status that has no column, or none.
func (m *Model) referenceOf(train *training.Sample) *drift.Reference {
	ref := &drift.Reference{Rows: train.Rows(), Fields: []drift.Field{}}
	var statuses []string
	var counts []int
	rest := train.Rows()
	add := func(name string, values []float64) {
		if f := drift.NewNumber(name, values); len(f.Edges) > 0 {
			ref.Fields = append(ref.Fields, f)
		}
	}
	for j, name := range m.Schema.Features {
		values := make([]float64, train.Rows())
		for i := range values {
			x, _ := train.Row(i)
			values[i] = x[j]
		}
		if status, ok := strings.CutPrefix(name, features.StatusPrefix); ok {
			count := 0
			for _, v := range values {
				count += int(v) // 0 or 1
			}
			statuses, counts, rest = append(statuses, status), append(counts, count), rest-count
			continue
		}
		add(name, values)
	}
	if len(statuses) > 0 {
		ref.Fields = append(ref.Fields, drift.NewCategory(property.Status, statuses, append(counts, rest)))
	}
	add(drift.Prediction, m.pricesOf(train))
	return ref
}

// Monitor returns what watches for drift from what the model was trained on. A model of format 1 does not know that, so that only errors are
// counted.
func (m *Model) Monitor() *drift.Monitor {
	if m.Reference == nil {
		return drift.NewMonitor(drift.Reference{}, m.Schema.Features, features.StatusPrefix)
	}
	return drift.NewMonitor(*m.Reference, m.Schema.Features, features.StatusPrefix)
}
