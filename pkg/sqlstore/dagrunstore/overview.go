package dagrunstore

import (
	"context"

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
