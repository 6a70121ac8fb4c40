package training

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"tasador/pkg/ridge"
)

// progressRows is how many rows of a part lie between two reports.
const progressRows = 1 << 14

// validationAt is the place of the part of which no sample is kept: it is neither all that a fit saw nor new to the final one.
const validationAt = 1

// fold is what is kept of a part: its factor, and a sample of its rows or nil.
type fold struct {
	factor *ridge.Factor
	sample *Sample
}

// foldAll reads every part once and returns what is kept of them, over features.
func foldAll(ctx context.Context, parts Parts, features []string, opt Options) ([]fold, error) {
	p := newProgress(parts, opt.OnProgress)
	group, ctx := errgroup.WithContext(ctx)
	if !opt.Concurrent {
		group.SetLimit(1)
	}
	folds := make([]fold, len(parts.list()))
	for i, part := range parts.list() {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			folds[i].factor = ridge.NewFactor(len(features))
			if i != validationAt {
				folds[i].sample = NewSample(len(features))
			}
			return foldPart(ctx, part, features, folds[i], p)
		})
	}
	return folds, group.Wait()
}

// foldPart puts a part's values where features has their names; absent ones are 0.
func foldPart(ctx context.Context, part Part, features []string, into fold, p *progress) error {
	columns := part.Columns()
	place := make([]int, len(columns))
	for i, name := range columns {
		place[i], _ = slices.BinarySearch(features, name)
	}
	factor := into.factor
	row := make([]float64, len(features))
	err := part.Each(ctx, func(x []float64, price float64) error {
		for i, v := range x {
			row[place[i]] = v
		}
		factor.Add(row, price)
		if into.sample != nil {
			into.sample.Add(row, price)
		}
		if factor.Rows()%progressRows == 0 {
			p.add(progressRows)
			return ctx.Err()
		}
		return nil
	})
	p.add(factor.Rows() % progressRows)
	return err
}

// progress counts rows for the caller.
type progress struct {
	mu          sync.Mutex
	report      func(done, total int)
	done, total int
}

func newProgress(parts Parts, report func(done, total int)) *progress {
	p := &progress{report: report}
	for _, part := range parts.list() {
		sized, ok := part.(Sized)
		if !ok {
			p.total = 0
			break
		}
		p.total += sized.Len()
	}
	return p
}

func (p *progress) add(rows int) {
	if p.report == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += rows
	p.report(p.done, p.total)
}
