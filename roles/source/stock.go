package source

import (
	"context"
	"fmt"

	"tasador/pkg/config"
	"tasador/pkg/listinggen"
	"tasador/pkg/property"
)

// generatedRest is the size of a batch that asks for the rest of what has no end.
const generatedRest = 15_000

// stock is what there is to hand out. The same index gives the same batch, always.
type stock interface {
	batches() int
	open(index int) (*openBatch, error)
	check() error        // whether batches can be opened
	fingerprint() string // changes when any batch could
}

// openBatch is one batch under way.
type openBatch struct {
	plan     listinggen.Batch
	columns  []string
	literals [][]byte             // the row that next read, as JSON values in the order of columns
	next     func() (bool, error) // reads a row; false after the last
	close    func()
}

func openStock(ctx context.Context, cfg config.Source) (stock, error) {
	if cfg.CSV != "" {
		return openFile(ctx, cfg)
	}
	text := cfg.Batches
	if text == "" {
		text = listinggen.DefaultPlan
	}
	plan, err := listinggen.ParsePlan(text)
	if err != nil {
		return nil, err
	}
	for i := range plan {
		if plan[i].Rest {
			plan[i].Size = generatedRest
		}
	}
	return &generated{plan: plan, text: text, seed: cfg.Seed}, nil
}

// generated makes listings up: batch n is the stream n of the seed.
type generated struct {
	plan []listinggen.Batch
	text string
	seed uint64
}

func (g *generated) batches() int { return len(g.plan) }

func (g *generated) fingerprint() string {
	return fmt.Sprintf("generated seed=%d batches=%s", g.seed, g.text)
}

func (g *generated) check() error { return nil }

func (g *generated) open(index int) (*openBatch, error) {
	plan := g.plan[index]
	gen := listinggen.New(listinggen.Options{Seed: g.seed, Stream: uint64(index), Complete: !plan.Gaps})
	b := &openBatch{plan: plan, columns: property.Columns(), literals: make([][]byte, len(property.Columns())), close: func() {}}
	left := plan.Size
	b.next = func() (bool, error) {
		if left == 0 {
			return false, nil
		}
		left--
		setLiterals(b.literals, gen.Next())
		return true, nil
	}
	return b, nil
}

// fields are the columns of a generated listing.
var fields = property.Fields()

// setLiterals writes a listing as JSON values in the order of property.Columns.
func setLiterals(to [][]byte, l property.Listing) {
	for i, f := range fields {
		if f.Number != nil {
			to[i] = appendNumber(to[i][:0], *f.Number(&l))
		} else {
			to[i] = appendMaybe(to[i][:0], *f.Text(&l))
		}
	}
}
