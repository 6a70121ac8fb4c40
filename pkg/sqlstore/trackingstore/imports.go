package trackingstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore"
)

// Kinds of what is imported, beside those of garbage.
const (
	RegisteredModel Kind = "registered_model"
	Alias           Kind = "alias"
)

// Import writes what another tracking server has as it is there: with its ids, times and states, which clients cannot set. It remembers what it
// wrote, and how that was there: what has not changed there since stays as it is here, even if it was changed here; what has is written
// again. What is gone there stays here. Every Put is one transaction and may be repeated.
type Import struct {
	store  *Store
	source string
}

// Import returns what writes here what the server named source has.
func (s *Store) Import(source string) *Import { return &Import{s, source} }

// importRow is what was imported.
type importRow struct {
	Source      string `gorm:"primaryKey"`
	Kind        string `gorm:"primaryKey"`
	SourceID    string `gorm:"primaryKey"`
	LocalID     string
	Fingerprint string // of what it was there
	Merged      bool
	At          int64
}

func (importRow) TableName() string { return "imports" }

// fingerprint tells whether something is as it was.
func fingerprint(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("describe what is imported: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// seen returns what was imported under an id of the source; nil if nothing was.
func (i *Import) seen(tx *gorm.DB, kind Kind, id string) (*importRow, error) {
	var rows []importRow
	err := tx.Where("source = ? AND kind = ? AND source_id = ?", i.source, string(kind), id).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, sqlstore.Translate(err, "imports")
	}
	return &rows[0], nil
}

func (i *Import) note(tx *gorm.DB, kind Kind, id, localID, hash string, merged bool, now int64) error {
	row := importRow{i.source, string(kind), id, localID, hash, merged, now}
	return sqlstore.Translate(tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error, "imports")
}

// Known returns what was imported of a kind: ids here by ids there.
func (i *Import) Known(ctx context.Context, kind Kind) (map[string]string, error) {
	known := map[string]string{}
	query := i.store.db.WithContext(ctx).Select("source_id, local_id").Where("source = ? AND kind = ?", i.source, string(kind))
	err := each(query, func(r importRow) { known[r.SourceID] = r.LocalID })
	return known, sqlstore.Translate(err, "imports")
}

// Foreign returns which of some ids, names of registered models, or NAME/VERSION of versions are taken here by what was not imported
// from the source.
func (i *Import) Foreign(ctx context.Context, kind Kind, ids []string) ([]string, error) {
	table, key := map[Kind]string{
		Run: "runs", LoggedModel: "logged_models", RegisteredModel: "registered_models",
		Version: "model_versions v JOIN registered_models m ON m.id = v.model_id",
	}[kind], map[Kind]string{Run: "id", LoggedModel: "id", RegisteredModel: "name", Version: "m.name || '/' || CAST(v.version AS TEXT)"}[kind]
	var taken []string
	err := inChunks(ids, func(part []string) error {
		var found []string
		err := i.store.db.WithContext(ctx).Raw("SELECT k FROM (SELECT "+key+" AS k FROM "+table+" WHERE "+key+` IN ?) t WHERE NOT EXISTS
			(SELECT 1 FROM imports i WHERE i.source = ? AND i.kind = ? AND i.source_id = t.k) ORDER BY k`, part, i.source, string(kind)).Scan(&found).Error
		taken = append(taken, found...)
		return sqlstore.Translate(err, "imports")
	})
	return taken, err
}

// foreign is the refusal of something whose id is taken.
func foreign(kind Kind, id string) error {
	return apperror.New(apperror.AlreadyExists, "The %s %s exists here and was not imported from there; nothing of it was changed.", kind, id)
}

// PutExperiment writes an experiment and returns its id here: the same if that is free, else a new one. One that has the name of an experiment
// here, such as Default, is merged into that, which takes only the tags that it lacks. Codes: AlreadyExists, FailedPrecondition (gc is removing it).
func (i *Import) PutExperiment(ctx context.Context, e experiment.Experiment) (id string, merged bool, err error) {
	hash, err := fingerprint(e)
	if err != nil {
		return "", false, err
	}
	err = i.store.inTx(ctx, func(tx *gorm.DB, now int64) error {
		seen, err := i.seen(tx, Experiment, e.ID)
		if err != nil {
			return err
		}
		row, found, isNew, err := i.place(tx, e, seen)
		if err != nil {
			return err
		}
		id, merged = row.domain(nil).ID, found
		switch {
		case isNew || merged && (seen == nil || seen.Fingerprint != hash):
			err = addExperimentTags(tx, row.ID, e.Tags)
		case seen.Fingerprint == hash:
			return nil
		default:
			if err = checkNotGarbage(tx, Experiment, id); err == nil {
				err = updateExperiment(tx, row.ID, e)
			}
		}
		if err != nil {
			return err
		}
		return i.note(tx, Experiment, e.ID, id, hash, merged, now)
	})
	return id, merged, err
}

// place finds or makes the row of an experiment.
func (i *Import) place(tx *gorm.DB, e experiment.Experiment, seen *importRow) (row experimentRow, merged, isNew bool, err error) {
	if seen != nil {
		row, err = findExperiment(tx, seen.LocalID)
		if err == nil || apperror.CodeOf(err) != apperror.NotFound {
			return row, seen.Merged, false, err
		}
	}
	err = tx.Where("name = ?", e.Name).Take(&row).Error
	if err == nil || !errors.Is(err, gorm.ErrRecordNotFound) {
		return row, true, false, sqlstore.Translate(err, "experiment "+e.Name)
	}
	row, err = i.store.newExperiment(tx, e)
	return row, false, true, err
}

// greatestID bounds the ids of experiments that are kept, so that numbers are left for new ones.
const greatestID = 1 << 62

// newExperiment makes the row of an experiment, under its own id if that is free.
func (s *Store) newExperiment(tx *gorm.DB, e experiment.Experiment) (experimentRow, error) {
	row := experimentRow{Name: e.Name, LifecycleStage: string(e.LifecycleStage), CreationTime: e.CreationTime, LastUpdateTime: e.LastUpdateTime}
	if id, err := parseExperimentID(e.ID); err == nil && id > 0 && id < greatestID {
		if sqlstore.EngineOf(tx) == sqlstore.Postgres { // nobody takes a number while we do
			if err := tx.Exec("LOCK TABLE experiments IN SHARE ROW EXCLUSIVE MODE").Error; err != nil {
				return row, sqlstore.Translate(err, "experiments")
			}
		}
		var taken int64
		if err := tx.Model(&experimentRow{}).Where("id = ?", id).Count(&taken).Error; err != nil {
			return row, sqlstore.Translate(err, "experiments")
		}
		if taken == 0 {
			row.ID = id
		}
	}
	kept := row.ID != 0
	if err := tx.Create(&row).Error; err != nil {
		return row, sqlstore.Translate(err, "experiment "+e.Name)
	}
	if kept && sqlstore.EngineOf(tx) == sqlstore.Postgres { // SQLite does it by itself
		err := tx.Exec(`SELECT setval(s.name, ?) FROM (SELECT pg_get_serial_sequence('experiments', 'id') AS name) s
			WHERE ? > COALESCE((SELECT last_value FROM pg_sequences WHERE format('%I.%I', schemaname, sequencename) = s.name), 0)`, row.ID, row.ID).Error
		if err != nil {
			return row, sqlstore.Translate(err, "experiments")
		}
	}
	row.ArtifactLocation = s.location(row.ID)
	return row, sqlstore.Translate(tx.Model(&experimentRow{}).Where("id = ?", row.ID).Update("artifact_location", row.ArtifactLocation).Error, "experiment "+e.Name)
}

// addExperimentTags adds the tags that are missing.
func addExperimentTags(tx *gorm.DB, id int64, tags []experiment.Tag) error {
	for _, t := range lastTags(tags) {
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&experimentTagRow{id, t.Key, t.Value}).Error; err != nil {
			return sqlstore.Translate(err, "experiment tags")
		}
	}
	return nil
}

func updateExperiment(tx *gorm.DB, id int64, e experiment.Experiment) error {
	err := tx.Model(&experimentRow{}).Where("id = ?", id).Updates(map[string]any{
		"name": e.Name, "lifecycle_stage": string(e.LifecycleStage), "last_update_time": e.LastUpdateTime,
	}).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return apperror.Wrap(apperror.AlreadyExists, err, "Experiment(name=%s) already exists.", e.Name)
	}
	if err != nil {
		return sqlstore.Translate(err, "experiment "+e.Name)
	}
	return setExperimentTags(tx, id, e.Tags)
}

// importer is who moved what came from the source, as the audit trail names it.
func (i *Import) importer(ctx context.Context) context.Context {
	return registry.WithActor(ctx, registry.Actor{Via: registry.ViaImport, Address: i.source, Agent: "tasador import-mlflow"})
}
