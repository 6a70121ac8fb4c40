package trackingstore

import (
	"context"
	"fmt"
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
)

// Kind says what a piece of garbage was.
type Kind string

// The kinds, in the order in which they can be removed: an experiment after what is in it.
const (
	Run         Kind = "run"
	LoggedModel Kind = "logged_model"
	Experiment  Kind = "experiment"
	Version     Kind = "model_version"
)

// Garbage is something that was deleted and can be removed for good.
type Garbage struct {
	Kind        Kind
	ID          string // of a version: the id of its model, a slash and its number
	Name        string
	ArtifactURI string // of its files; of an experiment: of the folder that held those of its runs; empty for versions, which have none
	DeletedTime int64  // milliseconds since 1970, UTC
	// ExperimentID is where a run or a logged model is; empty for versions.
	ExperimentID string
	UsedBy       string // why it stays: a version of a registered model that is not deleted, or what is left in an experiment
}

// key is the id as the database has it: those of experiments are numbers.
func (g Garbage) key() (any, error) {
	if g.Kind == Experiment {
		return parseExperimentID(g.ID)
	}
	return g.ID, nil
}

type garbageRow struct {
	Kind string `gorm:"primaryKey"`
	ID   string `gorm:"primaryKey"`
}

func (garbageRow) TableName() string { return "garbage" }

// doomedRuns are runs that were deleted before a time, whose experiment was, or whose removal was begun; doomedModels likewise.
const (
	doomedExperiments = `SELECT e.id FROM experiments e WHERE e.id <> 0 AND e.lifecycle_stage = 'deleted' AND (e.last_update_time <= @before
		OR EXISTS (SELECT 1 FROM garbage g WHERE g.kind = 'experiment' AND g.id = CAST(e.id AS TEXT)))`
	doomedRuns = `lifecycle_stage = 'deleted' AND (deleted_time <= @before OR experiment_id IN (` + doomedExperiments + `)
		OR EXISTS (SELECT 1 FROM garbage g WHERE g.kind = 'run' AND g.id = runs.id))`
	doomedModels = `(lifecycle_stage = 'deleted' AND last_update_time <= @before) OR experiment_id IN (` + doomedExperiments + `)
		OR EXISTS (SELECT 1 FROM garbage g WHERE g.kind = 'logged_model' AND g.id = logged_models.id)`
	// claimableModels that were not deleted go only with an experiment whose removal was begun.
	claimableModels = `(lifecycle_stage = 'deleted' AND last_update_time <= @before)
		OR EXISTS (SELECT 1 FROM garbage g WHERE g.kind = 'logged_model' AND g.id = logged_models.id)
		OR EXISTS (SELECT 1 FROM garbage g WHERE g.kind = 'experiment' AND g.id = CAST(logged_models.experiment_id AS TEXT))`
	doomedVersions = `stage = '` + stageDeleted + `' AND last_update_time <= @before
		AND version < (SELECT MAX(n.version) FROM model_versions n WHERE n.model_id = model_versions.model_id)`
)

// Garbage lists what was deleted at a time (milliseconds since 1970, UTC) or before, and what an earlier removal left half done, in the order in which
// it can be removed. The newest version of a model stays, so that its number is not given again.
func (s *Store) Garbage(ctx context.Context, before int64) ([]Garbage, error) {
	var all []Garbage
	db := s.db.WithContext(ctx)
	at := map[string]any{"before": before}
	where := func(condition, order string) *gorm.DB { return db.Where(condition, at).Order(order) }
	used, err := usedByVersions(db)
	if err != nil {
		return nil, err
	}
	left := map[int64]string{} // experiments, and what stays in them
	var undeleted []int        // logged models that go only with their experiment
	err = each(where(doomedRuns, "id"), func(r runRow) {
		g := Garbage{Kind: Run, ID: r.ID, Name: r.Name, ArtifactURI: r.ArtifactURI, UsedBy: used["run "+r.ID], ExperimentID: strconv.FormatInt(r.ExperimentID, 10)}
		if r.DeletedTime != nil {
			g.DeletedTime = *r.DeletedTime
		}
		if all = append(all, g); g.UsedBy != "" {
			left[r.ExperimentID] = "run " + r.ID
		}
	})
	if err == nil {
		err = each(where(doomedModels, "id"), func(r loggedModelRow) {
			g := Garbage{Kind: LoggedModel, ID: r.ID, Name: r.Name, ArtifactURI: r.ArtifactURI, DeletedTime: r.LastUpdateTime, UsedBy: used["model "+r.ID]}
			g.ExperimentID = strconv.FormatInt(r.ExperimentID, 10)
			if r.LifecycleStage == string(experiment.Active) {
				undeleted = append(undeleted, len(all))
			}
			if all = append(all, g); g.UsedBy != "" {
				left[r.ExperimentID] = "logged model " + r.ID
			}
		})
	}
	if err == nil {
		err = each(where("lifecycle_stage = 'active' AND experiment_id IN ("+doomedExperiments+")", "id"), func(r runRow) {
			left[r.ExperimentID] = "run " + r.ID // restored on its own
		})
	}
	if err == nil {
		err = each(where("id IN ("+doomedExperiments+")", "id"), func(r experimentRow) {
			g := Garbage{Kind: Experiment, ID: strconv.FormatInt(r.ID, 10), Name: r.Name, ArtifactURI: r.ArtifactLocation, DeletedTime: r.LastUpdateTime}
			g.ExperimentID, g.UsedBy = g.ID, left[r.ID]
			all = append(all, g)
			for _, i := range undeleted {
				if all[i].ExperimentID == g.ID && all[i].UsedBy == "" && g.UsedBy != "" {
					all[i].UsedBy = "experiment " + g.ID + ", which holds " + g.UsedBy
				}
			}
		})
	}
	if err == nil {
		names := map[int64]string{}
		if err = each(db, func(r modelRow) { names[r.ID] = r.Name }); err == nil {
			err = each(where(doomedVersions, "model_id, version"), func(r versionRow) {
				id := fmt.Sprintf("%d/%d", r.ModelID, r.Version)
				all = append(all, Garbage{Kind: Version, ID: id, Name: fmt.Sprintf("%s %d", names[r.ModelID], r.Version), DeletedTime: r.LastUpdateTime})
			})
		}
	}
	return all, sqlstore.Translate(err, "what was deleted")
}

