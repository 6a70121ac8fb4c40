package trackingstore

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
)

// groupRows are the rows of a group of batches, sorted by their keys, so that two groups never wait for each other crosswise.
type groupRows struct {
	points []metricRow
	latest []latestMetricRow
	params []textRow
	tags   []textRow
	names  []textRow // of runs, by the tag mlflow.runName
}

// textRow is a param or a tag of a run.
type textRow struct{ run, key, value string }

type rowKey struct{ run, key string }

// errApart says that the batches of a group cannot be written together.
var errApart = errors.New("batches that do not go together")

// rowsOfGroup refuses the batches whose run is missing or deleted, and collects the rows of the others. Errors: errApart.
func rowsOfGroup(group []*loggedBatch, runs map[string]runRow) (*groupRows, error) {
	rows := &groupRows{}
	latest, params, tags := map[rowKey]latestMetricRow{}, map[rowKey]string{}, map[rowKey]string{}
	for _, l := range group {
		run, known := runs[l.runID]
		if l.err = checkActive(run, known, l.runID); l.err != nil {
			continue
		}
		for _, m := range l.batch.Metrics {
			value, isNaN := stored(m.Value)
			rows.points = append(rows.points, metricRow{run.ID, m.Key, m.Timestamp, m.Step, value, isNaN, m.ModelID})
			row := latestMetricRow{run.ExperimentID, run.ID, m.Key, value, isNaN, m.Timestamp, m.Step, m.ModelID}
			k := rowKey{run.ID, m.Key}
			if have, ok := latest[k]; !ok || compareLatest(row, have) > 0 {
				latest[k] = row
			}
		}
		for _, p := range l.batch.Params {
			k := rowKey{run.ID, p.Key}
			if have, ok := params[k]; ok && have != p.Value {
				return nil, errApart // the first one counts
			}
			params[k] = p.Value
		}
		for _, t := range l.batch.Tags {
			tags[rowKey{run.ID, t.Key}] = t.Value
		}
	}
	rows.sort(latest, params, tags)
	return rows, nil
}

func (r *groupRows) sort(latest map[rowKey]latestMetricRow, params, tags map[rowKey]string) {
	slices.SortFunc(r.points, func(a, b metricRow) int { return cmp.Or(strings.Compare(a.RunID, b.RunID), comparePoints(a, b)) })
	for _, l := range latest {
		r.latest = append(r.latest, l)
	}
	slices.SortFunc(r.latest, func(a, b latestMetricRow) int {
		return cmp.Or(strings.Compare(a.RunID, b.RunID), strings.Compare(a.Key, b.Key))
	})
	r.params, r.tags = sortedTexts(params), sortedTexts(tags)
	for _, t := range r.tags {
		if t.key == experiment.TagRunName {
			r.names = append(r.names, t)
		}
	}
}

func sortedTexts(texts map[rowKey]string) []textRow {
	rows := make([]textRow, 0, len(texts))
	for k, v := range texts {
		rows = append(rows, textRow{k.run, k.key, v})
	}
	slices.SortFunc(rows, func(a, b textRow) int { return cmp.Or(strings.Compare(a.run, b.run), strings.Compare(a.key, b.key)) })
	return rows
}

// checkActive refuses runs that are missing or deleted. Codes: Invalid, NotFound.
func checkActive(run runRow, known bool, id string) error {
	if !known {
		return apperror.New(apperror.NotFound, "Run with id=%s not found", id)
	}
	if run.LifecycleStage != string(experiment.Active) {
		return apperror.New(apperror.Invalid, "The run %s must be in the 'active' state. Current state is %s.", id, run.LifecycleStage)
	}
	return nil
}

// runIDs returns the ids of the runs of a group.
func runIDs(group []*loggedBatch) []string {
	ids := make([]string, 0, len(group))
	for _, l := range group {
		ids = append(ids, l.runID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
