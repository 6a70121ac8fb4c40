package trackingstore

import (
	"context"
	"errors"
	"math"

	"gorm.io/gorm"

	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
)

// maxHistory is how many points one page holds at most. Old clients ask for no page and want all points, so that is what they get, within
// the memory of this server.
const maxHistory = 1_000_000

// MetricHistory returns one page of a metric's points.
func (s *Store) MetricHistory(ctx context.Context, runID, key string, q experiment.PageRequest) (experiment.Page[experiment.Metric], error) {
	var page experiment.Page[experiment.Metric]
	w, err := newWindow(q, []sortKey{{"timestamp", whole, false}, {"step", whole, false}, {"value", float, false}, {"is_nan", truth, false}},
		maxHistory, maxHistory)
	if err != nil {
		return page, err
	}
	query := s.points(ctx, runID, key).Limit(w.limit + 1)
	if cond, args := w.condition(); cond != "" {
		query = query.Where(cond, args...)
	}
	for _, k := range w.keys {
		query = query.Order(k.order())
	}
	var last metricRow // the last one of the page
	err = eachPoint(query, func(r metricRow) error {
		if len(page.Items) == w.limit {
			page.NextPageToken = formatToken(w.keys, []any{last.Timestamp, last.Step, last.Value, last.IsNan})
			return nil
		}
		last, r.Key = r, key
		page.Items = append(page.Items, r.domain())
		return nil
	})
	return page, sqlstore.Translate(err, "metric history")
}

// points begins a query on the points of a metric, for eachPoint.
func (s *Store) points(ctx context.Context, runID, key string) *gorm.DB {
	return s.db.WithContext(ctx).Table("metrics").Select("timestamp, step, value, is_nan, model_id").Where("run_id = ? AND key = ?", runID, key)
}

// eachPoint calls f with each point of a query, without run and key, until f returns an error. There may be a million, so gorm does not look at each.
func eachPoint(query *gorm.DB, f func(metricRow) error) error {
	rows, err := query.Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // its errors are those of Err
	for rows.Next() {
		var r metricRow
		if err := rows.Scan(&r.Timestamp, &r.Step, &r.Value, &r.IsNan, &r.ModelID); err != nil {
			return err
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return rows.Err()
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

// SampledHistories returns at most limit points of a metric in each of some runs, spread evenly over the points within steps; the first and
// the last point are among them.
func (s *Store) SampledHistories(ctx context.Context, runIDs []string, key string, steps experiment.StepRange, limit int) ([]experiment.RunMetric, error) {
	var out []experiment.RunMetric
	for _, id := range runIDs {
		sample, err := s.sample(ctx, id, key, steps, limit)
		if err != nil {
			return nil, sqlstore.Translate(err, "metric history")
		}
		out = append(out, sample...)
	}
	return out, nil
}

// errOrder says that points are not along the steps.
var errOrder = errors.New("points are not in the order of their steps")

func (s *Store) sample(ctx context.Context, runID, key string, steps experiment.StepRange, limit int) ([]experiment.RunMetric, error) {
	var n int64
	if err := s.points(ctx, runID, key).Where("step BETWEEN ? AND ?", steps.First, steps.Last).Count(&n).Error; err != nil {
		return nil, err
	}
	return s.sampleOf(ctx, runID, key, steps, limit, n)
}

// sampleOf is sample of n points.
func (s *Store) sampleOf(ctx context.Context, runID, key string, steps experiment.StepRange, limit int, n int64) ([]experiment.RunMetric, error) {
	within := func(order string) *gorm.DB {
		return s.points(ctx, runID, key).Where("step BETWEEN ? AND ?", steps.First, steps.Last).Order(order)
	}
	// Points nearly always come with rising steps, and then the order in which they are kept is the one wanted, without sorting them.
	for _, order := range []string{"timestamp, step, value, is_nan", "step, timestamp, value, is_nan"} {
		sample, before := sampler{n: int(n), parts: limit}, int64(math.MinInt64)
		err := eachPoint(within(order), func(r metricRow) error {
			if r.Step < before {
				return errOrder
			}
			before, r.Key = r.Step, key
			sample.add(experiment.RunMetric{RunID: runID, Metric: r.domain()})
			return nil
		})
		if !errors.Is(err, errOrder) {
			return sample.points(), err
		}
	}
	return nil, errOrder
}

// sampler divides n points, which come one after the other, into equal parts, the first ones longer by one, and keeps the first of each
// part and the last of all. So does MLflow, with window functions of the database, which are slower.
type sampler struct {
	n, parts int
	seen     int
	kept     []experiment.RunMetric
	last     experiment.RunMetric
	isKept   bool // the last
}

func (s *sampler) add(p experiment.RunMetric) {
	length, longer := s.n/s.parts, s.n%s.parts
	from := s.seen - longer*(length+1) // places among the shorter parts
	begins := (from < 0 && s.seen%(length+1) == 0) || (from >= 0 && length > 0 && from%length == 0)
	s.isKept = begins && len(s.kept) < s.parts // there are more parts only if points came in the meantime
	if s.isKept {
		s.kept = append(s.kept, p)
	}
	s.seen++
	s.last = p
}

// points returns the sample; the last point takes the place of the one before it if there would be too many.
func (s *sampler) points() []experiment.RunMetric {
	n := len(s.kept)
	switch {
	case n == 0 || s.isKept:
	case n >= s.parts:
		s.kept[n-1] = s.last
	default:
		s.kept = append(s.kept, s.last)
	}
	return s.kept
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
