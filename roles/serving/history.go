package serving

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/realtor"
	"tasador/pkg/registry"
)

// How much history the page shows. A DAG run has a decision and perhaps a training; retries may have left more.
const (
	historyRows   = 100
	historySearch = 4 * historyRows // runs of one page of the search
	historyPages  = 25              // pages that a filter is looked for in
)

// historyFilter says which DAG runs the page shows; what is empty lets all through.
type historyFilter struct {
	Text     string // part of the id or of the reason, in any case
	Decision string
	Promoted string // true or false
}

func (f historyFilter) active() bool { return f != historyFilter{} }

func (f historyFilter) keeps(row historyRow) bool {
	contains := func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(f.Text)) }
	return (contains(row.DAGRunID) || contains(row.Reason)) &&
		(f.Decision == "" || f.Decision == row.Decision) && (f.Promoted == "" || f.Promoted == row.Promoted)
}

// tracking is what the history reads.
type tracking interface {
	ExperimentByName(ctx context.Context, name string) (*experiment.Experiment, error)
	SearchRuns(ctx context.Context, q experiment.RunSearch) (experiment.Page[experiment.Run], error)
	SearchVersions(ctx context.Context, q experiment.Search) (experiment.Page[registry.Version], error)
}

// historyRow is one DAG run: what it decided, and what came of it. Texts are empty, RMSEs nil where there is nothing to say.
type historyRow struct {
	DAGRunID string
	Decision string
	Reason   string
	Promoted string // true or false, if a model was trained

	DecisionRun  string // ids of the experiment runs
	TrainRun     string
	ModelName    string // if one was trained
	ModelVersion string // if it was promoted
	Current      *float64
	Previous     *float64
	started      int64
}

// history returns the newest DAG runs that the filter keeps, newest first, and whether there are more to look at. Codes:
// Unavailable when tracking is away.
func history(ctx context.Context, from tracking, model string, filter historyFilter) (rows []historyRow, more bool, err error) {
	e, err := from.ExperimentByName(ctx, realtor.Experiment)
	if apperror.CodeOf(err) == apperror.NotFound && err != nil {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	versions, err := versionsByRun(ctx, from, model)
	if err != nil {
		return nil, false, err
	}
	q := experiment.RunSearch{ExperimentIDs: []string{e.ID}}
	q.MaxResults, q.OrderBy = historySearch, []string{"attributes.start_time DESC"}
	var runs []experiment.Run
	for range historyPages {
		page, err := from.SearchRuns(ctx, q)
		if err != nil {
			return nil, false, err
		}
		runs, q.PageToken = append(runs, page.Items...), page.NextPageToken
		rows = slices.DeleteFunc(join(runs, versions, model), func(row historyRow) bool { return !filter.keeps(row) })
		if len(rows) > historyRows || q.PageToken == "" {
			break
		}
	}
	more = q.PageToken != "" || len(rows) > historyRows
	return rows[:min(len(rows), historyRows)], more, nil
}

// versionsByRun returns the model's versions by the run that trained them.
func versionsByRun(ctx context.Context, from tracking, model string) (map[string]string, error) {
	var q experiment.Search
	q.Filter, q.MaxResults = "name='"+strings.ReplaceAll(model, "'", "''")+"'", 1000
	page, err := from.SearchVersions(ctx, q)
	if err != nil {
		return nil, err
	}
	byRun := map[string]string{}
	for _, v := range page.Items {
		byRun[v.RunID] = v.Version
	}
	return byRun, nil
}

// join puts the runs of each DAG run together. runs come newest first, so the newest of a kind wins.
func join(runs []experiment.Run, versions map[string]string, model string) []historyRow {
	byID := map[string]*historyRow{}
	seen := map[string]bool{}
	for i := range runs {
		run := &runs[i]
		id, tagged := run.Tag(realtor.TagDAGRunID)
		kind := kindOf(run.Name)
		if !tagged || kind == "" || seen[kind+id] {
			continue
		}
		seen[kind+id] = true
		row := byID[id]
		if row == nil {
			row = &historyRow{DAGRunID: id, started: run.StartTime}
			byID[id] = row
		}
		row.started = min(row.started, run.StartTime)
		if kind == realtor.DecisionRun {
			row.Decision, _ = run.Tag(realtor.TagDecision)
			row.Reason, _ = run.Tag(realtor.TagReason)
			row.DecisionRun = run.ID
			continue
		}
		row.train(run, versions, model)
	}
	rows := make([]historyRow, 0, len(byID))
	for _, row := range byID {
		rows = append(rows, *row)
	}
	slices.SortFunc(rows, func(a, b historyRow) int {
		return cmp.Or(cmp.Compare(b.started, a.started), cmp.Compare(b.DAGRunID, a.DAGRunID))
	})
	return rows
}

func kindOf(runName string) string {
	switch {
	case runName == realtor.DecisionRun:
		return realtor.DecisionRun
	case strings.HasPrefix(runName, realtor.TrainRunPrefix):
		return realtor.TrainRunPrefix
	}
	return ""
}

func (r *historyRow) train(run *experiment.Run, versions map[string]string, model string) {
	r.TrainRun = run.ID
	r.Promoted, _ = run.Tag(realtor.TagPromoted)
	r.Current, r.Previous = numberTag(run, realtor.TagCurrentRMSE), numberTag(run, realtor.TagPreviousRMSE)
	version, registered := versions[run.ID]
	if registered {
		r.ModelName = model
	}
	if registered && r.Promoted == "true" {
		r.ModelVersion = version
	}
}

// numberTag reads a number from a tag; None and what is no number give nil.
func numberTag(run *experiment.Run, key string) *float64 {
	s, _ := run.Tag(key)
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil
	}
	return &v
}
