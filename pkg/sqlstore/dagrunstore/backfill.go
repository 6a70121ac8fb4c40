package dagrunstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore"
)

// Backfill runs the intervals of a stretch of time that has passed.
type Backfill struct {
	ID          int64
	DAGID       string
	From, To    time.Time // first and last logical date that was asked for
	Reprocess   dag.Reprocess
	Conf        json.RawMessage // of the runs that were missing
	CreatedAt   time.Time
	CompletedAt time.Time // when its last run ended, or when it was cancelled; zero while it is active
}

// BackfillRun is what a backfill does about one interval.
type BackfillRun struct {
	dag.Interval
	RunID string       // of the run that exists, else of the one to be made
	Was   dag.RunState // of the run that exists; empty if there is none
	Runs  bool         // it is made, or runs again; else it is left as it is
}

// NewBackfill is what makes a backfill.
type NewBackfill struct {
	From, To  time.Time
	Intervals []dag.Interval // in the order in which they are to run
	Reprocess dag.Reprocess
	Conf      string // of the runs that are missing, a JSON object; empty means {}
	// Agreed, if it is set, sees what would happen and says whether it may.
	Agreed func([]BackfillRun) bool
}

type backfillRow struct {
	BackfillKey            int64  `gorm:"primaryKey;autoIncrement"`
	DAGID                  string `gorm:"column:dag_id"`
	FromDate, ToDate       int64
	Reprocess, Conf        string
	CreatedAt, CompletedAt int64 `gorm:"autoCreateTime:false"`
}

func (backfillRow) TableName() string { return "backfill" }

func (r backfillRow) toBackfill() Backfill {
	return Backfill{
		ID: r.BackfillKey, DAGID: r.DAGID, From: moment(r.FromDate), To: moment(r.ToDate), Reprocess: dag.Reprocess(r.Reprocess),
		Conf: json.RawMessage(r.Conf), CreatedAt: moment(r.CreatedAt), CompletedAt: moment(r.CompletedAt),
	}
}

// PlanBackfill says what a backfill of the intervals would do now. It changes nothing.
func (s *Store) PlanBackfill(ctx context.Context, dagID string, intervals []dag.Interval, reprocess dag.Reprocess) ([]BackfillRun, error) {
	runs, _, err := planBackfill(s.db.WithContext(ctx), dagID, intervals, reprocess)
	return runs, sqlstore.Translate(err, "the runs of "+dagID)
}

// planBackfill returns the plan, and the rows of the runs that exist by their logical dates.
func planBackfill(tx *gorm.DB, dagID string, intervals []dag.Interval, reprocess dag.Reprocess) ([]BackfillRun, map[int64]runRow, error) {
	have := map[int64]runRow{}
	if len(intervals) == 0 {
		return nil, have, nil
	}
	one, other := micros(intervals[0].Start), micros(intervals[len(intervals)-1].Start)
	var rows []runRow
	if err := tx.Where("dag_id = ? AND logical_date BETWEEN ? AND ?", dagID, min(one, other), max(one, other)).Find(&rows).Error; err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		have[r.LogicalDate] = r
	}
	runs := make([]BackfillRun, len(intervals))
	for i, interval := range intervals {
		runs[i] = BackfillRun{Interval: interval, RunID: dag.RunID(dag.Backfill, interval.Start), Runs: true}
		if r, exists := have[micros(interval.Start)]; exists {
			runs[i].RunID, runs[i].Was = r.RunID, dag.RunState(r.State)
			runs[i].Runs = reprocess.Again(runs[i].Was)
		}
	}
	return runs, have, nil
}

