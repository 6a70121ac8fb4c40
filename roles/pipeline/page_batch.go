package pipeline

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore/datasetstore"
	"tasador/web"
)

// batchPage is the content of the page of one batch.
type batchPage struct {
	DAGRunID   string
	Run        string // address of the DAG run
	Batch      *batchView
	Verdict    *verdictView
	Objections []objection
	Failing    int  // rows that the gate objects to
	Tolerated  bool // they are no more than the gate lets pass
	Columns    []columnView
	Old        bool // there are no statistics
	Charts     []histogramView
	Categories []categoriesView
	Splits     []splitView
	Described  []string // columns of the medians of the splits
}

// objection is what the gate has against a column.
type objection struct {
	Column  string
	Missing bool
	Null    int // rows
	Bad     int // rows out of range or of the wrong type
	Rule    sentence
}

// columnView is a column in the table of columns. Pointers are nil where there is nothing.
type columnView struct {
	dataset.ColumnStatistics
	Nulls     nullBar
	Rule      *sentence // of the gate; nil if it does not look at the column
	Quantiles []float64 // those of shownQuantiles
}

// categoriesView is the values of a column with a bar each.
type categoriesView struct {
	Column string
	dataset.Categories
	Bars []categoryBar
}

type categoryBar struct {
	dataset.Category
	W     string // of 100
	Share float64
}

// splitView is a split in the table of splits.
type splitView struct {
	Name    dataset.SplitName
	Rows    int
	Nulls   nullStrip
	Numbers []numberCell
}

// numberCell is a median, or nothing.
type numberCell struct{ Median *float64 }

// shownQuantiles are the quantiles in the table of columns.
var shownQuantiles = []float64{0.01, 0.25, 0.5, 0.75, 0.99}

// describedColumns are the columns of numbers that have statistics, in the order of the page.
var describedColumns = []string{property.Price, property.Bed, property.Bath, property.AcreLot, property.HouseSize}

// showBatch is GET /data/:dag_run_id.
func (p *pages) showBatch(c echo.Context) error {
	id, err := param(c, "dag_run_id")
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	body := batchPage{DAGRunID: id, Run: runPath(p.plan.Definition().ID, id)}
	var batch *datasetstore.Batch
	if p.job.batches != nil {
		batch, err = p.job.batches.Batch(ctx, id)
	}
	if batch == nil && (err == nil || apperror.CodeOf(err) == apperror.NotFound) {
		if _, err := p.store.Run(ctx, p.plan.Definition().ID, id); err != nil {
			return err // no such run either
		}
		return p.write(c, http.StatusNotFound, "batch", web.Page{Title: "Data", Name: id, Body: body})
	}
	if err != nil {
		return err
	}
	p.fillBatch(c, &body, batch)
	return p.write(c, http.StatusOK, "batch", web.Page{Title: "Data", Name: id, Body: body})
}

func (p *pages) fillBatch(c echo.Context, body *batchPage, b *datasetstore.Batch) {
	view := p.batchView(b)
	body.Batch, body.Verdict, body.Old = &view, p.verdictView(c, b), len(b.Profile.Statistics) == 0
	if body.Verdict != nil {
		found := body.Verdict.Gate.Examine(b.Profile)
		body.Objections, body.Failing, body.Tolerated = objections(found), found.Failing, found.Tolerated
	}
	statistics := b.Profile.Statistics
	if body.Old {
		statistics = onlyDefects(b.Profile)
	}
	for _, s := range statistics {
		body.Columns = append(body.Columns, newColumnView(s, b.Profile.Rows()))
		if s.Numbers != nil && s.Numbers.Values > 0 {
			body.Charts = append(body.Charts, drawHistogram(s.Column, s.Numbers, largeChart))
		}
		if s.Categories != nil {
			body.Categories = append(body.Categories, newCategoriesView(s, b.Profile.Rows()))
		}
	}
	body.Described = describedColumns
	for _, name := range dataset.Splits() {
		if profile := b.Splits[name]; profile != nil {
			body.Splits = append(body.Splits, newSplitView(name, profile))
		}
	}
}

// onlyDefects is what a profile without statistics says of the columns: what the gate counts.
func onlyDefects(p *dataset.Profile) []dataset.ColumnStatistics {
	var out []dataset.ColumnStatistics
	found := dataset.Gate{}.Examine(p)
	for _, column := range property.Required() {
		out = append(out, dataset.ColumnStatistics{Column: column, Nulls: found.Nulls[column], OutOfRange: found.OutOfRange[column]})
	}
	return out
}

func objections(f dataset.Findings) []objection {
	var out []objection
	for _, column := range property.Required() {
		o := objection{Column: column, Missing: slices.Contains(f.Missing, column), Null: f.Nulls[column], Bad: f.OutOfRange[column], Rule: *ruleOf(column)}
		if o.Missing || o.Null > 0 || o.Bad > 0 {
			out = append(out, o)
		}
	}
	return out
}

// ruleOf says what the gate lets through in a column, nil if it does not look at it.
func ruleOf(column string) *sentence {
	switch column {
	case property.Bed, property.Bath:
		return &sentence{Format: "whole, 0 to 10"}
	case property.AcreLot:
		return &sentence{Format: "above 0, at most 1000"}
	case property.Price, property.HouseSize:
		return &sentence{Format: "above 0"}
	case property.PrevSoldDate:
		return &sentence{Format: "a date"}
	case property.Status:
		return &sentence{Format: "one of %s", Args: []any{strings.Join(dataset.Statuses(), ", ")}}
	}
	return nil
}

func newColumnView(s dataset.ColumnStatistics, rows int) columnView {
	v := columnView{ColumnStatistics: s, Nulls: newNullBar(s.Column, s.Nulls, rows), Rule: ruleOf(s.Column)}
	if s.Numbers != nil {
		for _, q := range shownQuantiles {
			if value, kept := s.Numbers.Quantile(q); kept {
				v.Quantiles = append(v.Quantiles, rounded(value))
			}
		}
	}
	return v
}

func newCategoriesView(s dataset.ColumnStatistics, rows int) categoriesView {
	v := categoriesView{Column: s.Column, Categories: *s.Categories}
	for _, c := range s.Categories.Values {
		bar := newNullBar("", c.Rows, rows)
		v.Bars = append(v.Bars, categoryBar{Category: c, W: bar.W, Share: bar.Share})
	}
	return v
}

func newSplitView(name dataset.SplitName, p *dataset.Profile) splitView {
	v := splitView{Name: name, Rows: p.Rows(), Nulls: drawNulls(p)}
	for _, column := range describedColumns {
		var cell numberCell
		if s := p.Of(column); s != nil && s.Numbers != nil {
			if median, kept := s.Numbers.Quantile(0.5); kept {
				median = rounded(median)
				cell.Median = &median
			}
		}
		v.Numbers = append(v.Numbers, cell)
	}
	return v
}
