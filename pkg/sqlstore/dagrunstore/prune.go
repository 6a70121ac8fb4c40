package dagrunstore

import (
	"context"

	"gorm.io/gorm"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore"
)

// maxPruned bounds the runs that one call deletes, so that no other writer waits long.
const maxPruned = 100

// Prune deletes the finished runs of a DAG that ended longest ago, but for the newest keep, with their tries, logs and XComs, and the backfills of which nothing is
// left. It deletes at most 100 and tells whether there are more.
func (s *Store) Prune(ctx context.Context, dagID string, keep int) (deleted int, more bool, err error) {
	err = sqlstore.InTx(ctx, s.db, func(tx *gorm.DB) error {
		deleted, more = 0, false
		finished := tx.Model(&runRow{}).Where("dag_id = ? AND state IN ?", dagID, []dag.RunState{dag.RunSuccess, dag.RunFailed}).Session(&gorm.Session{})
		var n int64
		if err := finished.Count(&n).Error; err != nil || n <= int64(keep) {
			return err
		}
		var runs []int64
		if err := finished.Order("ended_at, run_key").Limit(min(int(n)-keep, maxPruned)).Pluck("run_key", &runs).Error; err != nil {
			return err
		}
		// Some may be cleared just now: those that are locked and still finished stay so.
		if err := finished.Where("run_key IN ?", runs).Update("decided_at", gorm.Expr("decided_at")).Error; err != nil {
			return err
		}
		asked := runs
		runs = nil
		if err := finished.Where("run_key IN ?", asked).Pluck("run_key", &runs).Error; err != nil {
			return err
		}
		instances := tx.Model(&instanceRow{}).Select("instance_key").Where("run_key IN ?", runs)
		for _, rows := range []any{&logRow{}, &xcomRow{}, &tryRow{}} {
			if err := tx.Where("instance_key IN (?)", instances).Delete(rows).Error; err != nil {
				return err
			}
		}
		for _, rows := range []any{&instanceRow{}, &runRow{}} {
			if err := tx.Where("run_key IN ?", runs).Delete(rows).Error; err != nil {
				return err
			}
		}
		deleted, more = len(runs), int(n)-keep > len(asked)
		left := tx.Model(&runRow{}).Select("1").Where("dag_run.backfill_key = backfill.backfill_key")
		oldest := tx.Model(&runRow{}).Select("min(queued_at)").Where("dag_id = ?", dagID)
		return tx.Where("dag_id = ? AND completed_at > 0 AND completed_at < (?) AND NOT EXISTS (?)", dagID, oldest, left).Delete(&backfillRow{}).Error
	})
	return deleted, more, sqlstore.Translate(err, "the oldest runs of "+dagID)
}
