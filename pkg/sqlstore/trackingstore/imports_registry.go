package trackingstore

import (
	"context"
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/apperror"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore"
)

// PutModel writes a registered model with its tags, without versions and aliases. Codes: Invalid (the name cannot be kept), AlreadyExists.
func (i *Import) PutModel(ctx context.Context, m registry.Model) error {
	m.LatestVersions, m.Aliases = nil, nil
	// Its time moves with its versions, too, and is none of what makes it another one.
	changed := m.LastUpdatedTimestamp
	m.LastUpdatedTimestamp = 0
	hash, err := fingerprint(m)
	if err != nil {
		return err
	}
	return i.store.inTx(ctx, func(tx *gorm.DB, now int64) error {
		seen, err := i.seen(tx, RegisteredModel, m.Name)
		if err != nil {
			return err
		}
		row, err := findModel(locked(tx), m.Name)
		switch {
		case apperror.CodeOf(err) == apperror.NotFound:
			row = modelRow{Name: m.Name, Description: m.Description, CreationTime: m.CreationTimestamp, LastUpdateTime: changed}
			if err = sqlstore.Translate(tx.Create(&row).Error, "registered model "+m.Name); err == nil && seen != nil {
				err = i.forgetAliases(tx, m.Name)
			}
		case err != nil:
		case seen == nil:
			err = foreign(RegisteredModel, m.Name)
		case seen.Fingerprint == hash:
			// Its versions may have changed.
			return sqlstore.Translate(tx.Model(&modelRow{}).Where("id = ? AND last_update_time < ?", row.ID, changed).Update("last_update_time", changed).Error,
				"registered model "+m.Name)
		default:
			err = tx.Model(&modelRow{}).Where("id = ?", row.ID).Updates(map[string]any{"description": m.Description, "last_update_time": changed}).Error
		}
		if err == nil {
			err = setModelTags(tx, row.ID, m.Tags)
		}
		if err != nil {
			return err
		}
		return i.note(tx, RegisteredModel, m.Name, m.Name, hash, false, now)
	})
}

// forgetAliases lets the aliases of a model that was deleted here come again with it.
func (i *Import) forgetAliases(tx *gorm.DB, name string) error {
	prefix := name + "/"
	return sqlstore.Translate(tx.Where("source = ? AND kind = ? AND substr(source_id, 1, length(?)) = ?", i.source, string(Alias), prefix, prefix).
		Delete(&importRow{}).Error, "imports")
}

// VersionID is how imports name a version.
func VersionID(name, version string) string { return name + "/" + version }

// PutVersion writes a version of a model that was imported, under its number and in its stage, with its tags. Its source is as it is to be
// here, and location is where its files are. The audit trail tells that it came, and later that it was moved there. fingerprintOf is the version as it
// is there. Codes: NotFound (model), AlreadyExists.
func (i *Import) PutVersion(ctx context.Context, v registry.Version, location string, fingerprintOf registry.Version) error {
	fingerprintOf.Aliases = nil
	hash, err := fingerprint(fingerprintOf)
	if err != nil {
		return err
	}
	number, err := registry.ParseVersion(v.Version)
	if err != nil {
		return err
	}
	id := VersionID(v.Name, v.Version)
	return i.store.inTx(i.importer(ctx), func(tx *gorm.DB, now int64) error {
		seen, err := i.seen(tx, Version, id)
		if err != nil {
			return err
		}
		model, err := findModel(locked(tx), v.Name)
		if err != nil {
			return err
		}
		var have []versionRow
		if err := tx.Where("model_id = ? AND version = ?", model.ID, number).Limit(1).Find(&have).Error; err != nil {
			return sqlstore.Translate(err, "version "+id)
		}
		row := versionRow{
			ModelID: model.ID, Version: number, Stage: string(v.Stage), Description: v.Description, Source: v.Source, StorageLocation: location,
			RunID: v.RunID, LoggedModelID: v.ModelID, CreationTime: v.CreationTimestamp, LastUpdateTime: v.LastUpdatedTimestamp,
		}
		switch {
		case len(have) == 0:
			err = createImportedVersion(tx, row, now)
		case seen == nil:
			err = foreign(Version, id)
		case seen.Fingerprint == hash || have[0].Stage == stageDeleted: // a version that was deleted here stays so
			return nil
		default:
			err = changeImportedVersion(tx, have[0], row, now)
		}
		if err == nil {
			err = setVersionTags(tx, row, v.Tags)
		}
		if err != nil {
			return err
		}
		return i.note(tx, Version, id, id, hash, false, now)
	})
}

func createImportedVersion(tx *gorm.DB, row versionRow, now int64) error {
	if err := tx.Create(&row).Error; err != nil {
		return sqlstore.Translate(err, "version "+strconv.FormatInt(row.Version, 10))
	}
	return record(tx, row.ModelID, now, registry.Move{Matter: registry.StageMatter, Version: strconv.FormatInt(row.Version, 10), To: row.Stage})
}

func changeImportedVersion(tx *gorm.DB, have, row versionRow, now int64) error {
	err := versionOf(tx, have).Updates(map[string]any{
		"stage": row.Stage, "description": row.Description, "last_update_time": row.LastUpdateTime, "source": row.Source,
		"storage_location": row.StorageLocation, "run_id": row.RunID, "logged_model_id": row.LoggedModelID,
	}).Error
	if err != nil {
		return sqlstore.Translate(err, "version "+strconv.FormatInt(row.Version, 10))
	}
	if have.Stage == row.Stage {
		return nil
	}
	return record(tx, row.ModelID, now, stageMove(have, registry.Stage(row.Stage)))
}

// PutAliases lets the aliases of a model that was imported name the versions that they name there, where they have moved since they were imported. One whose
// version is not here is left out. Codes: NotFound (model).
func (i *Import) PutAliases(ctx context.Context, name string, aliases []registry.Alias) error {
	return i.store.inTx(i.importer(ctx), func(tx *gorm.DB, now int64) error {
		model, err := findModel(locked(tx), name)
		if err != nil {
			return err
		}
		for _, a := range aliases {
			if err := i.putAlias(tx, model, a, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func (i *Import) putAlias(tx *gorm.DB, model modelRow, a registry.Alias, now int64) error {
	id := model.Name + "/" + a.Name
	seen, err := i.seen(tx, Alias, id)
	if err != nil || seen != nil && seen.Fingerprint == a.Version {
		return err
	}
	version, err := findVersion(tx, model, a.Version)
	if apperror.CodeOf(err) == apperror.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	var before aliasRow // without a version if there is none
	if err := tx.Where("model_id = ? AND alias = ?", model.ID, a.Name).Limit(1).Find(&before).Error; err != nil {
		return sqlstore.Translate(err, "aliases of "+model.Name)
	}
	if before.Version != version.Version {
		put := clause.OnConflict{Columns: []clause.Column{{Name: "model_id"}, {Name: "alias"}}, DoUpdates: clause.AssignmentColumns([]string{"version"})}
		if err := tx.Clauses(put).Create(&aliasRow{ModelID: model.ID, Alias: a.Name, Version: version.Version}).Error; err != nil {
			return sqlstore.Translate(err, "aliases of "+model.Name)
		}
		if err := record(tx, model.ID, now, aliasMove(a.Name, before.Version, version.Version)); err != nil {
			return err
		}
	}
	return i.note(tx, Alias, id, id, a.Version, false, now)
}
