package trackingstore

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
)

// CreateRun stores a new run in state RUNNING. The name of a run and its tag mlflow.runName are one value.
func (s *Store) CreateRun(ctx context.Context, r experiment.NewRun) (*experiment.Run, error) {
	tags, err := checkNewRun(&r)
	if err != nil {
		return nil, err
	}
	row := runRow{
		ID: newID(), Name: r.Name, UserID: r.UserID, Status: string(experiment.Running), StartTime: r.StartTime,
		LifecycleStage: string(experiment.Active),
	}
	err = s.inTx(ctx, func(tx *gorm.DB, now int64) error {
		// Nobody deletes the experiment until the run is there to be deleted with it.
		e, err := activeExperiment(tx.Clauses(clause.Locking{Strength: clause.LockingStrengthShare}), r.ExperimentID)
		if err != nil {
			return err
		}
		row.ExperimentID = e.ID
		row.ArtifactURI = strings.TrimRight(e.ArtifactLocation, "/") + "/" + row.ID + "/artifacts"
		if row.StartTime == 0 {
			row.StartTime = now
		}
		if err := tx.Create(&row).Error; err != nil {
			return sqlstore.Translate(err, "run "+row.ID)
		}
		return setRunTags(tx, row.ID, tags)
	})
	if err != nil {
		return nil, err
	}
	run := row.domain()
	run.Tags = tags
	return &run, nil
}

func newID() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }

// checkNewRun fills in the name of r and returns its tags, the name among them. Codes: Invalid.
func checkNewRun(r *experiment.NewRun) ([]experiment.Tag, error) {
	if r.StartTime < 0 {
		return nil, experiment.InvalidValue("start_time", r.StartTime, "It must be a nonnegative long (64-bit integer)")
	}
	if err := experiment.CheckLength("user_id", r.UserID, experiment.MaxKey); err != nil {
		return nil, err
	}
	var tags []experiment.Tag
	tagged := ""
	for _, t := range lastTags(r.Tags) {
		t, err := experiment.CheckRunTag("key", t)
		if err != nil {
			return nil, err
		}
		if t.Key == experiment.TagRunName {
			tagged = t.Value
			continue
		}
		tags = append(tags, t)
	}
	if r.Name != "" && tagged != "" && r.Name != tagged {
		return nil, apperror.New(apperror.Invalid, "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "+
			"(run_name='%s', mlflow.runName='%s').", experiment.Shorten(r.Name), experiment.Shorten(tagged))
	}
	if r.Name == "" {
		r.Name = tagged
	}
	if r.Name == "" {
		r.Name = experiment.RandomName()
	}
	name, err := experiment.CheckRunTag("run_name", experiment.Tag{Key: experiment.TagRunName, Value: r.Name})
	r.Name = name.Value
	return append(tags, name), err
}

func setRunTags(tx *gorm.DB, runID string, tags []experiment.Tag) error {
	row := func(t experiment.Tag) runTagRow { return runTagRow{runID, t.Key, t.Value} }
	return putTags(tx, tags, row, "run tags", "run_id", "key")
}

// findRun returns the row of a run. Codes: Invalid, NotFound.
func findRun(db *gorm.DB, id string) (runRow, error) {
	if err := experiment.CheckRunID(id); err != nil {
		return runRow{}, err
	}
	var row runRow
	err := db.Where("id = ?", id).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, apperror.Wrap(apperror.NotFound, err, "Run with id=%s not found", id)
	}
	return row, sqlstore.Translate(err, "run "+id)
}

// checkActiveRun refuses runs that are missing or deleted. Codes: Invalid, NotFound.
func checkActiveRun(db *gorm.DB, id string) error {
	_, err := activeRun(db, id)
	return err
}

// activeRun is findRun that refuses deleted ones. Codes: Invalid, NotFound.
func activeRun(db *gorm.DB, id string) (runRow, error) {
	row, err := findRun(db, id)
	if err == nil && row.LifecycleStage != string(experiment.Active) {
		err = apperror.New(apperror.Invalid, "The run %s must be in the 'active' state. Current state is %s.", id, row.LifecycleStage)
	}
	return row, err
}

// Run returns a run with its data.
func (s *Store) Run(ctx context.Context, id string) (*experiment.Run, error) {
	row, err := findRun(s.db.WithContext(ctx), id)
	if err != nil {
		return nil, err
	}
	runs, err := s.loadRuns(ctx, []runRow{row})
	if err != nil {
		return nil, err
	}
	return &runs[0], nil
}

