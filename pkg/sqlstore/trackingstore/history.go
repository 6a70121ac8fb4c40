package trackingstore

import (
	"context"

	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
)

// maxHistory is how many points one page holds at most. Old clients ask for no page and want all points, so that is what they get, within
// the memory of this server.
const maxHistory = 1_000_000

// MetricHistory returns one page of a metric's points.
func (s *Store) MetricHistory(ctx context.Context, runID, key string, q experiment.PageRequest) (experiment.Page[experiment.Metric], error) {
	var page experiment.Page[experiment.Metric]
	w, err := newWindow(q, []sortKey{{"timestamp", whole, false}, {"step", whole, false}, {"value", real, false}, {"is_nan", truth, false}},
		maxHistory, maxHistory)
	if err != nil {
		return page, err
	}
	query := s.db.WithContext(ctx).Model(&metricRow{}).Select([]string{"metrics.*"}).Where("run_id = ? AND key = ?", runID, key)
	rows, next, err := readWindow[metricRow](ctx, query, w)
	if err != nil {
		return page, sqlstore.Translate(err, "metric history")
	}
	page.NextPageToken = next
	page.Items = make([]experiment.Metric, len(rows))
	for i, r := range rows {
		page.Items[i] = r.domain()
	}
	return page, nil
}

func (r metricRow) domain() experiment.Metric {
	return experiment.Metric{Key: r.Key, Value: loaded(r.Value, r.IsNan), Timestamp: r.Timestamp, Step: r.Step, ModelID: r.ModelID}
}

// MetricHistories returns the first points, at most limit, of a metric in some runs, in the order of run, timestamp, step, value.
func (s *Store) MetricHistories(ctx context.Context, runIDs []string, key string, limit int) ([]experiment.RunMetric, error) {
	var out []experiment.RunMetric
	query := s.db.WithContext(ctx).Where("key = ? AND run_id IN ?", key, runIDs).Order("run_id, timestamp, step, value, is_nan").Limit(limit)
	err := each(query, func(r metricRow) { out = append(out, experiment.RunMetric{RunID: r.RunID, Metric: r.domain()}) })
	return out, sqlstore.Translate(err, "metric history")
}

// pointOrder is that of samples: along the steps.
const pointOrder = "step, timestamp, value, is_nan"

// sampleSQL divides the points of one metric into equal parts along the steps and takes the first of each, and the last of all, as MLflow
// does. The parts are counted by the database, so that only the sample is read.
const sampleSQL = `SELECT * FROM (SELECT b.*, ROW_NUMBER() OVER (PARTITION BY bucket ORDER BY ` + pointOrder + `) AS place FROM (
	SELECT metrics.*, NTILE(CAST(? AS INTEGER)) OVER (ORDER BY ` + pointOrder + `) AS bucket,
		ROW_NUMBER() OVER (ORDER BY step DESC, timestamp DESC, value DESC, is_nan DESC) AS back
	FROM metrics WHERE run_id = ? AND key = ? AND step BETWEEN ? AND ?) b) r WHERE place = 1 OR back = 1 ORDER BY ` + pointOrder

// SampledHistories returns at most limit points of a metric in each of some runs, spread evenly over the points within steps; the first and
// the last point are among them.
func (s *Store) SampledHistories(ctx context.Context, runIDs []string, key string, steps experiment.StepRange, limit int) ([]experiment.RunMetric, error) {
	var out []experiment.RunMetric
	for _, id := range runIDs {
		var rows []metricRow
		if err := s.db.WithContext(ctx).Raw(sampleSQL, limit, id, key, steps.First, steps.Last).Scan(&rows).Error; err != nil {
			return nil, sqlstore.Translate(err, "metric history")
		}
		if n := len(rows); n > limit { // the last point takes the place of that before it
			rows = append(rows[:limit-1], rows[n-1])
		}
		for _, r := range rows {
			out = append(out, experiment.RunMetric{RunID: id, Metric: r.domain()})
		}
	}
	return out, nil
}

// maxSummaries is how many datasets MLflow lists at most.
const maxSummaries = 1000

// DatasetSummaries lists what datasets the runs of experiments used, and for what. Codes: Invalid.
func (s *Store) DatasetSummaries(ctx context.Context, experimentIDs []string) ([]experiment.DatasetSummary, error) {
	ids, err := parseExperimentIDs(experimentIDs)
	if err != nil {
		return nil, err
	}
	var rows []experiment.DatasetSummary
	err = s.db.WithContext(ctx).Raw(`SELECT DISTINCT CAST(d.experiment_id AS TEXT) AS experiment_id, d.name, d.digest, COALESCE(t.value, '') AS context
		FROM datasets d JOIN run_datasets u ON u.dataset_id = d.id
		LEFT JOIN run_dataset_tags t ON t.run_id = u.run_id AND t.dataset_id = u.dataset_id AND t.key = ?
		WHERE d.experiment_id IN ? ORDER BY experiment_id, name, digest, context LIMIT ?`,
		experiment.TagDataContext, ids, maxSummaries).Scan(&rows).Error
	return rows, sqlstore.Translate(err, "datasets")
}
