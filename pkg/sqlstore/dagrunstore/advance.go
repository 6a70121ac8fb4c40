package dagrunstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore"
)

// Progress is what came of planning a run.
type Progress struct {
	Run    Run   // after planning
	Jobs   []Job // tries that were queued; their jobs are to be inserted once this is committed
	Moves  []dag.Move
	Ended  bool      // this call ended the run
	Wakeup time.Time // when a retry is due; zero if none is
}

// StartRun puts the oldest queued run of the plan's DAG to work, unless the DAG is paused or maxActive runs are under way. Runs of a backfill come after all
// others, so that a long one does not hold up the schedule, and in its order. It reports whether there was one.
func (s *Store) StartRun(ctx context.Context, plan *dag.Plan, maxActive int, now time.Time) (Progress, bool, error) {
	id := plan.Definition().ID
	var p Progress
	started := false
	err := sqlstore.InTx(ctx, s.db, func(tx *gorm.DB) error {
		p, started = Progress{}, false
		// The guarded update takes the row's lock: two planners cannot both count the active runs.
		res := tx.Model(&dagRow{}).Where("dag_id = ? AND paused = ?", id, false).Update("paused", false)
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error
		}
		var active int64
		if err := tx.Model(&runRow{}).Where("dag_id = ? AND state = ?", id, dag.RunRunning).Count(&active).Error; err != nil || active >= int64(maxActive) {
			return err
		}
		var run runRow
		found := tx.Where("dag_id = ? AND state = ?", id, dag.RunQueued).Order("backfill_order, run_key").Limit(1).Find(&run)
		if found.Error != nil || found.RowsAffected == 0 {
			return found.Error
		}
		res = tx.Model(&runRow{}).Where("run_key = ? AND state = ?", run.RunKey, dag.RunQueued).
			Updates(map[string]any{"state": dag.RunRunning, "started_at": startOf(run, now)})
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error
		}
		started = true
		var err error
		p, err = advance(tx, plan, run.RunKey, false, now)
		return err
	})
	return p, started, sqlstore.Translate(err, "the queued runs of "+id)
}

// startOf keeps the start of a run that is put to work again after a task was cleared: its as-of instant is the same over reruns.
func startOf(run runRow, now time.Time) int64 {
	if run.StartedAt != 0 {
		return run.StartedAt
	}
	return micros(now)
}

// Advance plans a run that is running: it skips, fails and queues what the plan says and ends the run when all tasks are finished. A run in
// another state is left alone.
func (s *Store) Advance(ctx context.Context, plan *dag.Plan, runKey int64, now time.Time) (Progress, error) {
	var p Progress
	err := sqlstore.InTx(ctx, s.db, func(tx *gorm.DB) error {
		paused, err := isPaused(tx, plan)
		if err != nil {
			return err
		}
		p, err = advance(tx, plan, runKey, paused, now)
		return err
	})
	return p, sqlstore.Translate(err, "planning a DAG run")
}

// lockRun makes others who change the run wait. Rows are locked in this order everywhere, so that nobody waits in a circle: the DAG, the run,
// its task instances, its backfill.
func lockRun(tx *gorm.DB, runKey int64) error {
	return tx.Model(&runRow{}).Where("run_key = ?", runKey).Update("decided_at", gorm.Expr("decided_at")).Error
}

func isPaused(tx *gorm.DB, plan *dag.Plan) (bool, error) {
	var d dagRow
	err := tx.Where("dag_id = ?", plan.Definition().ID).Take(&d).Error
	return d.Paused, err
}

func advance(tx *gorm.DB, plan *dag.Plan, runKey int64, paused bool, now time.Time) (Progress, error) {
	var p Progress
	// Taking the run's row first keeps two planners of the same run apart.
	res := tx.Model(&runRow{}).Where("run_key = ? AND state = ?", runKey, dag.RunRunning).Update("decided_at", micros(now))
	if res.Error != nil || res.RowsAffected == 0 {
		return p, res.Error
	}
	rows, have, err := loadInstances(tx, plan, runKey)
	if err != nil {
		return p, err
	}
	if err := boundRetries(tx, plan, rows, have, now); err != nil {
		return p, err
	}
	d := plan.Next(have, paused, now)
	for _, m := range d.Moves {
		job, err := makeMove(tx, rows[m.TaskID], m, now)
		if err != nil {
			return p, err
		}
		if m.To == dag.StateQueued {
			p.Jobs = append(p.Jobs, job)
		}
	}
	p.Moves, p.Wakeup = d.Moves, d.RetryAt
	if d.Run != dag.RunRunning {
		res := tx.Model(&runRow{}).Where("run_key = ? AND state = ?", runKey, dag.RunRunning).Updates(map[string]any{"state": d.Run, "ended_at": micros(now)})
		if res.Error != nil {
			return p, res.Error
		}
		p.Ended = res.RowsAffected == 1
	}
	var run runRow
	if err := tx.Where("run_key = ?", runKey).Take(&run).Error; err != nil {
		return p, err
	}
	p.Run = run.toRun()
	if p.Ended && run.BackfillKey != 0 {
		return p, completeBackfill(tx, run.BackfillKey, now)
	}
	return p, nil
}