// CreateBackfill queues the runs of a backfill, all of them or none, and tells what it does about each interval. One without anything to run is complete at once.
// Codes: NotFound, FailedPrecondition if another backfill of the DAG is active or Agreed says no, Invalid for a conf with characters that no database takes.
func (s *Store) CreateBackfill(ctx context.Context, plan *dag.Plan, n NewBackfill, now time.Time) (Backfill, []BackfillRun, error) {
	id := plan.Definition().ID
	if n.Conf == "" {
		n.Conf = "{}"
	}
	if !sqlstore.Storable(n.Conf) {
		return Backfill{}, nil, apperror.New(apperror.Invalid, "the conf of the backfill holds a NUL character or is not UTF-8; write it without")
	}
	var b backfillRow
	var runs []BackfillRun
	err := sqlstore.InTx(ctx, s.db, func(tx *gorm.DB) error {
		if err := onlyBackfill(tx, id); err != nil {
			return err
		}
		var have map[int64]runRow
		var err error
		if runs, have, err = planBackfill(tx, id, n.Intervals, n.Reprocess); err != nil {
			return err
		}
		if n.Agreed != nil && !n.Agreed(runs) {
			return apperror.New(apperror.FailedPrecondition, "the runs of the DAG %s have changed since the backfill was looked at", id)
		}
		b = backfillRow{DAGID: id, FromDate: micros(n.From), ToDate: micros(n.To), Reprocess: string(n.Reprocess), Conf: n.Conf, CreatedAt: micros(now)}
		if err := tx.Create(&b).Error; err != nil {
			return err
		}
		order := 0
		for _, r := range runs {
			if !r.Runs {
				continue
			}
			order++
			if err := queueInBackfill(tx, plan, b, r, have[micros(r.Start)], order, now); err != nil {
				return err
			}
		}
		if order == 0 {
			b.CompletedAt = b.CreatedAt
			return tx.Model(&backfillRow{}).Where("backfill_key = ?", b.BackfillKey).Update("completed_at", b.CompletedAt).Error
		}
		return nil
	})
	return b.toBackfill(), runs, sqlstore.Translate(err, "the backfill of "+id)
}

// onlyBackfill refuses a second one: two that interleave their runs would keep neither order.
func onlyBackfill(tx *gorm.DB, dagID string) error {
	// The update takes the row's lock: two callers cannot both find no active backfill.
	res := tx.Model(&dagRow{}).Where("dag_id = ?", dagID).Update("paused", gorm.Expr("paused"))
	if res.Error == nil && res.RowsAffected == 0 {
		return apperror.New(apperror.NotFound, "the DAG %s does not exist", dagID)
	}
	if res.Error != nil {
		return res.Error
	}
	var active []backfillRow
	if err := tx.Where("dag_id = ? AND completed_at = 0", dagID).Limit(1).Find(&active).Error; err != nil || len(active) == 0 {
		return err
	}
	return apperror.New(apperror.FailedPrecondition, "backfill %d of the DAG %s is still active; wait until it is complete, or cancel it", active[0].BackfillKey, dagID)
}

// queueInBackfill makes the run of an interval, or lets the one that was there run again: as after a clear of all its tasks, it keeps its id, conf and start.
func queueInBackfill(tx *gorm.DB, plan *dag.Plan, b backfillRow, r BackfillRun, was runRow, order int, now time.Time) error {
	if r.Was == "" {
		row := newRunRow(plan, NewRun{Type: dag.Backfill, LogicalDate: r.Start, IntervalEnd: r.End, Conf: b.Conf, TriggeredBy: string(dag.Backfill)}, now)
		row.BackfillKey, row.BackfillOrder = b.BackfillKey, order
		return insertRun(tx, plan, &row)
	}
	if err := lockRun(tx, was.RunKey); err != nil {
		return err
	}
	var instances []instanceRow
	if err := tx.Where("run_key = ?", was.RunKey).Find(&instances).Error; err != nil {
		return err
	}
	for _, i := range instances {
		if err := clearRow(tx, i); err != nil {
			return err
		}
	}
	return tx.Model(&runRow{}).Where("run_key = ?", was.RunKey).
		Updates(map[string]any{"state": dag.RunQueued, "ended_at": 0, "queued_at": micros(now), "backfill_key": b.BackfillKey, "backfill_order": order}).Error
}

