package trackingstore

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/experiment/filter"
	"tasador/pkg/sqlstore"
)

// CreateLoggedModel stores a model in state PENDING.
func (s *Store) CreateLoggedModel(ctx context.Context, m experiment.NewLoggedModel) (*experiment.LoggedModel, error) {
	if err := checkNewLoggedModel(m); err != nil {
		return nil, err
	}
	id := "m-" + newID()
	row := loggedModelRow{
		ID: id, Name: m.Name, ModelType: m.ModelType, SourceRunID: m.SourceRunID, Status: string(experiment.ModelPending),
		LifecycleStage: string(experiment.Active),
	}
	if row.Name == "" {
		row.Name = experiment.RandomName()
	}
	err := s.inTx(ctx, func(tx *gorm.DB, now int64) error {
		e, err := activeExperiment(tx, m.ExperimentID)
		if err != nil {
			return err
		}
		row.ExperimentID, row.CreationTime, row.LastUpdateTime = e.ID, now, now
		row.ArtifactURI = strings.TrimRight(e.ArtifactLocation, "/") + "/models/" + id + "/artifacts"
		if err := tx.Create(&row).Error; err != nil {
			return sqlstore.Translate(err, "logged model "+id)
		}
		if err := addLoggedModelParams(tx, id, m.Params); err != nil {
			return err
		}
		return setLoggedModelTags(tx, id, m.Tags)
	})
	if err != nil {
		return nil, err
	}
	return s.LoggedModel(ctx, id)
}

func checkNewLoggedModel(m experiment.NewLoggedModel) error {
	if strings.ContainsAny(m.Name, `/:.%"'`) {
		return apperror.New(apperror.Invalid, "Invalid model name (%s) provided. Model name must be a non-empty string and cannot contain "+
			`the following characters: ('/', ':', '.', '%%', '"', "'")`, experiment.Shorten(m.Name))
	}
	if err := experiment.CheckLength("name", m.Name, experiment.MaxExperimentName); err != nil {
		return err
	}
	if err := experiment.CheckLength("model_type", m.ModelType, experiment.MaxExperimentName); err != nil {
		return err
	}
	if m.SourceRunID != "" {
		if err := experiment.CheckRunID(m.SourceRunID); err != nil {
			return err
		}
	}
	if err := checkLoggedModelTags(m.Tags); err != nil {
		return err
	}
	return checkLoggedModelParams(m.Params)
}

func checkLoggedModelTags(tags []experiment.Tag) error {
	for _, t := range tags {
		if err := experiment.CheckKey("key", t.Key); err != nil {
			return err
		}
		if err := experiment.CheckLength("value", t.Value, experiment.MaxRunTagValue); err != nil {
			return err
		}
	}
	return nil
}

func checkLoggedModelParams(params []experiment.Param) error {
	for _, p := range params {
		if err := experiment.CheckKey("key", p.Key); err != nil {
			return err
		}
		if err := experiment.CheckLength("value", p.Value, experiment.MaxParamValue); err != nil {
			return err
		}
	}
	return nil
}

// findLoggedModel returns the row of a model that is not deleted. Codes: NotFound.
func findLoggedModel(db *gorm.DB, id string) (loggedModelRow, error) {
	return anyLoggedModel(db.Where("lifecycle_stage = ?", string(experiment.Active)), id)
}

// anyLoggedModel returns the row of a model. Codes: NotFound.
func anyLoggedModel(db *gorm.DB, id string) (loggedModelRow, error) {
	var row loggedModelRow
	err := db.Where("id = ?", id).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, apperror.Wrap(apperror.NotFound, err, "Logged model with ID '%s' not found.", experiment.Shorten(id))
	}
	return row, sqlstore.Translate(err, "logged model "+id)
}

// LoggedModel returns one.
func (s *Store) LoggedModel(ctx context.Context, id string) (*experiment.LoggedModel, error) {
	row, err := findLoggedModel(s.db.WithContext(ctx), id)
	if err != nil {
		return nil, err
	}
	return s.loadLoggedModel(ctx, row)
}

// LoggedModelAlsoDeleted returns one, also if it is deleted. Codes: NotFound.
func (s *Store) LoggedModelAlsoDeleted(ctx context.Context, id string) (*experiment.LoggedModel, error) {
	row, err := anyLoggedModel(s.db.WithContext(ctx), id)
	if err != nil {
		return nil, err
	}
	return s.loadLoggedModel(ctx, row)
}

