package trackingstore

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/experiment/filter"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore"
)

// stageDeleted marks deleted versions; no client sees it.
const (
	stageDeleted = "Deleted_Internal"
	redacted     = "REDACTED"
	statusReady  = "READY"
)

func versionMissing(name, version string) error {
	return apperror.New(apperror.NotFound, "Model Version (name=%s, version=%s) not found", name, version)
}

// findVersion returns the row of a version that is not deleted. Codes: Invalid, NotFound.
func findVersion(db *gorm.DB, model modelRow, version string) (versionRow, error) {
	n, err := registry.ParseVersion(version)
	if err != nil {
		return versionRow{}, err
	}
	var row versionRow
	err = db.Where("model_id = ? AND version = ? AND stage <> ?", model.ID, n, stageDeleted).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, versionMissing(model.Name, version)
	}
	return row, sqlstore.Translate(err, "version "+version+" of "+model.Name)
}

// latestOf asks for the newest version of each stage of some models, in the order of the models and of the versions.
func latestOf(db *gorm.DB, models []int64) *gorm.DB {
	newest := db.Model(&versionRow{}).Select("model_id, MAX(version) AS version").
		Where("model_id IN ? AND stage <> ?", models, stageDeleted).Group("model_id, stage")
	return db.Select("model_versions.*").Joins("JOIN (?) n ON n.model_id = model_versions.model_id AND n.version = model_versions.version", newest).
		Order("model_versions.model_id, model_versions.version")
}

type versionKey struct{ model, version int64 }

// loadVersions reads names, tags and aliases of versions, in the order of rows.
func (s *Store) loadVersions(ctx context.Context, rows []versionRow) ([]registry.Version, error) {
	versions := make([]registry.Version, len(rows))
	at := make(map[versionKey]*registry.Version, len(rows))
	var models []int64
	for i, r := range rows {
		versions[i] = registry.Version{
			Version: strconv.FormatInt(r.Version, 10), Stage: registry.Stage(r.Stage), Description: r.Description, Source: r.Source,
			RunID: r.RunID, ModelID: r.LoggedModelID, Status: statusReady, CreationTimestamp: r.CreationTime, LastUpdatedTimestamp: r.LastUpdateTime,
		}
		at[versionKey{r.ModelID, r.Version}] = &versions[i]
		models = append(models, r.ModelID)
	}
	slices.Sort(models)
	names := map[int64]string{}
	err := inChunks(slices.Compact(models), func(part []int64) error {
		db := s.db.WithContext(ctx)
		of := db.Where("model_id IN ?", part).Session(&gorm.Session{})
		return sqlstore.Translate(errors.Join(
			each(db.Where("id IN ?", part), func(r modelRow) { names[r.ID] = r.Name }),
			each(of.Order("model_id, version, key"), func(r versionTagRow) {
				if v := at[versionKey{r.ModelID, r.Version}]; v != nil {
					v.Tags = append(v.Tags, experiment.Tag{Key: r.Key, Value: r.Value})
				}
			}),
			each(of.Order("model_id, alias"), func(r aliasRow) {
				if v := at[versionKey{r.ModelID, r.Version}]; v != nil {
					v.Aliases = append(v.Aliases, r.Alias)
				}
			}),
		), "model versions")
	})
	for i, r := range rows {
		versions[i].Name = names[r.ModelID]
	}
	return versions, err
}

func (s *Store) loadVersion(ctx context.Context, row versionRow) (*registry.Version, error) {
	list, err := s.loadVersions(ctx, []versionRow{row})
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

// versionByName returns the row of a version that is not deleted. Codes: Invalid, NotFound.
func versionByName(db *gorm.DB, name, version string) (versionRow, error) {
	model, err := findModel(db, name)
	return versionOfModel(db, model, err, name, version)
}

// lockedVersion is versionByName for a change: other changes of the model and its versions wait. Codes: Invalid, NotFound.
func lockedVersion(tx *gorm.DB, name, version string) (versionRow, error) {
	model, err := findModel(locked(tx), name)
	return versionOfModel(tx, model, err, name, version)
}

func versionOfModel(db *gorm.DB, model modelRow, err error, name, version string) (versionRow, error) {
	if apperror.CodeOf(err) == apperror.NotFound {
		err = versionMissing(name, version)
	}
	if err != nil {
		return versionRow{}, err
	}
	return findVersion(db, model, version)
}

// Version returns one.
func (s *Store) Version(ctx context.Context, name, version string) (*registry.Version, error) {
	row, err := versionByName(s.db.WithContext(ctx), name, version)
	if err != nil {
		return nil, err
	}
	return s.loadVersion(ctx, row)
}

// VersionByAlias returns the version that an alias names; latest names the newest one.
func (s *Store) VersionByAlias(ctx context.Context, name, alias string) (*registry.Version, error) {
	if err := registry.CheckAlias(alias, false); err != nil {
		return nil, err
	}
	db := s.db.WithContext(ctx)
	model, err := findModel(db, name)
	if err != nil {
		return nil, err
	}
	var row versionRow
	if registry.IsLatest(alias) {
		err = db.Where("model_id = ? AND stage <> ?", model.ID, stageDeleted).Order("version DESC").Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil, apperror.Wrap(apperror.NotFound, err, "Latest version not found for model %s.", name)
		}
	} else {
		err = db.Select("model_versions.*").Joins("JOIN model_aliases a ON a.model_id = model_versions.model_id AND a.version = model_versions.version").
			Where("a.model_id = ? AND a.alias = ?", model.ID, alias).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil, apperror.Wrap(apperror.Invalid, err, "Registered model alias %s not found.", alias)
		}
	}
	if err != nil {
		return nil, sqlstore.Translate(err, "alias "+alias)
	}
	return s.loadVersion(ctx, row)
}