// completeBackfill ends a backfill when none of its runs is left.
func completeBackfill(tx *gorm.DB, key int64, now time.Time) error {
	// Of two runs that end at the same moment the second has to see the end of the first.
	if err := tx.Model(&backfillRow{}).Where("backfill_key = ?", key).Update("completed_at", gorm.Expr("completed_at")).Error; err != nil {
		return err
	}
	left := tx.Model(&runRow{}).Select("1").Where("backfill_key = ? AND state IN ?", key, []dag.RunState{dag.RunQueued, dag.RunRunning})
	return tx.Model(&backfillRow{}).Where("backfill_key = ? AND completed_at = 0 AND NOT EXISTS (?)", key, left).Update("completed_at", micros(now)).Error
}

// CancelBackfill ends a backfill: its runs that are queued become failed, as in Airflow; the one that is running goes on. Codes: NotFound,
// FailedPrecondition if it is complete.
func (s *Store) CancelBackfill(ctx context.Context, id int64, now time.Time) (Backfill, error) {
	var active bool
	err := sqlstore.InTx(ctx, s.db, func(tx *gorm.DB) error {
		// The row of the DAG comes first, see lockRun: a run that is just started would otherwise wait for us, and we for it.
		of := tx.Model(&backfillRow{}).Select("dag_id").Where("backfill_key = ?", id)
		if err := tx.Model(&dagRow{}).Where("dag_id = (?)", of).Update("paused", gorm.Expr("paused")).Error; err != nil {
			return err
		}
		res := tx.Model(&backfillRow{}).Where("backfill_key = ? AND completed_at = 0", id).Update("completed_at", micros(now))
		if active = res.RowsAffected == 1; res.Error != nil || !active {
			return res.Error
		}
		return tx.Model(&runRow{}).Where("backfill_key = ? AND state = ?", id, dag.RunQueued).Updates(map[string]any{"state": dag.RunFailed, "ended_at": micros(now)}).Error
	})
	if err != nil {
		return Backfill{}, sqlstore.Translate(err, fmt.Sprintf("backfill %d", id))
	}
	b, err := s.Backfill(ctx, id)
	if err == nil && !active {
		return b, apperror.New(apperror.FailedPrecondition, "backfill %d was complete at %s; there is nothing to cancel", id, b.CompletedAt.Format(time.RFC3339))
	}
	return b, err
}

// Backfill returns one backfill. Codes: NotFound.
func (s *Store) Backfill(ctx context.Context, id int64) (Backfill, error) {
	var row backfillRow
	err := s.db.WithContext(ctx).Where("backfill_key = ?", id).Take(&row).Error
	return row.toBackfill(), sqlstore.Translate(err, fmt.Sprintf("backfill %d", id))
}

// Backfills returns the backfills of a DAG, newest first, and how many there are without limit and offset; limit 0 means all.
func (s *Store) Backfills(ctx context.Context, dagID string, limit, offset int) ([]Backfill, int64, error) {
	db := s.db.WithContext(ctx).Model(&backfillRow{}).Where("dag_id = ?", dagID).Session(&gorm.Session{})
	var total int64
	if err := db.Count(&total).Error; err != nil {
		return nil, 0, sqlstore.Translate(err, "backfills")
	}
	if limit > 0 {
		db = db.Limit(limit)
	}
	var rows []backfillRow
	err := db.Order("backfill_key DESC").Offset(offset).Find(&rows).Error
	out := make([]Backfill, len(rows))
	for i, r := range rows {
		out[i] = r.toBackfill()
	}
	return out, total, sqlstore.Translate(err, "backfills")
}

// BackfillCounts counts the runs of each backfill of a DAG by state.
func (s *Store) BackfillCounts(ctx context.Context, dagID string) (map[int64]map[dag.RunState]int, error) {
	var rows []struct {
		BackfillKey int64
		State       string
		N           int
	}
	err := s.db.WithContext(ctx).Model(&runRow{}).Select("backfill_key, state, count(*) AS n").
		Where("dag_id = ? AND backfill_key > 0", dagID).Group("backfill_key, state").Find(&rows).Error
	counts := map[int64]map[dag.RunState]int{}
	for _, r := range rows {
		if counts[r.BackfillKey] == nil {
			counts[r.BackfillKey] = map[dag.RunState]int{}
		}
		counts[r.BackfillKey][dag.RunState(r.State)] = r.N
	}
	return counts, sqlstore.Translate(err, "backfills")
}