// UpdateRun changes what is set; an empty name changes nothing.
func (s *Store) UpdateRun(ctx context.Context, id string, u experiment.RunUpdate) (*experiment.Run, error) {
	changes := map[string]any{}
	if u.Status != nil {
		if !u.Status.Known() {
			return nil, experiment.InvalidValue("status", string(*u.Status), "It must be one of RUNNING, SCHEDULED, FINISHED, FAILED, KILLED")
		}
		changes["status"] = string(*u.Status)
	}
	if u.EndTime != nil {
		if *u.EndTime < 0 {
			return nil, experiment.InvalidValue("end_time", *u.EndTime, "It must be a nonnegative long (64-bit integer)")
		}
		changes["end_time"] = *u.EndTime
	}
	var tags []experiment.Tag
	if u.Name != nil && *u.Name != "" {
		name, err := experiment.CheckRunTag("run_name", experiment.Tag{Key: experiment.TagRunName, Value: *u.Name})
		if err != nil {
			return nil, err
		}
		changes["name"], tags = name.Value, append(tags, name)
	}
	var row runRow
	err := s.inTx(ctx, func(tx *gorm.DB, _ int64) error {
		if err := checkActiveRun(tx, id); err != nil {
			return err
		}
		if len(changes) > 0 {
			active := tx.Model(&runRow{}).Where("id = ? AND lifecycle_stage = ?", id, string(experiment.Active))
			if err := active.Updates(changes).Error; err != nil {
				return sqlstore.Translate(err, "run "+id)
			}
		}
		if err := setRunTags(tx, id, tags); err != nil {
			return err
		}
		var err error
		row, err = findRun(tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	run := row.domain()
	return &run, nil
}

// DeleteTag removes a run's tag.
func (s *Store) DeleteTag(ctx context.Context, runID, key string) error {
	return s.inTx(ctx, func(tx *gorm.DB, _ int64) error {
		if err := checkActiveRun(tx, runID); err != nil {
			return err
		}
		result := tx.Where("run_id = ? AND key = ?", runID, key).Delete(&runTagRow{})
		if result.Error == nil && result.RowsAffected == 0 {
			return apperror.New(apperror.NotFound, "No tag with name: %s in run with id %s", experiment.Shorten(key), runID)
		}
		return sqlstore.Translate(result.Error, "run tag")
	})
}

// DeleteRun moves a run to the deleted ones; doing it twice is no error.
func (s *Store) DeleteRun(ctx context.Context, id string) error {
	return s.moveRun(ctx, id, experiment.Deleted)
}

// RestoreRun takes it back.
func (s *Store) RestoreRun(ctx context.Context, id string) error {
	return s.moveRun(ctx, id, experiment.Active)
}

func (s *Store) moveRun(ctx context.Context, id string, to experiment.LifecycleStage) error {
	return s.inTx(ctx, func(tx *gorm.DB, now int64) error {
		row, err := findRun(tx, id)
		if err != nil {
			return err
		}
		if to == experiment.Active {
			err = errors.Join(checkNotGarbage(tx, Run, id), checkNotGarbage(tx, Experiment, strconv.FormatInt(row.ExperimentID, 10)))
		}
		if err != nil {
			return err
		}
		return sqlstore.Translate(stageRuns(tx.Where("id = ?", id), to, now), "run "+id)
	})
}

// stageRuns moves runs that are not in a stage yet into it.
func stageRuns(runs *gorm.DB, to experiment.LifecycleStage, now int64) error {
	changes := map[string]any{"lifecycle_stage": string(to), "deleted_time": nil}
	if to == experiment.Deleted {
		changes["deleted_time"] = now
	}
	return runs.Model(&runRow{}).Where("lifecycle_stage <> ?", string(to)).Updates(changes).Error
}

// LogInputs records the datasets and logged models that a run used.
func (s *Store) LogInputs(ctx context.Context, runID string, in experiment.Inputs) error {
	for _, d := range in.Datasets {
		if err := experiment.CheckDataset(d); err != nil {
			return err
		}
	}
	rows := make([]runModelRow, len(in.Models))
	for i, m := range in.Models {
		rows[i] = runModelRow{RunID: runID, Direction: input, ModelID: m.ModelID}
	}
	return s.logModels(ctx, runID, rows, in.Datasets...)
}

// LogOutputs records the logged models that a run made.
func (s *Store) LogOutputs(ctx context.Context, runID string, models []experiment.ModelOutput) error {
	rows := make([]runModelRow, len(models))
	for i, m := range models {
		rows[i] = runModelRow{RunID: runID, Direction: output, ModelID: m.ModelID, Step: m.Step}
	}
	return s.logModels(ctx, runID, rows)
}

func (s *Store) logModels(ctx context.Context, runID string, rows []runModelRow, datasets ...experiment.DatasetInput) error {
	for _, r := range rows {
		if err := experiment.CheckLength("model_id", r.ModelID, experiment.MaxKey); err != nil {
			return err
		}
		if r.ModelID == "" {
			return experiment.MissingValue("model_id")
		}
	}
	return s.inTx(ctx, func(tx *gorm.DB, _ int64) error {
		run, err := activeRun(tx, runID)
		if err != nil {
			return err
		}
		slices.SortFunc(rows, func(a, b runModelRow) int { return strings.Compare(a.ModelID, b.ModelID) })
		if err := addDatasets(tx, run, datasets); err != nil || len(rows) == 0 {
			return err
		}
		return sqlstore.Translate(tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(rows, chunk).Error, "models of a run")
	})
}

// each reads the rows of a query and calls f with each.
func each[T any](db *gorm.DB, f func(T)) error {
	var rows []T
	if err := db.Find(&rows).Error; err != nil {
		return err
	}
	for _, r := range rows {
		f(r)
	}
	return nil
}
