package dagrunstore

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/sqlstore"
)

// Run returns a DAG run. Codes: NotFound.
func (s *Store) Run(ctx context.Context, dagID, runID string) (Run, error) {
	row, err := s.runRow(ctx, dagID, runID)
	return row.toRun(), err
}

func (s *Store) runRow(ctx context.Context, dagID, runID string) (runRow, error) {
	var row runRow
	if !sqlstore.Storable(dagID, runID) {
		return row, apperror.New(apperror.NotFound, "the run %q of the DAG %q does not exist", runID, dagID)
	}
	err := s.db.WithContext(ctx).Where("dag_id = ? AND run_id = ?", dagID, runID).Take(&row).Error
	return row, sqlstore.Translate(err, "the run "+runID+" of the DAG "+dagID)
}

// RunQuery selects and orders runs. Zero values select all.
type RunQuery struct {
	DAGID         string
	States        []string
	Types         []string
	Ranges        []RunRange
	Order         []RunOrder // empty means newest first
	Limit, Offset int        // Limit 0 means all
}

// RunRange bounds a time of runs: Field is one of RunOrders, Op one of gte, gt, lte, lt.
type RunRange struct {
	Field string
	Op    string
	Bound time.Time
}

func (r RunRange) apply(db *gorm.DB) (*gorm.DB, error) {
	column, known := runColumns()[r.Field]
	op, ok := map[string]string{"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}[r.Op]
	if !known || !ok {
		return nil, apperror.New(apperror.Invalid, "runs cannot be selected by %s_%s", r.Field, r.Op)
	}
	// A time that is not known yet (0) is in no range, as null is in none.
	return db.Where(column+" "+op+" ? AND "+column+" > 0", micros(r.Bound)), nil
}

// RunOrder orders runs by a field of the REST interface: one of RunOrders.
type RunOrder struct {
	Field string
	Desc  bool
}

// RunOrders lists the fields that runs can be ordered by.
func RunOrders() []string { return slices.Sorted(maps.Keys(runColumns())) }

func runColumns() map[string]string {
	return map[string]string{
		"id": "run_key", "dag_run_id": "run_id", "dag_id": "dag_id", "run_type": "run_type", "state": "state", "logical_date": "logical_date",
		"queued_at": "queued_at", "start_date": "started_at", "end_date": "ended_at",
		"run_after": "CASE WHEN run_type IN ('scheduled', 'backfill') THEN interval_end ELSE queued_at END",
	}
}

func orderBy(orders []RunOrder) (string, error) {
	if len(orders) == 0 {
		return "run_key DESC", nil
	}
	var terms []string
	for _, o := range orders {
		column, ok := runColumns()[o.Field]
		if !ok {
			return "", apperror.New(apperror.Invalid, "runs cannot be ordered by %q; use one of %s", o.Field, strings.Join(RunOrders(), ", "))
		}
		direction := map[bool]string{true: " DESC", false: ""}[o.Desc]
		terms = append(terms, column+direction, "run_key"+direction)
	}
	return strings.Join(terms, ", "), nil
}

// Runs returns the runs that q selects, and how many there are without limit and offset. Codes: Invalid for an unknown order or range.
func (s *Store) Runs(ctx context.Context, q RunQuery) ([]Run, int64, error) {
	order, err := orderBy(q.Order)
	if err != nil {
		return nil, 0, err
	}
	db := s.db.WithContext(ctx).Model(&runRow{})
	if q.DAGID != "" {
		db = db.Where("dag_id = ?", q.DAGID)
	}
	if len(q.States) > 0 {
		db = db.Where("state IN ?", cleanAll(q.States))
	}
	if len(q.Types) > 0 {
		db = db.Where("run_type IN ?", cleanAll(q.Types))
	}
	for _, r := range q.Ranges {
		if db, err = r.apply(db); err != nil {
			return nil, 0, err
		}
	}
	db = db.Session(&gorm.Session{})
	var total int64
	if err := db.Count(&total).Error; err != nil {
		return nil, 0, sqlstore.Translate(err, "DAG runs")
	}
	if q.Limit > 0 {
		db = db.Limit(q.Limit)
	}
	var rows []runRow
	if err := db.Order(order).Offset(q.Offset).Find(&rows).Error; err != nil {
		return nil, 0, sqlstore.Translate(err, "DAG runs")
	}
	runs := make([]Run, len(rows))
	for i, r := range rows {
		runs[i] = r.toRun()
	}
	return runs, total, nil
}

// cleanAll makes texts to compare with fit for a statement; what had to be changed equals nothing that is stored.
func cleanAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = sqlstore.Clean(s)
	}
	return out
}

