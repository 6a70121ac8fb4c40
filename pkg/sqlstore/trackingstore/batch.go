package trackingstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
)

// LogBatch stores metrics, params and tags of an active run, all or none. Repeating it changes nothing.
func (s *Store) LogBatch(ctx context.Context, runID string, b experiment.Batch) error {
	b, err := experiment.CheckBatch(b)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(b.Metrics, func(m experiment.Metric) bool { return m.ModelID != "" }) {
		return s.logForModels(ctx, runID, b)
	}
	if err := experiment.CheckRunID(runID); err != nil { // what no database takes would keep the whole group from being written
		return err
	}
	return s.batches.log(ctx, runID, b)
}

// writeBatches writes a group of batches that gatherer made.
func (s *Store) writeBatches(ctx context.Context, group []*loggedBatch) error {
	write := s.writeSQLite
	if sqlstore.EngineOf(s.db) == sqlstore.Postgres {
		write = s.writePostgres
	}
	err := write(ctx, group)
	if len(group) > 1 || !sqlstore.IsNull(err, "params") {
		return err
	}
	// A param has another value: which one, and what it is.
	rows, want := paramRows(group[0].runID, group[0].batch.Params)
	have, found := keptParams(s.db.WithContext(ctx), group[0].runID, rows)
	return cmp.Or(found, changedParams(group[0].runID, have, want), err)
}

// logForModels stores a batch with metrics of logged models.
func (s *Store) logForModels(ctx context.Context, runID string, b experiment.Batch) error {
	return s.inTx(ctx, func(tx *gorm.DB, _ int64) error {
		run, err := activeRun(tx, runID)
		if err != nil {
			return err
		}
		if err := addParams(tx, runID, b.Params); err != nil {
			return err
		}
		if err := addMetrics(tx, run, b.Metrics); err != nil {
			return err
		}
		if err := addModelMetrics(tx, runID, b.Metrics); err != nil {
			return err
		}
		if err := renameByTag(tx, runID, b.Tags); err != nil { // the run before its tags, as in UpdateRun
			return err
		}
		return setRunTags(tx, runID, b.Tags)
	})
}

// renameByTag keeps the name of a run in step with its tag mlflow.runName.
func renameByTag(tx *gorm.DB, runID string, tags []experiment.Tag) error {
	for _, t := range lastTags(tags) {
		if t.Key == experiment.TagRunName {
			return sqlstore.Translate(tx.Model(&runRow{}).Where("id = ?", runID).Update("name", t.Value).Error, "run "+runID)
		}
	}
	return nil
}

// addParams adds params that are new and refuses other values for those that are there.
func addParams(tx *gorm.DB, runID string, params []experiment.Param) error {
	if len(params) == 0 {
		return nil
	}
	rows, want := paramRows(runID, params)
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&rows).Error; err != nil {
		return sqlstore.Translate(err, "params")
	}
	have, err := keptParams(tx, runID, rows)
	if err != nil {
		return err
	}
	return changedParams(runID, have, want)
}

// paramRows are params as they are kept, sorted by key, and their values by key.
func paramRows(runID string, params []experiment.Param) (rows []paramRow, want map[string]string) {
	rows, want = make([]paramRow, len(params)), make(map[string]string, len(params))
	for i, p := range params {
		rows[i] = paramRow{runID, p.Key, p.Value}
		want[p.Key] = p.Value
	}
	slices.SortFunc(rows, func(a, b paramRow) int { return strings.Compare(a.Key, b.Key) })
	return rows, want
}

// keptParams reads the params of a run that have the keys of rows.
func keptParams(db *gorm.DB, runID string, rows []paramRow) (have []paramRow, err error) {
	keys := make([]string, len(rows))
	for i, r := range rows {
		keys[i] = r.Key
	}
	err = db.Where("run_id = ? AND key IN ?", runID, keys).Order("key").Find(&have).Error
	return have, sqlstore.Translate(err, "params")
}

