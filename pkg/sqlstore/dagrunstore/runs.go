package dagrunstore

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore"
)

// EnsureDAG makes the row of a DAG, not paused, if there is none.
func (s *Store) EnsureDAG(ctx context.Context, id string) error {
	row := dagRow{DAGID: id}
	err := s.db.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error
	return sqlstore.Translate(err, "the DAG "+id)
}

// DAG returns what is stored of a DAG. Codes: NotFound.
func (s *Store) DAG(ctx context.Context, id string) (DAG, error) {
	var row dagRow
	err := s.db.WithContext(ctx).Where("dag_id = ?", id).Take(&row).Error
	return row.toDAG(), sqlstore.Translate(err, "the DAG "+id)
}

// SetPaused pauses a DAG or lets it go on. Codes: NotFound.
func (s *Store) SetPaused(ctx context.Context, id string, paused bool) error {
	res := s.db.WithContext(ctx).Model(&dagRow{}).Where("dag_id = ?", id).Update("paused", paused)
	if res.Error == nil && res.RowsAffected == 0 {
		return apperror.New(apperror.NotFound, "the DAG %s does not exist", id)
	}
	return sqlstore.Translate(res.Error, "the DAG "+id)
}

// NewRun is what triggers a run. Zero logical date and interval end mean now.
type NewRun struct {
	ID          string // empty: made by dag.RunID
	Type        dag.RunType
	LogicalDate time.Time
	IntervalEnd time.Time
	Conf        string // a JSON object; empty means {}
	TriggeredBy string
	User        string // who has logged in and triggers it; empty if nobody had to
	Note        string
}

// Trigger stores a run in state queued, with an instance in state none for each task of the plan. Codes: AlreadyExists if the DAG has a
// run of that id or logical date, NotFound for a DAG that EnsureDAG has not seen, Invalid for texts with characters that no database takes.
func (s *Store) Trigger(ctx context.Context, plan *dag.Plan, n NewRun, now time.Time) (Run, error) {
	if !sqlstore.Storable(n.ID, n.Conf, n.TriggeredBy, n.User, n.Note) {
		return Run{}, apperror.New(apperror.Invalid, "the id, the conf or the note of the run holds a NUL character or is not UTF-8; write it without")
	}
	row := newRunRow(plan, n, now)
	err := sqlstore.InTx(ctx, s.db, func(tx *gorm.DB) error { return insertRun(tx, plan, &row) })
	return row.toRun(), err
}

func newRunRow(plan *dag.Plan, n NewRun, now time.Time) runRow {
	if n.LogicalDate.IsZero() {
		n.LogicalDate = now
	}
	if n.IntervalEnd.IsZero() {
		n.IntervalEnd = n.LogicalDate
	}
	if n.ID == "" && n.Type.OfSchedule() {
		n.ID = dag.RunID(n.Type, n.LogicalDate)
	}
	if n.ID == "" {
		n.ID = dag.RunID(n.Type, now)
	}
	if n.Conf == "" {
		n.Conf = "{}"
	}
	return runRow{
		DAGID: plan.Definition().ID, RunID: n.ID, RunType: string(n.Type), State: string(dag.RunQueued), LogicalDate: micros(n.LogicalDate),
		IntervalEnd: micros(n.IntervalEnd), QueuedAt: micros(now), Conf: n.Conf, TriggeredBy: n.TriggeredBy, TriggeringUser: n.User, Note: n.Note,
	}
}

func insertRun(tx *gorm.DB, plan *dag.Plan, row *runRow) error {
	err := tx.Create(row).Error
	switch {
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return apperror.Wrap(apperror.AlreadyExists, err, "the DAG %s already has a run with the id %s or the logical date %s; choose others",
			row.DAGID, row.RunID, moment(row.LogicalDate).Format(time.RFC3339Nano))
	case errors.Is(err, gorm.ErrForeignKeyViolated):
		return apperror.Wrap(apperror.NotFound, err, "the DAG %s does not exist", row.DAGID)
	case err != nil:
		return sqlstore.Translate(err, "the DAG run "+row.RunID)
	}
	var tasks []instanceRow
	for _, id := range plan.TaskIDs() {
		tasks = append(tasks, instanceRow{RunKey: row.RunKey, TaskID: id})
	}
	return sqlstore.Translate(tx.Create(&tasks).Error, "the task instances of "+row.RunID)
}

// PlanSchedule stores the scheduled runs that are due and the next interval, both or neither, and returns the ids of the new runs. An interval that
// already has a run gets no second one. A paused DAG gets none; the intervals that pass meanwhile count as missed.
func (s *Store) PlanSchedule(ctx context.Context, plan *dag.Plan, schedule *dag.Schedule, now time.Time) ([]string, error) {
	id := plan.Definition().ID
	stored, err := s.DAG(ctx, id)
	if err != nil {
		return nil, err
	}
	due, next := schedule.Due(stored.NextRun, now)
	if stored.Paused || next.Equal(stored.NextRun) {
		return nil, nil
	}
	var made []string
	err = sqlstore.InTx(ctx, s.db, func(tx *gorm.DB) error {
		made = nil
		res := tx.Model(&dagRow{}).Where("dag_id = ? AND next_run = ? AND paused = ?", id, micros(stored.NextRun), false).Update("next_run", micros(next))
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error // paused or planned meanwhile
		}
		for _, i := range due {
			row := newRunRow(plan, NewRun{Type: dag.Scheduled, LogicalDate: i.Start, IntervalEnd: i.End, TriggeredBy: "timetable"}, now)
			var exists int64
			if err := tx.Model(&runRow{}).Where("dag_id = ? AND (run_id = ? OR logical_date = ?)", id, row.RunID, row.LogicalDate).Count(&exists).Error; err != nil {
				return err
			}
			if exists > 0 {
				continue
			}
			if err := insertRun(tx, plan, &row); err != nil {
				return err
			}
			made = append(made, row.RunID)
		}
		return nil
	})
	return made, sqlstore.Translate(err, "the schedule of "+id)
}
