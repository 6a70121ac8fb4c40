package trackingstore

import (
	"context"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"tasador/pkg/experiment"
	"tasador/pkg/experiment/filter"
	"tasador/pkg/sqlstore"
)

// Plans returns how the database finds the runs of a search: for each statement its text and, line by line, what the database says that it does; for
// PostgreSQL with the rows that each step has gone through. Codes: Invalid.
func (s *Store) Plans(ctx context.Context, q experiment.RunSearch) ([]string, error) {
	seen := &recorder{}
	recorded := *s
	recorded.db = s.db.Session(&gorm.Session{Logger: seen})
	ids, err := parseExperimentIDs(q.ExperimentIDs)
	if err != nil {
		return nil, err
	}
	comparisons, orders, err := s.parse(filter.Runs(), q.Search)
	if err != nil {
		return nil, err
	}
	w, err := newWindow(q.PageRequest, runKeys(orders), standardRuns, maxPage)
	if err != nil {
		return nil, err
	}
	if _, _, err := recorded.findRuns(ctx, q, ids, comparisons, orders, w); err != nil {
		return nil, sqlstore.Translate(err, "runs")
	}
	var plans []string
	for _, statement := range seen.statements {
		lines, err := s.planOf(ctx, statement)
		if err != nil {
			return nil, sqlstore.Translate(err, "plan")
		}
		plans = append(plans, statement+"\n    "+strings.Join(lines, "\n    "))
	}
	return plans, nil
}

func (s *Store) planOf(ctx context.Context, statement string) (lines []string, err error) {
	if sqlstore.EngineOf(s.db) == sqlstore.Postgres {
		err = s.db.WithContext(ctx).Raw("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) " + statement).Scan(&lines).Error
		return lines, err
	}
	var steps []struct{ Detail string }
	err = s.db.WithContext(ctx).Raw("EXPLAIN QUERY PLAN " + statement).Scan(&steps).Error
	for _, step := range steps {
		lines = append(lines, step.Detail)
	}
	return lines, err
}

// recorder keeps the statements that gorm runs.
type recorder struct{ statements []string }

var _ logger.Interface = (*recorder)(nil)

func (r *recorder) LogMode(logger.LogLevel) logger.Interface { return r }
func (*recorder) Info(context.Context, string, ...any)       {}
func (*recorder) Warn(context.Context, string, ...any)       {}
func (*recorder) Error(context.Context, string, ...any)      {}
func (r *recorder) Trace(_ context.Context, _ time.Time, fc func() (string, int64), _ error) {
	statement, _ := fc()
	r.statements = append(r.statements, statement)
}