// changedParams refuses other values for params that are there, in the words that MLflow has for one and for many. Codes: Invalid.
func changedParams(runID string, have []paramRow, want map[string]string) error {
	var changed []string
	for _, h := range have {
		if h.Value == want[h.Key] {
			continue
		}
		before, after := experiment.Shorten(h.Value), experiment.Shorten(want[h.Key])
		if len(want) == 1 {
			return apperror.New(apperror.Invalid, "Changing param values is not allowed. Param with key='%s' was already logged with value='%s'"+
				" for run ID='%s'. Attempted logging new value '%s'.", h.Key, before, runID, after)
		}
		changed = append(changed, fmt.Sprintf("{'key': '%s', 'old_value': '%s', 'new_value': '%s'}", h.Key, before, after))
	}
	if changed == nil {
		return nil
	}
	return apperror.New(apperror.Invalid, "Changing param values is not allowed. Params were already logged='[%s]' for run ID='%s'.",
		strings.Join(changed, ", "), runID)
}

// addMetrics adds points to the history and moves the latest ones. Keys go in sorted order, so that two batches never wait for each
// other crosswise.
func addMetrics(tx *gorm.DB, run runRow, metrics []experiment.Metric) error {
	if len(metrics) == 0 {
		return nil
	}
	points := make([]metricRow, len(metrics))
	latest := map[string]latestMetricRow{}
	for i, m := range metrics {
		value, isNaN := stored(m.Value)
		points[i] = metricRow{run.ID, m.Key, m.Timestamp, m.Step, value, isNaN, m.ModelID}
		l := latestMetricRow{
			ExperimentID: run.ExperimentID, RunID: run.ID, Key: m.Key, Value: value, IsNan: isNaN, Timestamp: m.Timestamp, Step: m.Step,
			ModelID: m.ModelID,
		}
		if have, ok := latest[m.Key]; !ok || compareLatest(l, have) > 0 {
			latest[m.Key] = l
		}
	}
	slices.SortFunc(points, comparePoints)
	if err := insertPoints(tx, points); err != nil {
		return sqlstore.Translate(err, "metrics")
	}
	rows := make([]latestMetricRow, 0, len(latest))
	for _, l := range latest {
		rows = append(rows, l)
	}
	slices.SortFunc(rows, func(a, b latestMetricRow) int { return strings.Compare(a.Key, b.Key) })
	return sqlstore.Translate(upsertLatest(tx, rows), "metrics")
}

// compareLatest orders points as MLflow chooses the latest: by step, then timestamp, then value, where NaN counts as 0.
func compareLatest(a, b latestMetricRow) int {
	return cmp.Or(cmp.Compare(a.Step, b.Step), cmp.Compare(a.Timestamp, b.Timestamp), cmp.Compare(a.Value, b.Value))
}

func comparePoints(a, b metricRow) int {
	return cmp.Or(strings.Compare(a.Key, b.Key), cmp.Compare(a.Timestamp, b.Timestamp), cmp.Compare(a.Step, b.Step), cmp.Compare(a.Value, b.Value),
		compareBools(a.IsNan, b.IsNan))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// addModelMetrics adds the points that belong to a logged model to that model; a model that does not exist takes none.
func addModelMetrics(tx *gorm.DB, runID string, metrics []experiment.Metric) error {
	var ids []string
	for _, m := range metrics {
		if m.ModelID != "" && !slices.Contains(ids, m.ModelID) {
			ids = append(ids, m.ModelID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	known := map[string]bool{}
	err := inChunks(ids, func(part []string) error {
		return each(tx.Select("id").Where("id IN ?", part), func(m loggedModelRow) { known[m.ID] = true })
	})
	if err != nil {
		return sqlstore.Translate(err, "logged models")
	}
	var rows []loggedModelMetricRow
	for _, m := range metrics {
		if known[m.ModelID] {
			value, isNaN := stored(m.Value)
			rows = append(rows, loggedModelMetricRow{m.ModelID, runID, m.Key, m.Timestamp, m.Step, value, isNaN, m.Dataset.Name, m.Dataset.Digest})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	slices.SortFunc(rows, func(a, b loggedModelMetricRow) int {
		return cmp.Or(strings.Compare(a.ModelID, b.ModelID), comparePoints(a.point(), b.point()), strings.Compare(a.DatasetName, b.DatasetName),
			strings.Compare(a.DatasetDigest, b.DatasetDigest))
	})
	return sqlstore.Translate(tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(rows, chunk).Error, "metrics of a logged model")
}
