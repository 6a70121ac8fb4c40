package listinggen

import (
	"slices"
	"strconv"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/property"
)

// DefaultPlan is what a source of generated listings hands out unless told otherwise: every answer that the gate can give.
const DefaultPlan = "15000,0,800,12000:nulls=bath,12000:missing=bed,12000"

// PlanHelp says how a plan is written; errors end with it.
const PlanHelp = "a plan is a comma list of SIZE or rest, each with options, such as 15000,0,800,12000:nulls=bath,12000:wrong=price,12000:missing=bed,12000:gaps,12000:rows=array"

const maxBatch = 10_000_000 // rows of one batch

// spoilEvery is how many rows nulls=COLUMN and wrong=COLUMN spoil: the first of ten.
const spoilEvery = 10

// Batch says what one batch of a plan is like.
type Batch struct {
	Size    int      // rows
	Rest    bool     // all rows that are left, instead of Size; generated listings have no end, so their source chooses a size
	Nulls   []string // columns that are null in every tenth row
	Wrong   []string // columns whose value has the wrong type in every tenth row
	Missing []string // columns that no row has
	Gaps    bool     // generated listings with the gaps of real ones, instead of complete ones
	Arrays  bool     // rows are lists in the order of property.Columns instead of objects
}

// IsNull reports whether the plan makes a column null in row i (from 0) of the batch.
func (b Batch) IsNull(column string, i int) bool {
	return i%spoilEvery == 0 && slices.Contains(b.Nulls, column)
}

// IsWrong reports whether the plan gives a column a value of the wrong type in row i (from 0) of the batch.
func (b Batch) IsWrong(column string, i int) bool {
	return i%spoilEvery == 0 && slices.Contains(b.Wrong, column)
}

// ParsePlan reads a plan: batches in the order in which they are handed out, separated by commas. A batch is its number of rows,
// or rest for all that is left of a file (of generated listings: 15,000), and options after colons, each of which may come several times: nulls=COLUMN, wrong=COLUMN,
// missing=COLUMN, gaps, rows=array, rows=object. Codes: Invalid, naming the part that is wrong.
func ParsePlan(text string) ([]Batch, error) {
	var plan []Batch
	for i, part := range strings.Split(text, ",") {
		b, err := parseBatch(strings.TrimSpace(part))
		if err != nil {
			return nil, apperror.New(apperror.Invalid, "--source.batches: batch %d, %q, %v; %s", i+1, strings.TrimSpace(part), err, PlanHelp)
		}
		if i > 0 && plan[i-1].Rest {
			return nil, apperror.New(apperror.Invalid, "--source.batches: batch %d, %q, follows rest, which leaves nothing; %s", i+1, strings.TrimSpace(part), PlanHelp)
		}
		plan = append(plan, b)
	}
	return plan, nil
}

// planError is the second half of the sentence that ParsePlan makes.
type planError string

func (e planError) Error() string { return string(e) }

func parseBatch(part string) (Batch, error) {
	size, options, hasOptions := strings.Cut(part, ":")
	var b Batch
	if size = strings.TrimSpace(size); size == "rest" {
		b.Rest = true
	} else {
		n, err := strconv.Atoi(size)
		if err != nil || n < 0 || n > maxBatch {
			return Batch{}, planError("does not begin with a number of rows from 0 to " + strconv.Itoa(maxBatch))
		}
		b.Size = n
	}
	if !hasOptions {
		return b, nil
	}
	for _, option := range strings.Split(options, ":") {
		if err := b.set(strings.TrimSpace(option)); err != nil {
			return Batch{}, err
		}
	}
	return b, nil
}

func (b *Batch) set(option string) error {
	name, value, _ := strings.Cut(option, "=")
	switch {
	case name == "nulls" || name == "wrong" || name == "missing":
		if !slices.Contains(property.Columns(), value) {
			return planError("names the column " + strconv.Quote(value) + ", but the columns are " + strings.Join(property.Columns(), ", "))
		}
		columns := map[string]*[]string{"nulls": &b.Nulls, "wrong": &b.Wrong, "missing": &b.Missing}[name]
		*columns = append(*columns, value)
	case option == "gaps":
		b.Gaps = true
	case option == "rows=array":
		b.Arrays = true
	case option == "rows=object":
		b.Arrays = false
	default:
		return planError("has the unknown option " + strconv.Quote(option))
	}
	if b.Arrays && len(b.Missing) > 0 {
		return planError("leaves a column out of rows that are lists, which cannot be")
	}
	return nil
}
