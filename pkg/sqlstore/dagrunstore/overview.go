package dagrunstore

import (
	"context"
	"time"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore"
)

// InstancesOf returns the task instances of several runs of a DAG, by the keys of the runs, each in the order of the definition.
func (s *Store) InstancesOf(ctx context.Context, runs []Run) (map[int64][]Instance, error) {
	byKey := make(map[int64]Run, len(runs))
	keys := make([]int64, 0, len(runs))
	for _, r := range runs {
		byKey[r.Key] = r
		keys = append(keys, r.Key)
	}
	var rows []instanceRow
	err := s.db.WithContext(ctx).Where("run_key IN ?", keys).Order("instance_key").Find(&rows).Error
	out := make(map[int64][]Instance, len(runs))
	for _, r := range rows {
		run := byKey[r.RunKey]
		out[r.RunKey] = append(out[r.RunKey], r.toInstance(runRow{DAGID: run.DAGID, RunID: run.ID}))
	}
	return out, sqlstore.Translate(err, "task instances")
}

// TriesOf returns the tries of several task instances that were claimed, by the keys of the instances, oldest first.
func (s *Store) TriesOf(ctx context.Context, instances []Instance) (map[int64][]Try, error) {
	keys := make([]int64, len(instances))
	for i, instance := range instances {
		keys[i] = instance.Key
	}
	var rows []tryRow
	err := s.db.WithContext(ctx).Where("instance_key IN ?", keys).Order("instance_key, try").Find(&rows).Error
	out := make(map[int64][]Try, len(keys))
	for _, r := range rows {
		out[r.InstanceKey] = append(out[r.InstanceKey], r.toTry())
	}
	return out, sqlstore.Translate(err, "tries")
}

// RunMark is the least that is to be known of a run.
type RunMark struct {
	LogicalDate time.Time
	State       dag.RunState
}

// RunMarks returns the runs of a DAG with a logical date from the given one on, by that date.
func (s *Store) RunMarks(ctx context.Context, dagID string, from time.Time) ([]RunMark, error) {
	var rows []runRow
	err := s.db.WithContext(ctx).Select("logical_date", "state").Where("dag_id = ? AND logical_date >= ?", dagID, micros(from)).Order("logical_date").Find(&rows).Error
	out := make([]RunMark, len(rows))
	for i, r := range rows {
		out[i] = RunMark{LogicalDate: moment(r.LogicalDate), State: dag.RunState(r.State)}
	}
	return out, sqlstore.Translate(err, "DAG runs")
}
