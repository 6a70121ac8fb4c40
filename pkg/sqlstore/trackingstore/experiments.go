package trackingstore

import (
	"context"
	"errors"
	"strconv"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/experiment/filter"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore"
)

// location is the default folder of an experiment.
func (s *Store) location(id int64) string { return s.root + "/" + strconv.FormatInt(id, 10) }

// CreateExperiment stores a new experiment.
func (s *Store) CreateExperiment(ctx context.Context, e experiment.NewExperiment) (string, error) {
	if err := checkNewExperiment(e); err != nil {
		return "", err
	}
	var id int64
	err := s.inTx(ctx, func(tx *gorm.DB, now int64) error {
		row := experimentRow{
			Name: e.Name, ArtifactLocation: e.ArtifactLocation, LifecycleStage: string(experiment.Active), CreationTime: now, LastUpdateTime: now,
		}
		err := tx.Create(&row).Error
		if errors.Is(err, gorm.ErrDuplicatedKey) {
			return apperror.Wrap(apperror.AlreadyExists, err, "Experiment(name=%s) already exists.", e.Name)
		}
		if err != nil {
			return sqlstore.Translate(err, "experiment "+e.Name)
		}
		id = row.ID
		if e.ArtifactLocation == "" {
			if err := tx.Model(&row).Update("artifact_location", s.location(id)).Error; err != nil {
				return sqlstore.Translate(err, "experiment "+e.Name)
			}
		}
		return setExperimentTags(tx, id, e.Tags)
	})
	return strconv.FormatInt(id, 10), err
}

func checkNewExperiment(e experiment.NewExperiment) error {
	if err := experiment.CheckExperimentName(e.Name); err != nil {
		return err
	}
	if e.ArtifactLocation != "" {
		if err := registry.CheckLocation(e.ArtifactLocation); err != nil {
			return err
		}
	}
	for _, t := range e.Tags {
		if err := experiment.CheckExperimentTag(t); err != nil {
			return err
		}
	}
	return nil
}

func setExperimentTags(tx *gorm.DB, id int64, tags []experiment.Tag) error {
	row := func(t experiment.Tag) experimentTagRow { return experimentTagRow{id, t.Key, t.Value} }
	return putTags(tx, tags, row, "experiment tags", "experiment_id", "key")
}

// parseExperimentID reads the id of an experiment. Codes: Invalid.
func parseExperimentID(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0, apperror.New(apperror.Invalid, "Invalid experiment ID '%s'. Experiment ID must be a valid integer.", experiment.Shorten(id))
	}
	return n, nil
}

// maxExperimentIDs bounds a search, because databases bound how many values a query binds.
const maxExperimentIDs = 10_000

func parseExperimentIDs(ids []string) ([]int64, error) {
	if len(ids) > maxExperimentIDs {
		return nil, apperror.New(apperror.Invalid, "A search takes at most %d experiment ids, not %d.", maxExperimentIDs, len(ids))
	}
	out := make([]int64, len(ids))
	for i, id := range ids {
		var err error
		if out[i], err = parseExperimentID(id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// findExperiment returns the row of an experiment. Codes: Invalid, NotFound.
func findExperiment(db *gorm.DB, id string) (experimentRow, error) {
	n, err := parseExperimentID(id)
	if err != nil {
		return experimentRow{}, err
	}
	var row experimentRow
	err = db.Where("id = ?", n).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, apperror.Wrap(apperror.NotFound, err, "No Experiment with id=%d exists", n)
	}
	return row, sqlstore.Translate(err, "experiment "+id)
}

// activeExperiment is findExperiment that refuses deleted ones. Codes: Invalid, NotFound.
func activeExperiment(db *gorm.DB, id string) (experimentRow, error) {
	row, err := findExperiment(db, id)
	if err == nil && row.LifecycleStage != string(experiment.Active) {
		err = apperror.New(apperror.Invalid, "The experiment %d must be in the 'active' state. Current state is %s.", row.ID, row.LifecycleStage)
	}
	return row, err
}

// Experiment returns one experiment.
func (s *Store) Experiment(ctx context.Context, id string) (*experiment.Experiment, error) {
	row, err := findExperiment(s.db.WithContext(ctx), id)
	if err != nil {
		return nil, err
	}
	return s.withTags(ctx, row)
}

// ExperimentByName returns one experiment.
func (s *Store) ExperimentByName(ctx context.Context, name string) (*experiment.Experiment, error) {
	var row experimentRow
	err := s.db.WithContext(ctx).Where("name = ?", name).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, apperror.Wrap(apperror.NotFound, err, "Could not find experiment with name '%s'", experiment.Shorten(name))
	}
	if err != nil {
		return nil, sqlstore.Translate(err, "experiment "+name)
	}
	return s.withTags(ctx, row)
}

func (s *Store) withTags(ctx context.Context, row experimentRow) (*experiment.Experiment, error) {
	list, err := s.loadExperiments(ctx, []experimentRow{row})
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

func (s *Store) loadExperiments(ctx context.Context, rows []experimentRow) ([]experiment.Experiment, error) {
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	tags := map[int64][]experiment.Tag{}
	err := inChunks(ids, func(part []int64) error {
		var found []experimentTagRow
		err := s.db.WithContext(ctx).Where("experiment_id IN ?", part).Order("experiment_id, key").Find(&found).Error
		for _, t := range found {
			tags[t.ExperimentID] = append(tags[t.ExperimentID], experiment.Tag{Key: t.Key, Value: t.Value})
		}
		return sqlstore.Translate(err, "experiment tags")
	})
	out := make([]experiment.Experiment, len(rows))
	for i, r := range rows {
		out[i] = r.domain(tags[r.ID])
	}
	return out, err
}

// SearchExperiments returns one page, the newest first unless ordered otherwise.
func (s *Store) SearchExperiments(ctx context.Context, q experiment.Search) (experiment.Page[experiment.Experiment], error) {
	with := searching[experimentRow, experiment.Experiment]{
		target: experimentsTarget, rules: filter.Experiments(), standard: 1000, most: maxPage,
		narrow: func(query *gorm.DB) (*gorm.DB, error) { return view(query, "experiments", q.View) },
		order:  []sortKey{{"experiments.id", whole, false}}, load: s.loadExperiments,
	}
	if len(q.OrderBy) == 0 {
		with.order = append([]sortKey{{"experiments.creation_time", whole, true}}, with.order...)
	}
	return search(ctx, s, q, with)
}

// SetExperimentTag sets or replaces a tag.
func (s *Store) SetExperimentTag(ctx context.Context, id string, t experiment.Tag) error {
	if err := experiment.CheckExperimentTag(t); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx *gorm.DB, _ int64) error {
		row, err := activeExperiment(tx, id)
		if err != nil {
			return err
		}
		return setExperimentTags(tx, row.ID, []experiment.Tag{t})
	})
}

