package dataset

import (
	"fmt"
	"strings"

	"tasador/pkg/property"
	"tasador/pkg/realtor"
)

// Gate decides whether a batch is worth training on.
type Gate struct {
	Nullable        []string `json:"nullable"`          // required columns that may be null
	MaxInvalidRatio float64  `json:"max_invalid_ratio"` // share of rows, 0 to 1, that may fail what is left
	MinNewRecords   int      `json:"min_new_records"`   // a batch needs more rows than this
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
	if reasons := g.Examine(p).reasons(); len(reasons) > 0 {
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

// Findings is what a gate finds wrong with a batch, whether it forbids training or not.
type Findings struct {
	Missing    []string       // required columns that no row has
	Nulls      map[string]int // rows in which a column is null that must not be
	OutOfRange map[string]int // rows in which a column is out of range or of the wrong type
	Failing    int            // rows with any of these two
	Tolerated  bool           // the rows that fail are no more than the share that may
}

// Examine looks for what is wrong with a batch.
func (g Gate) Examine(p *Profile) Findings {
	f := Findings{Missing: p.MissingColumns(), Nulls: map[string]int{}, OutOfRange: map[string]int{}}
	nullMatters := p.present &^ columnBits(g.Nullable)
	for d, n := range p.defects {
		if d.null&nullMatters|d.bad != 0 {
			f.Failing += n
		}
	}
	nulls, bads := p.counts(nullMatters, allRequired)
	for i, name := range property.Required() {
		if nulls[i] > 0 {
			f.Nulls[name] = nulls[i]
		}
		if bads[i] > 0 {
			f.OutOfRange[name] = bads[i]
		}
	}
	f.Tolerated = p.rows == 0 || float64(f.Failing)/float64(p.rows) <= g.MaxInvalidRatio
	return f
}

// reasons names what forbids training on the batch: nothing if it is valid.
func (f Findings) reasons() []string {
	var out []string
	if len(f.Missing) > 0 {
		out = append(out, "Faltan columnas: "+pythonList(f.Missing))
	}
	if f.Tolerated {
		return out
	}
	return append(out, append(counted("Nulos en: ", f.Nulls), counted("Fuera de rango en: ", f.OutOfRange)...)...)
}

// counted writes one reason as `Nulos en: ['bed', 'bath'] (bed: 3, bath: 12)`: the list as the original wrote it, so that what
// searches for it finds it, then the rows of each column. It is empty without counts.
func counted(label string, counts map[string]int) []string {
	var columns, rows []string
	for _, name := range property.Required() {
		if counts[name] > 0 {
			columns = append(columns, name)
			rows = append(rows, fmt.Sprintf("%s: %d", name, counts[name]))
		}
	}
	if len(columns) == 0 {
		return nil
	}
	return []string{label + pythonList(columns) + " (" + strings.Join(rows, ", ") + ")"}
}

func pythonList(names []string) string { return "['" + strings.Join(names, "', '") + "']" }
