package trackingstore

import (
	"context"
	"strconv"

	"gorm.io/gorm"

	"tasador/pkg/registry"
	"tasador/pkg/sqlstore"
)

// moveRow is one entry of the audit trail.
type moveRow struct {
	ID                            int64 `gorm:"primaryKey"`
	ModelID                       int64
	At                            int64
	Matter                        string
	Version                       int64 // 0 if the matter is no version's
	Alias                         string
	FromValue, ToValue            string
	Via, Address, Agent, UserName string
	Verified                      bool
}

func (moveRow) TableName() string { return "model_moves" }

func (r moveRow) domain() registry.Move {
	m := registry.Move{
		ID: r.ID, At: r.At, Matter: registry.Matter(r.Matter), Alias: r.Alias, From: r.FromValue, To: r.ToValue,
		By: registry.Actor{Via: registry.Via(r.Via), Address: r.Address, Agent: r.Agent, User: r.UserName, Verified: r.Verified},
	}
	if r.Version != 0 {
		m.Version = strconv.FormatInt(r.Version, 10)
	}
	return m
}

func stageMove(v versionRow, to registry.Stage) registry.Move {
	return registry.Move{Matter: registry.StageMatter, Version: strconv.FormatInt(v.Version, 10), From: v.Stage, To: string(to)}
}

// aliasMove is the move of an alias; version 0 is none.
func aliasMove(alias string, from, to int64) registry.Move {
	text := func(version int64) string {
		if version == 0 {
			return ""
		}
		return strconv.FormatInt(version, 10)
	}
	return registry.Move{Matter: registry.AliasMatter, Alias: alias, From: text(from), To: text(to)}
}

// record keeps moves of a model in the transaction that makes them: no change without its entry, no entry without its change.
func record(tx *gorm.DB, modelID, now int64, moves ...registry.Move) error {
	by := registry.ActorOf(tx.Statement.Context)
	rows := make([]moveRow, len(moves))
	for i, m := range moves {
		rows[i] = moveRow{
			ModelID: modelID, At: now, Matter: string(m.Matter), Alias: m.Alias, FromValue: m.From, ToValue: m.To,
			Via: string(by.Via), Address: by.Address, Agent: by.Agent, UserName: by.User, Verified: by.Verified,
		}
		if m.Version != "" {
			version, err := registry.ParseVersion(m.Version)
			if err != nil {
				return err
			}
			rows[i].Version = version
		}
	}
	return inChunks(rows, func(part []moveRow) error {
		return sqlstore.Translate(tx.Create(&part).Error, "the audit trail")
	})
}

// MoveQuery chooses entries of an audit trail.
type MoveQuery struct {
	Before int64          // only entries with a smaller id; 0 for all
	Stage  registry.Stage // only moves of versions into this stage and out of it; empty for all
	Limit  int
}

// Moves returns the audit trail of a model and of those that had its name and were deleted, the newest entry first, and whether there
// are more. Codes: Invalid, NotFound.
func (s *Store) Moves(ctx context.Context, name string, q MoveQuery) (moves []registry.Move, more bool, err error) {
	db := s.db.WithContext(ctx)
	model, err := findModel(db, name)
	if err != nil {
		return nil, false, err
	}
	gone := db.Model(&moveRow{}).Select("model_id").Where("matter = 'name' AND to_value = '' AND from_value = ?", name)
	query := db.Where("(model_id = ? OR model_id IN (?))", model.ID, gone)
	if q.Before > 0 {
		query = query.Where("id < ?", q.Before)
	}
	if q.Stage != "" {
		query = query.Where("matter = ? AND (from_value = ? OR to_value = ?)", string(registry.StageMatter), string(q.Stage), string(q.Stage))
	}
	var rows []moveRow
	if err := query.Order("id DESC").Limit(q.Limit + 1).Find(&rows).Error; err != nil {
		return nil, false, sqlstore.Translate(err, "the audit trail")
	}
	for _, r := range rows[:min(q.Limit, len(rows))] {
		moves = append(moves, r.domain())
	}
	return moves, len(rows) > q.Limit, nil
}

// recordGone records that a version goes, or all of a model if version is 0: the aliases first, then the stages.
func recordGone(tx *gorm.DB, modelID, version, now int64) error {
	of := tx.Where("model_id = ? AND stage <> ?", modelID, stageDeleted).Order("version")
	named := tx.Where("model_id = ?", modelID).Order("alias")
	if version == 0 {
		of = of.Where("stage <> ?", string(registry.None)) // the others were nowhere
	} else {
		of, named = of.Where("version = ?", version), named.Where("version = ?", version)
	}
	var moves []registry.Move
	err := each(named, func(r aliasRow) { moves = append(moves, aliasMove(r.Alias, r.Version, 0)) })
	if err == nil {
		err = each(of, func(r versionRow) { moves = append(moves, stageMove(r, "")) })
	}
	if err != nil {
		return err
	}
	return record(tx, modelID, now, moves...)
}
