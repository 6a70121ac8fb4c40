package training

import (
	"context"
	"slices"

	"tasador/pkg/ridge"
)

// progressRows is how many rows lie between two reports.
const progressRows = 1 << 14

// foldAll reads every part once and returns their factors, over features.
func foldAll(ctx context.Context, parts Parts, features []string, report func(done, total int)) ([]*ridge.Factor, error) {
	p := progress{report: report}
	for _, part := range parts.list() {
		sized, ok := part.(Sized)
		if !ok {
			p.total = 0
			break
		}
		p.total += sized.Len()
	}
	var factors []*ridge.Factor
	for _, part := range parts.list() {
		f, err := foldPart(ctx, part, features, &p)
		if err != nil {
			return nil, err
		}
		factors = append(factors, f)
	}
	p.tell()
	return factors, nil
}

// foldPart puts a part's values where features has their names; absent ones are 0.
func foldPart(ctx context.Context, part Part, features []string, p *progress) (*ridge.Factor, error) {
	columns := part.Columns()
	place := make([]int, len(columns))
	for i, name := range columns {
		place[i], _ = slices.BinarySearch(features, name)
	}
	factor := ridge.NewFactor(len(features))
	row := make([]float64, len(features))
	err := part.Each(ctx, func(x []float64, price float64) error {
		for i, v := range x {
			row[place[i]] = v
		}
		factor.Add(row, price)
		p.done++
		if p.done%progressRows == 0 {
			p.tell()
			return ctx.Err()
		}
		return nil
	})
	return factor, err
}

type progress struct {
	report      func(done, total int)
	done, total int
}

func (p *progress) tell() {
	if p.report != nil {
		p.report(p.done, p.total)
	}
}
