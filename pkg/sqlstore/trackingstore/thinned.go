package trackingstore

import (
	"context"

	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
)

// Thinned is the history of a metric in one run, for a picture: some of its points, in the order of their steps.
type Thinned struct {
	Points []experiment.Metric
	Total  int64 // points that there are
}

// ThinnedHistories returns the points of a metric in some runs, by the ids of the runs: all of them, or every second, third and so on, so
// that there are at most about most of each run, always with the first and the last one. The database counts; only what is shown is read.
func (s *Store) ThinnedHistories(ctx context.Context, runIDs []string, key string, most int) (map[string]Thinned, error) {
	var rows []struct {
		Point metricRow `gorm:"embedded"`
		Total int64
	}
	err := s.db.WithContext(ctx).Raw(`SELECT * FROM (SELECT metrics.*, COUNT(*) OVER (PARTITION BY run_id) AS total,
		ROW_NUMBER() OVER (PARTITION BY run_id ORDER BY step, timestamp, value, is_nan) AS place
		FROM metrics WHERE run_id IN ? AND key = ?) numbered
		WHERE place = total OR (place - 1) % ((total - 1) / ? + 1) = 0 ORDER BY run_id, place`, runIDs, key, most).Scan(&rows).Error
	if err != nil {
		return nil, sqlstore.Translate(err, "metric history")
	}
	found := map[string]Thinned{}
	for _, r := range rows {
		t := found[r.Point.RunID]
		t.Total = r.Total
		t.Points = append(t.Points, experiment.Metric{
			Key: key, Value: loaded(r.Point.Value, r.Point.IsNan), Timestamp: r.Point.Timestamp, Step: r.Point.Step, ModelID: r.Point.ModelID,
		})
		found[r.Point.RunID] = t
	}
	return found, nil
}