// usedByVersions returns which runs and logged models the versions of registered models come from.
func usedByVersions(db *gorm.DB) (map[string]string, error) {
	used := map[string]string{}
	var rows []struct {
		Name                 string
		Version              int64
		RunID, LoggedModelID string
	}
	err := db.Table("model_versions v").Joins("JOIN registered_models m ON m.id = v.model_id").Where("v.stage <> ?", stageDeleted).
		Select("m.name, v.version, v.run_id, v.logged_model_id").Scan(&rows).Error
	for _, r := range rows {
		by := fmt.Sprintf("version %d of %s", r.Version, r.Name)
		used["run "+r.RunID], used["model "+r.LoggedModelID] = by, by
	}
	return used, sqlstore.Translate(err, "model versions")
}

// Claim begins the removal of a run, a logged model or an experiment: from now on it cannot be restored. It reports whether that is still
// to be done: what was restored since, or is used again, stays.
func (s *Store) Claim(ctx context.Context, g Garbage, before int64) (bool, error) {
	claimed := false
	err := s.inTx(ctx, func(tx *gorm.DB, _ int64) error {
		condition, model := map[Kind]string{
			Run: doomedRuns, LoggedModel: claimableModels,
			Experiment: "id IN (" + doomedExperiments + ") AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.experiment_id = experiments.id AND r.lifecycle_stage = 'active')",
		}[g.Kind], map[Kind]any{Run: &runRow{}, LoggedModel: &loggedModelRow{}, Experiment: &experimentRow{}}[g.Kind]
		var n, used int64
		id, err := g.key()
		if err != nil {
			return err
		}
		if err := tx.Model(model).Where("id = ?", id).Where(condition, map[string]any{"before": before}).Count(&n).Error; err != nil {
			return err
		}
		if column := map[Kind]string{Run: "run_id", LoggedModel: "logged_model_id"}[g.Kind]; column != "" {
			if err := tx.Model(&versionRow{}).Where(column+" = ? AND stage <> ?", g.ID, stageDeleted).Count(&used).Error; err != nil {
				return err
			}
		}
		claimed = n > 0 && used == 0
		if !claimed {
			return nil
		}
		return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&garbageRow{string(g.Kind), g.ID}).Error
	})
	return claimed, sqlstore.Translate(err, string(g.Kind)+" "+g.ID)
}

// checkNotGarbage refuses to restore what is being removed. Codes: FailedPrecondition.
func checkNotGarbage(tx *gorm.DB, kind Kind, id string) error {
	var n int64
	if err := tx.Model(&garbageRow{}).Where("kind = ? AND id = ?", string(kind), id).Count(&n).Error; err != nil {
		return sqlstore.Translate(err, "garbage")
	}
	if n > 0 {
		return apperror.New(apperror.FailedPrecondition, "The %s %s is being removed for good by tasador gc; it cannot be restored.", kind, id)
	}
	return nil
}

// Remove takes the rows of what was claimed, and of versions, out of the database, all or none. An experiment in which something is left
// stays. Doing it again does nothing.
func (s *Store) Remove(ctx context.Context, g Garbage) error {
	err := s.inTx(ctx, func(tx *gorm.DB, _ int64) error {
		if g.Kind == Version {
			var model, version int64
			if _, err := fmt.Sscanf(g.ID, "%d/%d", &model, &version); err != nil {
				return err
			}
			return tx.Where("model_id = ? AND version = ? AND stage = ?", model, version, stageDeleted).Delete(&versionRow{}).Error
		}
		var n int64
		if err := tx.Model(&garbageRow{}).Where("kind = ? AND id = ?", string(g.Kind), g.ID).Count(&n).Error; err != nil || n == 0 {
			return err
		}
		if err := removeRows(tx, g); err != nil {
			return err
		}
		return tx.Where("kind = ? AND id = ?", string(g.Kind), g.ID).Delete(&garbageRow{}).Error
	})
	return sqlstore.Translate(err, string(g.Kind)+" "+g.ID)
}

// removeRows deletes what refers to a row before the row.
func removeRows(tx *gorm.DB, g Garbage) error {
	statements := map[Kind][]string{
		Run: {
			"run_dataset_tags WHERE run_id = ?", "run_datasets WHERE run_id = ?", "run_models WHERE run_id = ?", "latest_metrics WHERE run_id = ?",
			"metrics WHERE run_id = ?", "params WHERE run_id = ?", "run_tags WHERE run_id = ?", "runs WHERE id = ?",
		},
		LoggedModel: {
			"logged_model_metrics WHERE model_id = ?", "logged_model_params WHERE model_id = ?", "logged_model_tags WHERE model_id = ?",
			"logged_models WHERE id = ?",
		},
		Experiment: {"datasets WHERE experiment_id = ?", "experiment_tags WHERE experiment_id = ?", "experiments WHERE id = ?"},
	}[g.Kind]
	id, err := g.key()
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if err := tx.Exec("DELETE FROM "+statement, id).Error; err != nil {
			return err
		}
	}
	return nil
}
