package dagrunstore

import (
	"context"
	"encoding/json"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore"
)

// Claim is the right to run a try, for as long as its lease is renewed.
type Claim struct {
	Run      Run
	Instance int64
	TaskID   string
	Try      int
	Fence    int64
	Lease    time.Time // when it ends unless it is renewed; only Running tells
}

// NextEpoch draws from the one growing sequence of fences for a process that takes over, and raises it to the clock (milliseconds) if it is behind: a database that
// was restored from a backup is behind the fences that the databases of listings have seen since.
func (s *Store) NextEpoch(ctx context.Context, now time.Time) (int64, error) {
	var value int64
	err := s.db.WithContext(ctx).Raw("UPDATE fence SET value = CASE WHEN value < @now THEN @now ELSE value + 1 END WHERE id = 1 RETURNING value",
		map[string]any{"now": now.UnixMilli()}).Scan(&value).Error
	return value, sqlstore.Translate(err, "the sequence of fences")
}

func nextFence(tx *gorm.DB) (int64, error) {
	var value int64
	err := tx.Raw("UPDATE fence SET value = value + 1 WHERE id = 1 RETURNING value").Scan(&value).Error
	return value, err
}

// Claim begins a try that is queued: it gets a fence and a lease until the given time. ok is false if the try is not queued (any more).
// What earlier tries of the task pushed as XComs is gone from here on.
func (s *Store) Claim(ctx context.Context, job Job, lease time.Time, now time.Time) (c Claim, ok bool, err error) {
	err = sqlstore.InTx(ctx, s.db, func(tx *gorm.DB) error {
		c, ok = Claim{}, false
		fence, err := nextFence(tx)
		if err != nil {
			return err
		}
		res := tx.Model(&instanceRow{}).Where("instance_key = ? AND try = ? AND state = ?", job.Instance, job.Try, dag.StateQueued).
			Updates(map[string]any{"state": dag.StateRunning, "fence": fence, "lease_until": micros(lease), "started_at": micros(now)})
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error
		}
		var row instanceRow
		if err := tx.Where("instance_key = ?", job.Instance).Take(&row).Error; err != nil {
			return err
		}
		var run runRow
		if err := tx.Where("run_key = ?", row.RunKey).Take(&run).Error; err != nil {
			return err
		}
		if err := tx.Where("instance_key = ?", row.InstanceKey).Delete(&xcomRow{}).Error; err != nil {
			return err
		}
		try := tryRow{InstanceKey: row.InstanceKey, Try: row.Try, State: string(dag.StateRunning), Fence: fence, QueuedAt: row.QueuedAt, StartedAt: micros(now)}
		if err := tx.Create(&try).Error; err != nil {
			return err
		}
		c, ok = Claim{Run: run.toRun(), Instance: row.InstanceKey, TaskID: row.TaskID, Try: row.Try, Fence: fence}, true
		return nil
	})
	return c, ok, sqlstore.Translate(err, "claiming a task")
}

// held selects the instance of a claim while the claim is good.
func held(tx *gorm.DB, c Claim) *gorm.DB {
	return tx.Model(&instanceRow{}).Where("instance_key = ? AND fence = ? AND state = ?", c.Instance, c.Fence, dag.StateRunning)
}

// Renew extends the lease of a claim. ok is false if the claim has been lost.
func (s *Store) Renew(ctx context.Context, c Claim, lease time.Time) (ok bool, err error) {
	res := held(s.db.WithContext(ctx), c).Update("lease_until", micros(lease))
	return res.RowsAffected == 1, sqlstore.Translate(res.Error, "renewing a lease")
}

// Outcome is how a try ended. Err nil means success.
type Outcome struct {
	Result dag.Result
	Err    error
}

// Finish ends a try and plans its run, in one transaction. ok is false if the claim had been lost: then nothing changed.
func (s *Store) Finish(ctx context.Context, plan *dag.Plan, c Claim, out Outcome, now time.Time) (p Progress, state dag.TaskState, ok bool, err error) {
	err = sqlstore.InTx(ctx, s.db, func(tx *gorm.DB) error {
		p, state, ok = Progress{}, dag.StateSuccess, false
		if err := lockRun(tx, c.Run.Key); err != nil {
			return err
		}
		set := map[string]any{"ended_at": micros(now), "lease_until": 0, "retry_at": 0}
		problem := ""
		if out.Err != nil {
			var row instanceRow
			if err := tx.Where("instance_key = ?", c.Instance).Take(&row).Error; err != nil {
				return err
			}
			task, _ := plan.Task(c.TaskID)
			var retry time.Time
			state, retry = task.AfterFailure(row.Failures+1, now)
			set["failures"], set["retry_at"], problem = row.Failures+1, micros(retry), out.Err.Error()
		}
		set["state"] = state
		res := held(tx, c).Updates(set)
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error
		}
		ok = true
		if err := endTry(tx, c, state, problem, now); err != nil {
			return err
		}
		if out.Err == nil && out.Result.Branch {
			if err := recordFollowed(tx, c, out.Result.Follow, now); err != nil {
				return err
			}
		}
		paused, err := isPaused(tx, plan)
		if err != nil {
			return err
		}
		p, err = advance(tx, plan, c.Run.Key, paused, now)
		return err
	})
	return p, state, ok, sqlstore.Translate(err, "ending a task")
}

