package dataset

import (
	"math"

	"tasador/pkg/property"
)

// FittingGate returns the strictest gate that lets the batch through: it excuses the required columns that have nulls, and the
// share of rows that fail what is left, rounded up to whole percents. MinNewRecords is left at 0.
func (p *Profile) FittingGate() Gate {
	var nulls [requiredLen]int
	failing := 0
	for d, n := range p.seen {
		addCounts(&nulls, d.null, n)
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

// MissingColumns lists the required columns that no row has.
func (p *Profile) MissingColumns() []string {
	const all = uint8(1<<requiredLen - 1)
	return columnNames(all &^ p.present)
}
