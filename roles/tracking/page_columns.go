package tracking

import (
	"cmp"
	"slices"
	"strings"

	"tasador/pkg/experiment"
	"tasador/pkg/realtor"
)

// The kinds of columns, as the filter language calls them.
const (
	metricColumn = "metrics"
	paramColumn  = "params"
	tagColumn    = "tags"
)

// column is a metric, param or tag that the table of runs shows.
type column struct{ Kind, Key string }

// ID is how the filter language and the addresses call it.
func (c column) ID() string { return c.Kind + "." + c.Key }

// parseColumn reads an ID.
func parseColumn(id string) (column, bool) {
	kind, key, _ := strings.Cut(id, ".")
	known := kind == metricColumn || kind == paramColumn || kind == tagColumn
	return column{kind, key}, known && key != "" && !strings.ContainsRune(key, '`')
}

// Bounds of what one page shows and offers.
const (
	maxColumns = 24
	maxOffered = 120 // of one kind
)

// chosenColumns reads the columns that an address names; without any word on them, nil and false.
func chosenColumns(ids []string) (columns []column, chosen bool) {
	for _, id := range ids {
		if c, ok := parseColumn(id); ok && !slices.Contains(columns, c) && len(columns) < maxColumns {
			columns = append(columns, c)
		}
	}
	return columns, len(ids) > 0
}

// offeredColumns lists what the runs have, by kind and name.
func offeredColumns(runs []experiment.Run) []column {
	seen := map[column]bool{}
	for i := range runs {
		for _, m := range runs[i].Metrics {
			seen[column{metricColumn, m.Key}] = true
		}
		for _, param := range runs[i].Params {
			seen[column{paramColumn, param.Key}] = true
		}
		for _, tag := range runs[i].Tags {
			seen[column{tagColumn, tag.Key}] = tag.Key != experiment.TagRunName // the name has a column of its own
		}
	}
	var columns []column
	for c, shown := range seen {
		if shown {
			columns = append(columns, c)
		}
	}
	slices.SortFunc(columns, func(a, b column) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key)) })
	return columns
}

// standardColumns are those of the price model if the runs have them, else the first metrics and params.
func standardColumns(offered []column) []column {
	var columns []column
	for _, c := range []column{
		{tagColumn, realtor.TagDAGRunID}, {tagColumn, realtor.TagDecision}, {metricColumn, realtor.MetricTestRMSE},
		{paramColumn, realtor.ParamBestAlpha}, {tagColumn, realtor.TagPromoted},
	} {
		if slices.Contains(offered, c) {
			columns = append(columns, c)
		}
	}
	if len(columns) > 0 {
		return columns
	}
	const each = 3
	for _, kind := range []string{metricColumn, paramColumn} {
		n := 0
		for _, c := range offered {
			if c.Kind == kind && n < each {
				columns = append(columns, c)
				n++
			}
		}
	}
	return columns
}

// choice is a column that the reader may choose.
type choice struct {
	column
	Chosen bool
}

// choices groups what is offered and what is chosen by kind.
func choices(offered, chosen []column) map[string][]choice {
	groups := map[string][]choice{}
	for _, c := range chosen {
		if !slices.Contains(offered, c) {
			offered = append(offered, c)
		}
	}
	for _, c := range offered {
		if picked := slices.Contains(chosen, c); picked || len(groups[c.Kind]) < maxOffered {
			groups[c.Kind] = append(groups[c.Kind], choice{c, picked})
		}
	}
	return groups
}
