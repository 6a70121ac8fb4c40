package dataset

// SplitName names one of the three parts that the rows fall into.
type SplitName string

// The splits, in the order in which the shuffled rows fill them.
const (
	Train      SplitName = "train"
	Validation SplitName = "validation"
	Test       SplitName = "test"
)

// Splits lists the splits in the order in which the shuffled rows fill them.
func Splits() []SplitName { return []SplitName{Train, Validation, Test} }

// Seed is the seed of the shuffle.
const Seed uint32 = 42

// Cuts returns where n shuffled rows are cut: train is [0, a), validation [a, b), test [b, n), with a = int(0.6 n) and
// b = int(0.8 n) in double precision, as Python computes them.
func Cuts(n int) (a, b int) {
	rows := float64(n)
	return int(0.6 * rows), int(0.8 * rows)
}

// Range returns the shuffled positions [from, to) that the named split takes of n rows.
func Range(split SplitName, n int) (from, to int) {
	a, b := Cuts(n)
	switch split {
	case Train:
		return 0, a
	case Validation:
		return a, b
	default:
		return b, n
	}
}

// SplitAt returns the split that takes a shuffled position of n rows.
func SplitAt(position, n int) SplitName {
	a, b := Cuts(n)
	switch {
	case position < a:
		return Train
	case position < b:
		return Validation
	default:
		return Test
	}
}
