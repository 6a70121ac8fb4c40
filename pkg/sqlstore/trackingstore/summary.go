package trackingstore

import (
	"context"

	"tasador/pkg/experiment"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore"
)

// RunSummary says how many active runs an experiment has, and which started last.
type RunSummary struct {
	Runs int64
	Last experiment.Run // without its metrics, params and tags
}

// RunSummaries returns the summaries of experiments by their ids; those without active runs are left out. Codes: Invalid.
func (s *Store) RunSummaries(ctx context.Context, experimentIDs []string) (map[string]RunSummary, error) {
	ids, err := parseExperimentIDs(experimentIDs)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		Run  runRow `gorm:"embedded"`
		Runs int64
	}
	err = s.db.WithContext(ctx).Raw(`SELECT * FROM (SELECT runs.*, COUNT(*) OVER (PARTITION BY experiment_id) AS runs,
		ROW_NUMBER() OVER (PARTITION BY experiment_id ORDER BY start_time DESC, id) AS place
		FROM runs WHERE experiment_id IN ? AND lifecycle_stage = ?) newest WHERE place = 1`, ids, experiment.Active).Scan(&rows).Error
	if err != nil {
		return nil, sqlstore.Translate(err, "runs of experiments")
	}
	summaries := make(map[string]RunSummary, len(rows))
	for _, r := range rows {
		last := r.Run.domain()
		summaries[last.ExperimentID] = RunSummary{Runs: r.Runs, Last: last}
	}
	return summaries, nil
}

// RunsByID returns runs with their data, also deleted ones; those that do not exist are left out.
func (s *Store) RunsByID(ctx context.Context, ids []string) (map[string]experiment.Run, error) {
	var rows []runRow
	err := inChunks(ids, func(part []string) error {
		var found []runRow
		if err := s.db.WithContext(ctx).Where("id IN ?", part).Find(&found).Error; err != nil {
			return sqlstore.Translate(err, "runs")
		}
		rows = append(rows, found...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	runs, err := s.loadRuns(ctx, rows)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]experiment.Run, len(runs))
	for _, r := range runs {
		byID[r.ID] = r
	}
	return byID, nil
}

// PointCounts returns how many points each metric of a run has, by key.
func (s *Store) PointCounts(ctx context.Context, runID string) (map[string]int64, error) {
	var rows []struct {
		Key    string
		Points int64
	}
	err := s.db.WithContext(ctx).Model(&metricRow{}).Select("key, COUNT(*) AS points").Where("run_id = ?", runID).Group("key").Find(&rows).Error
	if err != nil {
		return nil, sqlstore.Translate(err, "points of metrics")
	}
	counts := make(map[string]int64, len(rows))
	for _, r := range rows {
		counts[r.Key] = r.Points
	}
	return counts, nil
}

// VersionsOf returns one page of a model's versions, the greatest number first. Codes: Invalid, NotFound.
func (s *Store) VersionsOf(ctx context.Context, name string, q experiment.PageRequest) (experiment.Page[registry.Version], error) {
	var page experiment.Page[registry.Version]
	w, err := newWindow(q, []sortKey{{"version", whole, true}}, maxVersions, maxVersions)
	if err != nil {
		return page, err
	}
	model, err := findModel(s.db.WithContext(ctx), name)
	if err != nil {
		return page, err
	}
	query := s.db.WithContext(ctx).Model(&versionRow{}).Select([]string{"model_versions.*"}).Where("model_id = ? AND stage <> ?", model.ID, stageDeleted)
	rows, next, err := readWindow[versionRow](ctx, query, w)
	if err != nil {
		return page, sqlstore.Translate(err, "model versions")
	}
	page.NextPageToken = next
	page.Items, err = s.loadVersions(ctx, rows)
	return page, err
}

// maxVersions is how many versions a page of VersionsOf holds at most.
const maxVersions = 1000

// VersionsOfRuns returns the versions that came of runs, the greatest number first.
func (s *Store) VersionsOfRuns(ctx context.Context, runIDs []string) ([]registry.Version, error) {
	var rows []versionRow
	err := inChunks(runIDs, func(part []string) error {
		var found []versionRow
		err := s.db.WithContext(ctx).Where("run_id IN ? AND stage <> ?", part, stageDeleted).Order("version DESC").Find(&found).Error
		rows = append(rows, found...)
		return sqlstore.Translate(err, "model versions")
	})
	if err != nil {
		return nil, err
	}
	return s.loadVersions(ctx, rows)
}
