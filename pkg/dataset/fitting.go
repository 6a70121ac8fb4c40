package dataset

import (
	"math"

	"tasador/pkg/property"
)

// FittingGate returns the strictest gate that lets the batch through: it excuses the required columns that have nulls, and the
// share of rows that fail what is left, rounded up to whole percents. MinNewRecords is left at 0.
func (p *Profile) FittingGate() Gate {
	nulls, _ := p.counts(allRequired, allRequired)
	failing := 0
	for d, n := range p.defects {
		if d.bad != 0 {
			failing += n
		}
	}
	var g Gate
	for i, name := range property.Required() {
		if nulls[i] > 0 {
			g.Nullable = append(g.Nullable, name)
		}
	}
	if failing > 0 {
		g.MaxInvalidRatio = math.Ceil(100*float64(failing)/float64(p.rows)) / 100
	}
	return g
}