// loadInstances reads the instances of a run, and makes those of tasks that the definition has got since the run was triggered.
func loadInstances(tx *gorm.DB, plan *dag.Plan, runKey int64) (map[string]instanceRow, map[string]dag.Instance, error) {
	var list []instanceRow
	if err := tx.Where("run_key = ?", runKey).Find(&list).Error; err != nil {
		return nil, nil, err
	}
	rows := map[string]instanceRow{}
	for _, r := range list {
		rows[r.TaskID] = r
	}
	for _, id := range plan.TaskIDs() {
		if _, ok := rows[id]; !ok {
			r := instanceRow{RunKey: runKey, TaskID: id}
			if err := tx.Create(&r).Error; err != nil {
				return nil, nil, err
			}
			rows[id] = r
		}
	}
	followed, err := loadFollowed(tx, runKey)
	if err != nil {
		return nil, nil, err
	}
	have := map[string]dag.Instance{}
	for id, r := range rows {
		f, branched := followed[r.InstanceKey]
		have[id] = dag.Instance{State: dag.TaskState(r.State), RetryAt: moment(r.RetryAt), Branched: branched, Followed: f}
	}
	return rows, have, nil
}

// boundRetries sees to it that no retry is further away than its delay, as one is when the clock was set back after the failure.
func boundRetries(tx *gorm.DB, plan *dag.Plan, rows map[string]instanceRow, have map[string]dag.Instance, now time.Time) error {
	for id, i := range have {
		task, _ := plan.Task(id)
		latest := now.Add(task.RetryDelay)
		if i.State != dag.StateUpForRetry || !i.RetryAt.After(latest) {
			continue
		}
		err := tx.Model(&instanceRow{}).Where("instance_key = ? AND state = ?", rows[id].InstanceKey, dag.StateUpForRetry).Update("retry_at", micros(latest)).Error
		if err != nil {
			return err
		}
		i.RetryAt = latest
		have[id] = i
	}
	return nil
}

// skipRecord is the value of the XCom dag.SkipKey.
type skipRecord struct {
	Followed []string `json:"followed"`
}

func loadFollowed(tx *gorm.DB, runKey int64) (map[int64][]string, error) {
	var rows []xcomRow
	err := tx.Where("xcom_key = ? AND instance_key IN (?)", dag.SkipKey, tx.Model(&instanceRow{}).Select("instance_key").Where("run_key = ?", runKey)).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	followed := map[int64][]string{}
	for _, r := range rows {
		var record skipRecord
		if err := json.Unmarshal([]byte(r.Value), &record); err != nil {
			return nil, fmt.Errorf("the record of what a branch followed cannot be read: %w", err)
		}
		followed[r.InstanceKey] = record.Followed
	}
	return followed, nil
}

// makeMove changes the state of one instance. Queueing begins a new try.
func makeMove(tx *gorm.DB, row instanceRow, m dag.Move, now time.Time) (Job, error) {
	set := map[string]any{"state": m.To}
	switch m.To {
	case dag.StateScheduled:
		set["scheduled_at"] = micros(now)
	case dag.StateQueued:
		if row.ScheduledAt < row.EndedAt || row.ScheduledAt == 0 {
			set["scheduled_at"] = micros(now)
		}
		set["queued_at"], set["started_at"], set["ended_at"], set["retry_at"], set["skipped_by"] = micros(now), 0, 0, 0, ""
		set["try"] = row.Try + 1
	default: // skipped, upstream_failed
		set["started_at"], set["ended_at"], set["skipped_by"] = micros(now), micros(now), m.SkippedBy
	}
	res := tx.Model(&instanceRow{}).Where("instance_key = ? AND state = ? AND try = ?", row.InstanceKey, m.From, row.Try).Updates(set)
	if res.Error == nil && res.RowsAffected == 0 {
		return Job{}, fmt.Errorf("task %s changed while it was planned", m.TaskID)
	}
	return Job{Instance: row.InstanceKey, Try: row.Try + 1}, res.Error
}
