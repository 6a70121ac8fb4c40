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

// CreateModel stores a registered model.
func (s *Store) CreateModel(ctx context.Context, name, description string, tags []experiment.Tag) (*registry.Model, error) {
	if err := registry.CheckName(name); err != nil {
		return nil, err
	}
	if err := checkRegistryTags(tags); err != nil {
		return nil, err
	}
	err := s.inTx(ctx, func(tx *gorm.DB, now int64) error {
		row := modelRow{Name: name, Description: description, CreationTime: now, LastUpdateTime: now}
		if err := tx.Create(&row).Error; err != nil {
			return modelTaken(err, name)
		}
		return setModelTags(tx, row.ID, tags)
	})
	if apperror.CodeOf(err) == apperror.AlreadyExists {
		return nil, s.nameTaken(ctx, err, name, slices.Contains(tags, isPrompt()))
	}
	if err != nil {
		return nil, err
	}
	return s.Model(ctx, name)
}

// nameTaken says of which kind the owner of a name is, as models and prompts share their names.
func (s *Store) nameTaken(ctx context.Context, cause error, name string, prompt bool) error {
	owner, err := s.Model(ctx, name)
	if err != nil {
		return cause
	}
	kinds := map[bool]string{false: "registered model", true: "prompt"}
	ownerIsPrompt := slices.Contains(owner.Tags, isPrompt())
	switch {
	case ownerIsPrompt != prompt:
		return apperror.Wrap(apperror.AlreadyExists, cause, "Tried to create a %s with name '%s', but the name is already taken by a %s. "+
			"MLflow does not allow creating a model and a prompt with the same name.", kinds[prompt], name, kinds[ownerIsPrompt])
	case prompt:
		return apperror.Wrap(apperror.AlreadyExists, cause, "Prompt (name=%s) already exists.", name)
	}
	return cause
}

func modelTaken(err error, name string) error {
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return apperror.Wrap(apperror.AlreadyExists, err, "Registered Model (name=%s) already exists.", name)
	}
	return sqlstore.Translate(err, "registered model "+name)
}

func checkRegistryTags(tags []experiment.Tag) error {
	for _, t := range tags {
		if err := registry.CheckTag(t); err != nil {
			return err
		}
	}
	return nil
}

func setModelTags(tx *gorm.DB, id int64, tags []experiment.Tag) error {
	row := func(t experiment.Tag) modelTagRow { return modelTagRow{id, t.Key, t.Value} }
	return putTags(tx, tags, row, "tags of a registered model", "model_id", "key")
}

// findModel returns the row of a registered model. Codes: Invalid, NotFound.
func findModel(db *gorm.DB, name string) (modelRow, error) {
	if err := registry.CheckName(name); err != nil {
		return modelRow{}, err
	}
	var row modelRow
	err := db.Where("name = ?", name).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, apperror.Wrap(apperror.NotFound, err, "Registered Model with name=%s not found", name)
	}
	return row, sqlstore.Translate(err, "registered model "+name)
}

