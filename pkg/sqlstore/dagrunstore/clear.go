package dagrunstore

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore"
)

// Clear sets task instances of a run back to none, so that they run again; their tries and logs stay. The run is queued again if it had ended,
// and keeps its start. Of tasks only those in states are cleared; no states means all. With dry nothing changes. It returns the instances that are (or would be)
// cleared, as they were. Codes: NotFound, FailedPrecondition if one of them is queued or running.
func (s *Store) Clear(ctx context.Context, dagID, runID string, tasks []string, states []dag.TaskState, dry bool, now time.Time) ([]Instance, error) {
	run, err := s.runRow(ctx, dagID, runID)
	if err != nil {
		return nil, err
	}
	var cleared []Instance
	err = sqlstore.InTx(ctx, s.db, func(tx *gorm.DB) error {
		cleared = nil
		if err := lockRun(tx, run.RunKey); err != nil {
			return err
		}
		var rows []instanceRow
		if err := tx.Where("run_key = ? AND task_id IN ?", run.RunKey, cleanAll(tasks)).Order("instance_key").Find(&rows).Error; err != nil {
			return err
		}
		for _, r := range rows {
			state := dag.TaskState(r.State)
			if len(states) > 0 && !slices.Contains(states, state) {
				continue
			}
			if state == dag.StateQueued || state == dag.StateRunning {
				return apperror.New(apperror.FailedPrecondition, "task %s of the run %s is %s; wait until it has ended", r.TaskID, runID, state)
			}
			cleared = append(cleared, r.toInstance(run))
			if dry {
				continue
			}
			if err := clearRow(tx, r); err != nil {
				return err
			}
		}
		if dry || len(cleared) == 0 {
			return nil
		}
		return tx.Model(&runRow{}).Where("run_key = ? AND state IN ?", run.RunKey, []dag.RunState{dag.RunSuccess, dag.RunFailed}).
			Updates(map[string]any{"state": dag.RunQueued, "ended_at": 0, "queued_at": micros(now)}).Error
	})
	return cleared, sqlstore.Translate(err, "clearing tasks of "+runID)
}

func clearRow(tx *gorm.DB, r instanceRow) error {
	res := tx.Model(&instanceRow{}).Where("instance_key = ? AND state = ? AND try = ?", r.InstanceKey, r.State, r.Try).Updates(map[string]any{
		"state": dag.StateNone, "failures": 0, "retry_at": 0, "scheduled_at": 0, "queued_at": 0, "started_at": 0, "ended_at": 0, "skipped_by": "",
	})
	if res.Error == nil && res.RowsAffected == 0 {
		return apperror.New(apperror.FailedPrecondition, "task %s changed while it was cleared; try again", r.TaskID)
	}
	return res.Error
}