// RunCounts counts the runs of every DAG by state.
func (s *Store) RunCounts(ctx context.Context) (map[string]map[dag.RunState]int, error) {
	var rows []struct {
		DAGID string `gorm:"column:dag_id"`
		State string
		N     int
	}
	err := s.db.WithContext(ctx).Model(&runRow{}).Select("dag_id, state, count(*) AS n").Group("dag_id, state").Find(&rows).Error
	counts := map[string]map[dag.RunState]int{}
	for _, r := range rows {
		if counts[r.DAGID] == nil {
			counts[r.DAGID] = map[dag.RunState]int{}
		}
		counts[r.DAGID][dag.RunState(r.State)] = r.N
	}
	return counts, sqlstore.Translate(err, "DAG runs")
}

// RunTimes says when runs of a DAG came and ended; a time is zero if there is no such run.
type RunTimes struct{ FirstQueued, LastSuccess, LastFailure time.Time }

// RunTimes returns the times of the runs of a DAG that are stored.
func (s *Store) RunTimes(ctx context.Context, dagID string) (RunTimes, error) {
	var rows []struct {
		State         string
		Queued, Ended int64
	}
	err := s.db.WithContext(ctx).Model(&runRow{}).Where("dag_id = ?", dagID).
		Select("state, min(queued_at) AS queued, max(ended_at) AS ended").Group("state").Find(&rows).Error
	var times RunTimes
	for _, r := range rows {
		if queued := moment(r.Queued); times.FirstQueued.IsZero() || queued.Before(times.FirstQueued) {
			times.FirstQueued = queued
		}
		switch dag.RunState(r.State) {
		case dag.RunSuccess:
			times.LastSuccess = moment(r.Ended)
		case dag.RunFailed:
			times.LastFailure = moment(r.Ended)
		case dag.RunQueued, dag.RunRunning: // have not ended
		}
	}
	return times, sqlstore.Translate(err, "DAG runs")
}

// Instances returns the task instances of a run, in the order in which they were made, which is that of the definition. Codes: NotFound.
func (s *Store) Instances(ctx context.Context, dagID, runID string) ([]Instance, error) {
	run, err := s.runRow(ctx, dagID, runID)
	if err != nil {
		return nil, err
	}
	var rows []instanceRow
	if err := s.db.WithContext(ctx).Where("run_key = ?", run.RunKey).Order("instance_key").Find(&rows).Error; err != nil {
		return nil, sqlstore.Translate(err, "task instances")
	}
	out := make([]Instance, len(rows))
	for i, r := range rows {
		out[i] = r.toInstance(run)
	}
	return out, nil
}

// Instance returns one task instance. Codes: NotFound.
func (s *Store) Instance(ctx context.Context, dagID, runID, taskID string) (Instance, error) {
	run, err := s.runRow(ctx, dagID, runID)
	if err != nil {
		return Instance{}, err
	}
	if !sqlstore.Storable(taskID) {
		return Instance{}, apperror.New(apperror.NotFound, "the task %q of the run %s does not exist", taskID, runID)
	}
	var row instanceRow
	err = s.db.WithContext(ctx).Where("run_key = ? AND task_id = ?", run.RunKey, taskID).Take(&row).Error
	return row.toInstance(run), sqlstore.Translate(err, "the task "+taskID+" of the run "+runID)
}

// Tries returns the tries of a task instance that were claimed, oldest first.
func (s *Store) Tries(ctx context.Context, instance int64) ([]Try, error) {
	var rows []tryRow
	err := s.db.WithContext(ctx).Where("instance_key = ?", instance).Order("try").Find(&rows).Error
	tries := make([]Try, len(rows))
	for i, r := range rows {
		tries[i] = r.toTry()
	}
	return tries, sqlstore.Translate(err, "tries")
}