// LatestVersions returns the newest version of each stage asked for; of every stage if none is.
func (s *Store) LatestVersions(ctx context.Context, name string, stages []registry.Stage) ([]registry.Version, error) {
	wanted := registry.Stages()
	if len(stages) > 0 {
		wanted = nil
	}
	for _, text := range stages {
		stage, err := registry.ParseStage(string(text))
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, stage)
	}
	model, err := s.Model(ctx, name)
	if err != nil {
		return nil, err
	}
	var out []registry.Version
	for _, v := range model.LatestVersions {
		if slices.Contains(wanted, v.Stage) {
			out = append(out, v)
		}
	}
	return out, nil
}

// UpdateVersion changes the description.
func (s *Store) UpdateVersion(ctx context.Context, name, version, description string) (*registry.Version, error) {
	return s.changeVersion(ctx, name, version, func(tx *gorm.DB, row versionRow, now int64) error {
		return versionOf(tx, row).Updates(map[string]any{"description": description, "last_update_time": now}).Error
	})
}

func versionOf(tx *gorm.DB, row versionRow) *gorm.DB {
	return tx.Model(&versionRow{}).Where("model_id = ? AND version = ?", row.ModelID, row.Version)
}

// changeVersion runs change on a version that exists, in one transaction, and returns the version as it is then.
func (s *Store) changeVersion(ctx context.Context, name, version string, change func(tx *gorm.DB, row versionRow, now int64) error) (*registry.Version, error) {
	err := s.inTx(ctx, func(tx *gorm.DB, now int64) error {
		row, err := lockedVersion(tx, name, version)
		if err != nil {
			return err
		}
		return sqlstore.Translate(change(tx, row, now), "version "+version+" of "+name)
	})
	if err != nil {
		return nil, err
	}
	return s.Version(ctx, name, version)
}

// DeleteVersion removes a version. Its row stays, redacted, so that the number is not given again.
func (s *Store) DeleteVersion(ctx context.Context, name, version string) error {
	return s.inTx(ctx, func(tx *gorm.DB, now int64) error {
		row, err := lockedVersion(tx, name, version)
		if err != nil {
			return err
		}
		of := tx.Where("model_id = ? AND version = ?", row.ModelID, row.Version).Session(&gorm.Session{})
		err = errors.Join(
			recordGone(tx, row.ModelID, row.Version, now),
			of.Delete(&aliasRow{}).Error,
			of.Delete(&versionTagRow{}).Error,
			versionOf(tx, row).Updates(map[string]any{
				"stage": stageDeleted, "source": redacted, "storage_location": redacted, "run_id": "", "logged_model_id": "",
				"description": "", "last_update_time": now,
			}).Error,
			tx.Model(&modelRow{}).Where("id = ?", row.ModelID).Update("last_update_time", now).Error,
		)
		return sqlstore.Translate(err, "version "+version+" of "+name)
	})
}

// DownloadURI returns where the version's files are.
func (s *Store) DownloadURI(ctx context.Context, name, version string) (string, error) {
	row, err := versionByName(s.db.WithContext(ctx), name, version)
	return row.StorageLocation, err
}

// SetVersionTag sets or replaces a tag.
func (s *Store) SetVersionTag(ctx context.Context, name, version string, t experiment.Tag) error {
	if err := registry.CheckTag(t); err != nil {
		return err
	}
	_, err := s.changeVersion(ctx, name, version, func(tx *gorm.DB, row versionRow, _ int64) error {
		return setVersionTags(tx, row, []experiment.Tag{t})
	})
	return err
}

func setVersionTags(tx *gorm.DB, v versionRow, tags []experiment.Tag) error {
	row := func(t experiment.Tag) versionTagRow { return versionTagRow{v.ModelID, v.Version, t.Key, t.Value} }
	return putTags(tx, tags, row, "tags of a model version", "model_id", "version", "key")
}

// DeleteVersionTag removes a tag and is content if it is missing.
func (s *Store) DeleteVersionTag(ctx context.Context, name, version, key string) error {
	if err := experiment.CheckKey("key", key); err != nil {
		return err
	}
	_, err := s.changeVersion(ctx, name, version, func(tx *gorm.DB, row versionRow, _ int64) error {
		return tx.Where("model_id = ? AND version = ? AND key = ?", row.ModelID, row.Version, key).Delete(&versionTagRow{}).Error
	})
	return err
}

// SearchVersions returns one page, the last changed first unless ordered otherwise.
func (s *Store) SearchVersions(ctx context.Context, q experiment.Search) (experiment.Page[registry.Version], error) {
	with := searching[versionRow, registry.Version]{
		target: versionsTarget, rules: filter.Versions(), standard: 10_000, most: 200_000,
		narrow: func(query *gorm.DB) (*gorm.DB, error) {
			return query.Where("model_versions.stage <> ?", stageDeleted), nil
		},
		order: []sortKey{{"registered_models.name", text, false}, {"model_versions.version", whole, true}}, load: s.loadVersions,
	}
	if len(q.OrderBy) == 0 {
		with.order = append([]sortKey{{"model_versions.last_update_time", whole, true}}, with.order...)
	}
	return search(ctx, s, q, with)
}
