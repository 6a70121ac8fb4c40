package trackingstore

import (
	"context"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
)

// PutRun writes a run with its params, tags, datasets and links to logged models, but without its points, into an experiment here. A deleted
// run counts as deleted now. Codes: NotFound (experiment), AlreadyExists, FailedPrecondition (gc is removing it).
func (i *Import) PutRun(ctx context.Context, r experiment.Run, experimentID string) error {
	r.Metrics = nil // they come as points, and NaN has no JSON
	hash, err := fingerprint(r)
	if err != nil {
		return err
	}
	return i.store.inTx(ctx, func(tx *gorm.DB, now int64) error {
		if err := checkNotGarbage(tx, Run, r.ID); err != nil {
			return err
		}
		seen, err := i.seen(tx, Run, r.ID)
		if err != nil {
			return err
		}
		row, err := findRun(tx, r.ID)
		switch {
		case apperror.CodeOf(err) == apperror.NotFound:
			row, err = newImportedRun(tx, r, experimentID, now)
		case err != nil:
		case seen == nil:
			err = foreign(Run, r.ID)
		case seen.Fingerprint == hash:
			return nil
		default:
			err = updateImportedRun(tx, row, r, now)
		}
		if err == nil {
			err = putRunData(tx, row, r)
		}
		if err != nil {
			return err
		}
		return i.note(tx, Run, r.ID, r.ID, hash, false, now)
	})
}

func newImportedRun(tx *gorm.DB, r experiment.Run, experimentID string, now int64) (runRow, error) {
	// Nobody removes the experiment until the run is there.
	e, err := findExperiment(tx.Clauses(clause.Locking{Strength: clause.LockingStrengthShare}), experimentID)
	if err != nil {
		return runRow{}, err
	}
	row := runRow{
		ID: r.ID, ExperimentID: e.ID, Name: r.Name, UserID: r.UserID, Status: string(r.Status), StartTime: r.StartTime,
		EndTime: endTime(r), LifecycleStage: string(r.LifecycleStage), ArtifactURI: strings.TrimRight(e.ArtifactLocation, "/") + "/" + r.ID + "/artifacts",
	}
	if r.LifecycleStage == experiment.Deleted {
		row.DeletedTime = &now
	}
	return row, sqlstore.Translate(tx.Create(&row).Error, "run "+r.ID)
}

func endTime(r experiment.Run) *int64 {
	if r.EndTime == 0 {
		return nil
	}
	return &r.EndTime
}

func updateImportedRun(tx *gorm.DB, row runRow, r experiment.Run, now int64) error {
	err := tx.Model(&runRow{}).Where("id = ?", r.ID).Updates(map[string]any{
		"name": r.Name, "user_id": r.UserID, "status": string(r.Status), "start_time": r.StartTime, "end_time": endTime(r),
	}).Error
	if err == nil && row.LifecycleStage != string(r.LifecycleStage) {
		err = stageRuns(tx.Where("id = ?", r.ID), r.LifecycleStage, now)
	}
	return sqlstore.Translate(err, "run "+r.ID)
}

func putRunData(tx *gorm.DB, row runRow, r experiment.Run) error {
	nothing := clause.OnConflict{DoNothing: true}
	params := make([]paramRow, 0, len(r.Params))
	for _, p := range r.Params {
		params = append(params, paramRow{r.ID, p.Key, p.Value})
	}
	var models []runModelRow
	for _, m := range r.ModelInputs {
		models = append(models, runModelRow{RunID: r.ID, Direction: input, ModelID: m.ModelID})
	}
	for _, m := range r.ModelOutputs {
		models = append(models, runModelRow{RunID: r.ID, Direction: output, ModelID: m.ModelID, Step: m.Step})
	}
	var err error
	if len(params) > 0 {
		err = tx.Clauses(nothing).CreateInBatches(params, chunk).Error
	}
	if err == nil && len(models) > 0 {
		err = tx.Clauses(nothing).CreateInBatches(models, chunk).Error
	}
	if err != nil {
		return sqlstore.Translate(err, "data of run "+r.ID)
	}
	if err := addDatasets(tx, row, r.DatasetInputs); err != nil {
		return err
	}
	return setRunTags(tx, r.ID, r.Tags)
}

// PutPoints adds points to a run that was imported. Those that it has already change nothing. Codes: NotFound.
func (i *Import) PutPoints(ctx context.Context, runID string, points []experiment.Metric) error {
	return i.store.inTx(ctx, func(tx *gorm.DB, _ int64) error {
		run, err := findRun(tx, runID)
		if err != nil {
			return err
		}
		return addMetrics(tx, run, points)
	})
}