func endTry(tx *gorm.DB, c Claim, state dag.TaskState, problem string, now time.Time) error {
	return tx.Model(&tryRow{}).Where("instance_key = ? AND try = ? AND fence = ?", c.Instance, c.Try, c.Fence).
		Updates(map[string]any{"state": state, "error": sqlstore.Clean(problem), "ended_at": micros(now)}).Error
}

func recordFollowed(tx *gorm.DB, c Claim, follow []string, now time.Time) error {
	if follow == nil {
		follow = []string{}
	}
	value, err := json.Marshal(skipRecord{Followed: follow})
	if err != nil {
		return err
	}
	return tx.Save(&xcomRow{InstanceKey: c.Instance, XComKey: dag.SkipKey, Value: string(value), PushedAt: micros(now)}).Error
}

// Requeue queues the task of a lost or given-up claim again, as a new try: the try that did not end keeps its own log, and none of the task's retries is used up.
// why goes to the log of that try. ok is false if somebody else was faster.
func (s *Store) Requeue(ctx context.Context, c Claim, why string, now time.Time) (job Job, ok bool, err error) {
	err = sqlstore.InTx(ctx, s.db, func(tx *gorm.DB) error {
		ok = false
		res := held(tx, c).Updates(map[string]any{
			"state": dag.StateQueued, "try": gorm.Expr("try + 1"), "lost": gorm.Expr("lost + 1"), "lease_until": 0,
			"queued_at": micros(now), "started_at": 0, "ended_at": 0,
		})
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error
		}
		ok, job = true, Job{Instance: c.Instance, Try: c.Try + 1}
		if err := endTry(tx, c, StateRestarting, why, now); err != nil {
			return err
		}
		return tx.Create(&logRow{InstanceKey: c.Instance, Try: c.Try, LoggedAt: micros(now), Level: "WARN", Message: sqlstore.Clean(why), Attributes: "{}"}).Error
	})
	return job, ok, sqlstore.Translate(err, "queueing a task again")
}

// StateRestarting is how the history shows a try that neither succeeded nor failed: its process ended, or it was handed back. It is Airflow's word.
const StateRestarting dag.TaskState = "restarting"

// Running returns the claims of the tasks of a DAG that are running, with their leases.
func (s *Store) Running(ctx context.Context, dagID string) ([]Claim, error) {
	var rows []instanceRow
	err := s.db.WithContext(ctx).Table("task_instance").Select("task_instance.*").Joins("JOIN dag_run ON dag_run.run_key = task_instance.run_key").
		Where("dag_run.dag_id = ? AND task_instance.state = ?", dagID, dag.StateRunning).Find(&rows).Error
	if err != nil {
		return nil, sqlstore.Translate(err, "running tasks")
	}
	claims := make([]Claim, len(rows))
	for i, r := range rows {
		claims[i] = Claim{Run: Run{Key: r.RunKey}, Instance: r.InstanceKey, TaskID: r.TaskID, Try: r.Try, Fence: r.Fence, Lease: moment(r.LeaseUntil)}
	}
	return claims, nil
}

// Queued returns the tries of a DAG that are queued and not claimed yet, whatever the clock said when they were queued.
func (s *Store) Queued(ctx context.Context, dagID string) ([]Job, error) {
	var rows []instanceRow
	err := s.db.WithContext(ctx).Table("task_instance").Select("task_instance.*").Joins("JOIN dag_run ON dag_run.run_key = task_instance.run_key").
		Where("dag_run.dag_id = ? AND task_instance.state = ?", dagID, dag.StateQueued).
		Order("task_instance.instance_key").Find(&rows).Error
	jobs := make([]Job, len(rows))
	for i, r := range rows {
		jobs[i] = Job{Instance: r.InstanceKey, Try: r.Try}
	}
	return jobs, sqlstore.Translate(err, "queued tasks")
}

// ActiveRuns returns the keys of the runs of a DAG that are running.
func (s *Store) ActiveRuns(ctx context.Context, dagID string) ([]int64, error) {
	var keys []int64
	err := s.db.WithContext(ctx).Model(&runRow{}).Where("dag_id = ? AND state = ?", dagID, dag.RunRunning).Order("run_key").Pluck("run_key", &keys).Error
	return keys, sqlstore.Translate(err, "active runs")
}
