package dagrunstore

import (
	"context"

	"gorm.io/gorm"

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
	err := s.db.WithContext(ctx).Where("dag_id = ? AND run_id = ?", dagID, runID).Take(&row).Error
	return row, sqlstore.Translate(err, "the run "+runID+" of the DAG "+dagID)
}

// RunQuery selects and orders runs. Zero values select all.
type RunQuery struct {
	DAGID         string
	States        []string
	Types         []string
	OldestFirst   bool // by triggering; newest first otherwise
	Limit, Offset int  // Limit 0 means all
}

// Runs returns the runs that q selects, and how many there are without limit and offset.
func (s *Store) Runs(ctx context.Context, q RunQuery) ([]Run, int64, error) {
	db := s.db.WithContext(ctx).Model(&runRow{})
	if q.DAGID != "" {
		db = db.Where("dag_id = ?", q.DAGID)
	}
	if len(q.States) > 0 {
		db = db.Where("state IN ?", q.States)
	}
	if len(q.Types) > 0 {
		db = db.Where("run_type IN ?", q.Types)
	}
	db = db.Session(&gorm.Session{})
	var total int64
	if err := db.Count(&total).Error; err != nil {
		return nil, 0, sqlstore.Translate(err, "DAG runs")
	}
	order := "run_key DESC"
	if q.OldestFirst {
		order = "run_key"
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