func (s *Store) loadLoggedModel(ctx context.Context, row loggedModelRow) (*experiment.LoggedModel, error) {
	list, err := s.loadLoggedModels(ctx, []loggedModelRow{row})
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

func (s *Store) loadLoggedModels(ctx context.Context, rows []loggedModelRow) ([]experiment.LoggedModel, error) {
	models := make([]experiment.LoggedModel, len(rows))
	byID := make(map[string]*experiment.LoggedModel, len(rows))
	ids := make([]string, len(rows))
	for i, r := range rows {
		models[i], ids[i] = r.domain(), r.ID
		byID[r.ID] = &models[i]
	}
	err := inChunks(ids, func(part []string) error {
		db := s.db.WithContext(ctx).Where("model_id IN ?", part).Session(&gorm.Session{})
		return sqlstore.Translate(errors.Join(
			each(db.Order("model_id, key"), func(r loggedModelTagRow) {
				byID[r.ModelID].Tags = append(byID[r.ModelID].Tags, experiment.Tag{Key: r.Key, Value: r.Value})
			}),
			each(db.Order("model_id, key"), func(r loggedModelParamRow) {
				byID[r.ModelID].Params = append(byID[r.ModelID].Params, experiment.Param{Key: r.Key, Value: r.Value})
			}),
			each(db.Order("model_id, key, timestamp, step"), func(r loggedModelMetricRow) {
				m := experiment.Metric{
					Key: r.Key, Value: loaded(r.Value, r.IsNan), Timestamp: r.Timestamp, Step: r.Step, ModelID: r.ModelID, RunID: r.RunID,
					Dataset: experiment.DatasetKey{Name: r.DatasetName, Digest: r.DatasetDigest},
				}
				byID[r.ModelID].Metrics = append(byID[r.ModelID].Metrics, m)
			}),
		), "data of logged models")
	})
	return models, err
}

// FinalizeLoggedModel sets its final state.
func (s *Store) FinalizeLoggedModel(ctx context.Context, id string, status experiment.ModelStatus) (*experiment.LoggedModel, error) {
	switch status {
	case experiment.ModelPending, experiment.ModelReady, experiment.ModelUploadFailed:
	default:
		return nil, experiment.InvalidValue("status", string(status), "It must be one of LOGGED_MODEL_READY, LOGGED_MODEL_UPLOAD_FAILED")
	}
	err := s.changeLoggedModel(ctx, id, map[string]any{"status": string(status)})
	if err != nil {
		return nil, err
	}
	return s.LoggedModel(ctx, id)
}

// DeleteLoggedModel marks it deleted; once more changes nothing.
func (s *Store) DeleteLoggedModel(ctx context.Context, id string) error {
	err := s.changeLoggedModel(ctx, id, map[string]any{"lifecycle_stage": string(experiment.Deleted)})
	if apperror.CodeOf(err) == apperror.NotFound {
		_, err = anyLoggedModel(s.db.WithContext(ctx), id)
	}
	return err
}

func (s *Store) changeLoggedModel(ctx context.Context, id string, changes map[string]any) error {
	return s.inTx(ctx, func(tx *gorm.DB, now int64) error {
		if _, err := findLoggedModel(tx, id); err != nil {
			return err
		}
		changes["last_update_time"] = now
		return sqlstore.Translate(tx.Model(&loggedModelRow{}).Where("id = ?", id).Updates(changes).Error, "logged model "+id)
	})
}

// SetLoggedModelTags sets or replaces tags.
func (s *Store) SetLoggedModelTags(ctx context.Context, id string, tags []experiment.Tag) error {
	if err := checkLoggedModelTags(tags); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx *gorm.DB, _ int64) error {
		if _, err := findLoggedModel(tx, id); err != nil {
			return err
		}
		return setLoggedModelTags(tx, id, tags)
	})
}

func setLoggedModelTags(tx *gorm.DB, id string, tags []experiment.Tag) error {
	row := func(t experiment.Tag) loggedModelTagRow { return loggedModelTagRow{id, t.Key, t.Value} }
	return putTags(tx, tags, row, "tags of a logged model", "model_id", "key")
}

// DeleteLoggedModelTag removes a tag.
func (s *Store) DeleteLoggedModelTag(ctx context.Context, id, key string) error {
	return s.inTx(ctx, func(tx *gorm.DB, _ int64) error {
		if _, err := findLoggedModel(tx, id); err != nil {
			return err
		}
		result := tx.Where("model_id = ? AND key = ?", id, key).Delete(&loggedModelTagRow{})
		if result.Error == nil && result.RowsAffected == 0 {
			return apperror.New(apperror.NotFound, "No tag with key '%s' found for model with ID '%s'.", experiment.Shorten(key), id)
		}
		return sqlstore.Translate(result.Error, "tag of a logged model")
	})
}

// LogLoggedModelParams adds params.
func (s *Store) LogLoggedModelParams(ctx context.Context, id string, params []experiment.Param) error {
	if err := checkLoggedModelParams(params); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx *gorm.DB, _ int64) error {
		if _, err := findLoggedModel(tx, id); err != nil {
			return err
		}
		return addLoggedModelParams(tx, id, params)
	})
}

func addLoggedModelParams(tx *gorm.DB, id string, params []experiment.Param) error {
	// In sorted order, so that two calls never wait for each other crosswise.
	for _, p := range slices.SortedFunc(slices.Values(params), func(a, b experiment.Param) int { return strings.Compare(a.Key, b.Key) }) {
		row := loggedModelParamRow{id, p.Key, p.Value}
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
			return sqlstore.Translate(err, "params of a logged model")
		}
		var have loggedModelParamRow
		if err := tx.Where("model_id = ? AND key = ?", id, p.Key).Take(&have).Error; err != nil {
			return sqlstore.Translate(err, "params of a logged model")
		}
		if have.Value != p.Value {
			return apperror.New(apperror.Invalid, "Changing param values is not allowed. Param with key='%s' was already logged with value='%s'"+
				" for model ID='%s'. Attempted logging new value '%s'.", p.Key, experiment.Shorten(have.Value), id, experiment.Shorten(p.Value))
		}
	}
	return nil
}

// SearchLoggedModels returns one page; equal ones come newest first.
func (s *Store) SearchLoggedModels(ctx context.Context, q experiment.RunSearch) (experiment.Page[experiment.LoggedModel], error) {
	on, err := measuredOn(q)
	if err != nil {
		return experiment.Page[experiment.LoggedModel]{}, err
	}
	where := loggedModelsTarget
	where.datasets = on
	return search(ctx, s, q.Search, searching[loggedModelRow, experiment.LoggedModel]{
		target: where, rules: filter.LoggedModels(), standard: 100, most: maxPage,
		narrow: ofExperiments("logged_models", q), load: s.loadLoggedModels,
		order: []sortKey{{"logged_models.creation_time", whole, true}, {"logged_models.id", text, false}},
	})
}
