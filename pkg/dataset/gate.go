package dataset

import (
	"fmt"
	"strings"

	"tasador/pkg/property"
	"tasador/pkg/realtor"
)

// Gate decides whether a batch is worth training on.
type Gate struct {
	Nullable        []string // required columns that may be null
	MaxInvalidRatio float64  // share of rows, 0 to 1, that may fail what is left
	MinNewRecords   int      // a batch needs more rows than this
}

// Decision is the answer of the gate. Reason is data: its text is the same in every language.
type Decision struct {
	Train    bool
	Decision string // realtor.DecisionTrain or realtor.DecisionNoTrain
	Reason   string
}

// Decide judges a batch. An invalid batch is refused with all its reasons, whatever its size; a valid one trains if it has more
// than MinNewRecords rows. A required column that no row has is never excused.
func (g Gate) Decide(p *Profile) Decision {
	if p.rows == 0 {
		return refuse("0 new records")
	}
	if reasons := g.reasons(p); len(reasons) > 0 {
		return refuse(strings.Join(reasons, " & "))
	}
	if p.rows <= g.MinNewRecords {
		return refuse(fmt.Sprintf("%d nuevos ≤ %d", p.rows, g.MinNewRecords))
	}
	return Decision{Train: true, Decision: realtor.DecisionTrain, Reason: fmt.Sprintf("%d nuevos > %d", p.rows, g.MinNewRecords)}
}

func refuse(reason string) Decision {
	return Decision{Decision: realtor.DecisionNoTrain, Reason: reason}
}

// reasons names what forbids training on the batch: nothing if it is valid.
func (g Gate) reasons(p *Profile) []string {
	const all = uint8(1<<requiredLen - 1)
	missing := all &^ p.present
	nullMatters := p.present &^ columnBits(g.Nullable)
	var nulls, bad [requiredLen]int
	failing := 0
	for d, n := range p.seen {
		null := d.null & nullMatters
		if null|d.bad != 0 {
			failing += n
		}
		addCounts(&nulls, null, n)
		addCounts(&bad, d.bad, n)
	}
	var out []string
	if missing != 0 {
		out = append(out, "Faltan columnas: "+pythonList(columnNames(missing)))
	}
	if float64(failing)/float64(p.rows) <= g.MaxInvalidRatio {
		return out
	}
	return append(out, append(counted("Nulos en: ", nulls), counted("Fuera de rango en: ", bad)...)...)
}

func addCounts(counts *[requiredLen]int, mask uint8, n int) {
	for i := range counts {
		if mask&(1<<i) != 0 {
			counts[i] += n
		}
	}
}

// counted writes one reason as `Nulos en: ['bed', 'bath'] (bed: 3, bath: 12)`: the list as the original wrote it, so that what
// searches for it finds it, then the rows of each column. It is empty if all counts are zero.
func counted(label string, counts [requiredLen]int) []string {
	var columns, rows []string
	for i, name := range property.Required() {
		if counts[i] > 0 {
			columns = append(columns, name)
			rows = append(rows, fmt.Sprintf("%s: %d", name, counts[i]))
		}
	}
	if len(columns) == 0 {
		return nil
	}
	return []string{label + pythonList(columns) + " (" + strings.Join(rows, ", ") + ")"}
}

func pythonList(names []string) string { return "['" + strings.Join(names, "', '") + "']" }
