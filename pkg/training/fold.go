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

// foldAll reads every part once and returns their factors, over features.
func foldAll(ctx context.Context, parts Parts, features []string, opt Options) ([]*ridge.Factor, error) {
	p := newProgress(parts, opt.OnProgress)
	group, ctx := errgroup.WithContext(ctx)
	if !opt.Concurrent {
		group.SetLimit(1)
	}
	factors := make([]*ridge.Factor, len(parts.list()))
	for i, part := range parts.list() {
		group.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			factors[i], err = foldPart(ctx, part, features, p)
			return err
		})
	}
	return factors, group.Wait()
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
		if factor.Rows()%progressRows == 0 {
			p.add(progressRows)
			return ctx.Err()
		}
		return nil
	})
	p.add(factor.Rows() % progressRows)
	return factor, err
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
