package trackingstore

import (
	"context"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/registry"
)

// Agree sees what a change would move, before anything is. An error from it leaves everything as it is and is what the change returns.
// It may be asked again for the same change, when the database begins a transaction anew.
type Agree func(moves []registry.Move) error

func (a Agree) ask(moves []registry.Move) error {
	if a == nil {
		return nil
	}
	return a(moves)
}

// MoveStage is TransitionStage that asks before it does. Codes: Invalid, NotFound.
func (s *Store) MoveStage(
	ctx context.Context, name, version string, to registry.Stage, archiveExisting bool, agree Agree,
) (*registry.Version, error) {
	to, err := registry.ParseStage(string(to))
	if err != nil {
		return nil, err
	}
	if archiveExisting && to != registry.Staging && to != registry.Production {
		return nil, apperror.New(apperror.Invalid, "Model version transition cannot archive existing model versions because '%s' is not an "+
			"Active stage. Valid stages are ['Staging', 'Production']", to)
	}
	return s.changeVersion(ctx, name, version, func(tx *gorm.DB, row versionRow, now int64) error {
		moves, err := planStage(tx, row, to, archiveExisting)
		if err != nil {
			return err
		}
		if err := agree.ask(moves); err != nil {
			return err
		}
		if archiveExisting {
			err := others(tx.Model(&versionRow{}), row, to).Updates(map[string]any{"stage": string(registry.Archived), "last_update_time": now}).Error
			if err != nil {
				return err
			}
		}
		if err := versionOf(tx, row).Updates(map[string]any{"stage": string(to), "last_update_time": now}).Error; err != nil {
			return err
		}
		if err := tx.Model(&modelRow{}).Where("id = ?", row.ModelID).Update("last_update_time", now).Error; err != nil {
			return err
		}
		return record(tx, row.ModelID, now, moves...)
	})
}

// TransitionStage moves a version; archiveExisting archives the other versions of the target stage, in the same transaction.
func (s *Store) TransitionStage(ctx context.Context, name, version string, to registry.Stage, archiveExisting bool) (*registry.Version, error) {
	return s.MoveStage(ctx, name, version, to, archiveExisting, nil)
}

// others are the versions in a stage beside one.
func others(query *gorm.DB, row versionRow, stage registry.Stage) *gorm.DB {
	return query.Where("model_id = ? AND version <> ? AND stage = ?", row.ModelID, row.Version, string(stage))
}

// planStage returns what a move to a stage moves: the versions that make room, and the version itself unless it is there.
func planStage(tx *gorm.DB, row versionRow, to registry.Stage, archiveExisting bool) ([]registry.Move, error) {
	var moves []registry.Move
	if archiveExisting {
		var inTheWay []versionRow
		if err := others(tx, row, to).Order("version").Find(&inTheWay).Error; err != nil {
			return nil, err
		}
		for _, v := range inTheWay {
			moves = append(moves, stageMove(v, registry.Archived))
		}
	}
	if row.Stage != string(to) {
		moves = append(moves, stageMove(row, to))
	}
	return moves, nil
}

// MoveAlias lets an alias name a version, or none if version is empty, and asks before it does. Codes: Invalid, NotFound.
func (s *Store) MoveAlias(ctx context.Context, name, alias, version string, agree Agree) error {
	if err := registry.CheckAlias(alias, version != ""); err != nil {
		return err
	}
	return s.changeModel(ctx, name, func(tx *gorm.DB, row modelRow, now int64) error {
		var to int64
		if version != "" {
			v, err := findVersion(tx, row, version)
			if err != nil {
				return err
			}
			to = v.Version
		}
		var before aliasRow // without a version if there is none
		if err := tx.Where("model_id = ? AND alias = ?", row.ID, alias).Limit(1).Find(&before).Error; err != nil {
			return err
		}
		var moves []registry.Move
		if before.Version != to {
			moves = append(moves, aliasMove(alias, before.Version, to))
		}
		if err := agree.ask(moves); err != nil || len(moves) == 0 {
			return err
		}
		if err := tx.Where("model_id = ? AND alias = ?", row.ID, alias).Delete(&aliasRow{}).Error; err != nil {
			return err
		}
		if to != 0 {
			if err := tx.Create(&aliasRow{ModelID: row.ID, Alias: alias, Version: to}).Error; err != nil {
				return err
			}
		}
		return record(tx, row.ID, now, moves...)
	})
}

// SetAlias moves an alias to a version.
func (s *Store) SetAlias(ctx context.Context, name, alias, version string) error {
	if version == "" {
		_, err := registry.ParseVersion(version)
		return err
	}
	return s.MoveAlias(ctx, name, alias, version, nil)
}

// DeleteAlias removes an alias and is content if it is missing.
func (s *Store) DeleteAlias(ctx context.Context, name, alias string) error {
	return s.MoveAlias(ctx, name, alias, "", nil)
}