// CountPoints returns how many points a run has here.
func (i *Import) CountPoints(ctx context.Context, runID string) (n int64, err error) {
	err = i.store.db.WithContext(ctx).Model(&metricRow{}).Where("run_id = ?", runID).Count(&n).Error
	return n, sqlstore.Translate(err, "metric history")
}

// PutLoggedModel writes a logged model with its points into an experiment here. Codes: as PutRun.
func (i *Import) PutLoggedModel(ctx context.Context, m experiment.LoggedModel, experimentID string) error {
	points := m.Metrics
	m.Metrics = nil
	hash, err := fingerprint(m)
	if err != nil {
		return err
	}
	return i.store.inTx(ctx, func(tx *gorm.DB, now int64) error {
		if err := checkNotGarbage(tx, LoggedModel, m.ID); err != nil {
			return err
		}
		seen, err := i.seen(tx, LoggedModel, m.ID)
		if err != nil {
			return err
		}
		_, err = anyLoggedModel(tx, m.ID)
		switch {
		case apperror.CodeOf(err) == apperror.NotFound:
			err = newImportedModel(tx, m, experimentID)
		case err != nil:
		case seen == nil:
			err = foreign(LoggedModel, m.ID)
		case seen.Fingerprint == hash:
			return putModelPoints(tx, m.ID, points)
		default:
			err = updateImportedModel(tx, m)
		}
		if err == nil {
			err = putModelData(tx, m, points)
		}
		if err != nil {
			return err
		}
		return i.note(tx, LoggedModel, m.ID, m.ID, hash, false, now)
	})
}

func stageOf(m experiment.LoggedModel) string {
	if m.Deleted {
		return string(experiment.Deleted)
	}
	return string(experiment.Active)
}

func newImportedModel(tx *gorm.DB, m experiment.LoggedModel, experimentID string) error {
	e, err := findExperiment(tx.Clauses(clause.Locking{Strength: clause.LockingStrengthShare}), experimentID)
	if err != nil {
		return err
	}
	return sqlstore.Translate(tx.Create(&loggedModelRow{
		ID: m.ID, ExperimentID: e.ID, Name: m.Name, ModelType: m.ModelType, SourceRunID: m.SourceRunID, Status: string(m.Status), StatusMessage: m.StatusMessage,
		CreationTime: m.CreationTime, LastUpdateTime: m.LastUpdateTime, LifecycleStage: stageOf(m),
		ArtifactURI: strings.TrimRight(e.ArtifactLocation, "/") + "/models/" + m.ID + "/artifacts",
	}).Error, "logged model "+m.ID)
}

func updateImportedModel(tx *gorm.DB, m experiment.LoggedModel) error {
	return sqlstore.Translate(tx.Model(&loggedModelRow{}).Where("id = ?", m.ID).Updates(map[string]any{
		"name": m.Name, "model_type": m.ModelType, "source_run_id": m.SourceRunID, "status": string(m.Status), "status_message": m.StatusMessage,
		"last_update_time": m.LastUpdateTime, "lifecycle_stage": stageOf(m),
	}).Error, "logged model "+m.ID)
}

func putModelData(tx *gorm.DB, m experiment.LoggedModel, points []experiment.Metric) error {
	params := make([]loggedModelParamRow, 0, len(m.Params))
	for _, p := range m.Params {
		params = append(params, loggedModelParamRow{m.ID, p.Key, p.Value})
	}
	if len(params) > 0 {
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(params, chunk).Error; err != nil {
			return sqlstore.Translate(err, "params of logged model "+m.ID)
		}
	}
	if err := setLoggedModelTags(tx, m.ID, m.Tags); err != nil {
		return err
	}
	return putModelPoints(tx, m.ID, points)
}

func putModelPoints(tx *gorm.DB, id string, points []experiment.Metric) error {
	if len(points) == 0 {
		return nil
	}
	rows := make([]loggedModelMetricRow, len(points))
	for n, p := range points {
		value, isNaN := stored(p.Value)
		rows[n] = loggedModelMetricRow{id, p.RunID, p.Key, p.Timestamp, p.Step, value, isNaN, p.Dataset.Name, p.Dataset.Digest}
	}
	slices.SortFunc(rows, func(a, b loggedModelMetricRow) int { return comparePoints(a.point(), b.point()) })
	return sqlstore.Translate(tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(rows, chunk).Error, "metrics of logged model "+id)
}