// DeleteExperimentTag removes a tag.
func (s *Store) DeleteExperimentTag(ctx context.Context, id, key string) error {
	return s.inTx(ctx, func(tx *gorm.DB, _ int64) error {
		row, err := activeExperiment(tx, id)
		if err != nil {
			return err
		}
		result := tx.Where("experiment_id = ? AND key = ?", row.ID, key).Delete(&experimentTagRow{})
		if result.Error == nil && result.RowsAffected == 0 {
			return apperror.New(apperror.NotFound, "No tag with name: %s in experiment with id %s", experiment.Shorten(key), id)
		}
		return sqlstore.Translate(result.Error, "experiment tag")
	})
}

// RenameExperiment changes the name.
func (s *Store) RenameExperiment(ctx context.Context, id, name string) error {
	if err := experiment.CheckExperimentName(name); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx *gorm.DB, now int64) error {
		row, err := findExperiment(tx, id)
		if err != nil {
			return err
		}
		if row.LifecycleStage != string(experiment.Active) {
			return apperror.New(apperror.FailedPrecondition, "Cannot rename a non-active experiment.")
		}
		err = tx.Model(&experimentRow{}).Where("id = ?", row.ID).Updates(map[string]any{"name": name, "last_update_time": now}).Error
		if errors.Is(err, gorm.ErrDuplicatedKey) {
			return apperror.Wrap(apperror.AlreadyExists, err, "Experiment(name=%s) already exists.", name)
		}
		return sqlstore.Translate(err, "experiment "+id)
	})
}

// DeleteExperiment moves an experiment and all its runs to the deleted ones.
func (s *Store) DeleteExperiment(ctx context.Context, id string) error {
	return s.moveExperiment(ctx, id, experiment.Active, experiment.Deleted)
}

// RestoreExperiment takes it back, with all its runs.
func (s *Store) RestoreExperiment(ctx context.Context, id string) error {
	return s.moveExperiment(ctx, id, experiment.Deleted, experiment.Active)
}

func (s *Store) moveExperiment(ctx context.Context, id string, from, to experiment.LifecycleStage) error {
	return s.inTx(ctx, func(tx *gorm.DB, now int64) error {
		row, err := findExperiment(tx, id)
		if err != nil {
			return err
		}
		if to == experiment.Active {
			if err := checkNotGarbage(tx, Experiment, id); err != nil {
				return err
			}
		}
		moved := tx.Model(&experimentRow{}).Where("id = ? AND lifecycle_stage = ?", row.ID, string(from)).
			Updates(map[string]any{"lifecycle_stage": string(to), "last_update_time": now})
		if moved.Error != nil {
			return sqlstore.Translate(moved.Error, "experiment "+id)
		}
		if moved.RowsAffected == 0 {
			return apperror.New(apperror.NotFound, "No Experiment with id=%d exists in the %s state", row.ID, from)
		}
		return sqlstore.Translate(stageRuns(tx.Where("experiment_id = ? AND id NOT IN (SELECT id FROM garbage WHERE kind = ?)", row.ID, string(Run)), to, now), "runs")
	})
}