// Model returns a registered model.
func (s *Store) Model(ctx context.Context, name string) (*registry.Model, error) {
	row, err := findModel(s.db.WithContext(ctx), name)
	if err != nil {
		return nil, err
	}
	list, err := s.loadModels(ctx, []modelRow{row})
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

func (s *Store) loadModels(ctx context.Context, rows []modelRow) ([]registry.Model, error) {
	models := make([]registry.Model, len(rows))
	byID := make(map[int64]*registry.Model, len(rows))
	ids := make([]int64, len(rows))
	for i, r := range rows {
		models[i] = registry.Model{
			Name: r.Name, Description: r.Description, CreationTimestamp: r.CreationTime, LastUpdatedTimestamp: r.LastUpdateTime,
		}
		ids[i], byID[r.ID] = r.ID, &models[i]
	}
	var latest []versionRow
	err := inChunks(ids, func(part []int64) error {
		db := s.db.WithContext(ctx)
		of := db.Where("model_id IN ?", part).Session(&gorm.Session{})
		return sqlstore.Translate(errors.Join(
			each(of.Order("model_id, key"), func(r modelTagRow) {
				byID[r.ModelID].Tags = append(byID[r.ModelID].Tags, experiment.Tag{Key: r.Key, Value: r.Value})
			}),
			each(of.Order("model_id, alias"), func(r aliasRow) {
				byID[r.ModelID].Aliases = append(byID[r.ModelID].Aliases, registry.Alias{Name: r.Alias, Version: strconv.FormatInt(r.Version, 10)})
			}),
			each(latestOf(db, part), func(r versionRow) { latest = append(latest, r) }),
		), "registered models")
	})
	if err != nil {
		return nil, err
	}
	versions, err := s.loadVersions(ctx, latest)
	for i, v := range versions {
		m := byID[latest[i].ModelID]
		m.LatestVersions = append(m.LatestVersions, v)
	}
	return models, err
}

// UpdateModel changes the description.
func (s *Store) UpdateModel(ctx context.Context, name, description string) (*registry.Model, error) {
	err := s.changeModel(ctx, name, func(tx *gorm.DB, row modelRow, now int64) error {
		return tx.Model(&modelRow{}).Where("id = ?", row.ID).Updates(map[string]any{"description": description, "last_update_time": now}).Error
	})
	if err != nil {
		return nil, err
	}
	return s.Model(ctx, name)
}

// RenameModel changes the name; the versions follow, because they refer to the model by its id.
func (s *Store) RenameModel(ctx context.Context, name, newName string) (*registry.Model, error) {
	if newName == "" {
		return nil, experiment.MissingValue("new_name")
	}
	if err := registry.CheckName(newName); err != nil {
		return nil, err
	}
	err := s.changeModel(ctx, name, func(tx *gorm.DB, row modelRow, now int64) error {
		err := tx.Model(&modelRow{}).Where("id = ?", row.ID).Updates(map[string]any{"name": newName, "last_update_time": now}).Error
		if err != nil {
			return modelTaken(err, newName)
		}
		if err := tx.Model(&versionRow{}).Where("model_id = ?", row.ID).Update("last_update_time", now).Error; err != nil || newName == row.Name {
			return err
		}
		return record(tx, row.ID, now, registry.Move{Matter: registry.NameMatter, From: row.Name, To: newName})
	})
	if err != nil {
		return nil, err
	}
	return s.Model(ctx, newName)
}

// changeModel runs change on a model that exists, in one transaction. Changes of one model and its versions take turns.
func (s *Store) changeModel(ctx context.Context, name string, change func(tx *gorm.DB, row modelRow, now int64) error) error {
	return s.inTx(ctx, func(tx *gorm.DB, now int64) error {
		row, err := findModel(locked(tx), name)
		if err != nil {
			return err
		}
		err = change(tx, row, now)
		if apperror.CodeOf(err) == apperror.Internal {
			return sqlstore.Translate(err, "registered model "+name)
		}
		return err
	})
}

// DeleteModel removes a model with all its versions.
func (s *Store) DeleteModel(ctx context.Context, name string) error {
	return s.changeModel(ctx, name, func(tx *gorm.DB, row modelRow, now int64) error {
		if err := recordGone(tx, row.ID, 0, now); err != nil {
			return err
		}
		if err := record(tx, row.ID, now, registry.Move{Matter: registry.NameMatter, From: row.Name}); err != nil {
			return err
		}
		for _, table := range []any{&aliasRow{}, &versionTagRow{}, &versionRow{}, &modelTagRow{}} {
			if err := tx.Where("model_id = ?", row.ID).Delete(table).Error; err != nil {
				return err
			}
		}
		return tx.Where("id = ?", row.ID).Delete(&modelRow{}).Error
	})
}

// SetModelTag sets or replaces a tag.
func (s *Store) SetModelTag(ctx context.Context, name string, t experiment.Tag) error {
	if err := registry.CheckTag(t); err != nil {
		return err
	}
	return s.changeModel(ctx, name, func(tx *gorm.DB, row modelRow, _ int64) error {
		return setModelTags(tx, row.ID, []experiment.Tag{t})
	})
}

// DeleteModelTag removes a tag and is content if it is missing.
func (s *Store) DeleteModelTag(ctx context.Context, name, key string) error {
	if err := experiment.CheckKey("key", key); err != nil {
		return err
	}
	return s.changeModel(ctx, name, func(tx *gorm.DB, row modelRow, _ int64) error {
		return tx.Where("model_id = ? AND key = ?", row.ID, key).Delete(&modelTagRow{}).Error
	})
}

// promptTag marks registered models that are prompts; searches leave those out unless they ask for them.
const promptTag = "mlflow.prompt.is_prompt"

func isPrompt() experiment.Tag { return experiment.Tag{Key: promptTag, Value: "true"} }

// hidePrompts takes the conditions on promptTag out of a filter and reports whether prompts are to be left out.
func hidePrompts(list []filter.Comparison) (rest []filter.Comparison, hide bool) {
	hide = true
	for _, c := range list {
		if c.Entity != filter.Tag || c.Key != promptTag {
			rest = append(rest, c)
			continue
		}
		if (c.Op == filter.Equal && c.Text == "true") || (c.Op == filter.NotEqual && c.Text == "false") {
			hide, rest = false, append(rest, c)
		}
	}
	return rest, hide
}

const notPrompt = "NOT EXISTS (SELECT 1 FROM registered_model_tags p WHERE p.model_id = registered_models.id AND p.key = ? AND p.value = ?)"

// SearchModels returns one page, by name unless ordered otherwise.
func (s *Store) SearchModels(ctx context.Context, q experiment.Search) (experiment.Page[registry.Model], error) {
	return search(ctx, s, q, searching[modelRow, registry.Model]{
		target: modelsTarget, rules: filter.Models(), standard: 100, most: 1000, order: []sortKey{{"registered_models.name", text, false}}, load: s.loadModels,
	})
}
