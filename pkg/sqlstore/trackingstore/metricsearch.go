package trackingstore

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"tasador/pkg/experiment/filter"
)

// The ranks of runs in an order by a metric: those with a value, with NaN, without the metric. Each is read by itself, because only then an
// index leads to the first of them.
const (
	rankValue = iota
	rankNaN
	rankMissing
)

// byMetric is a search for runs whose first order clause is a metric.
type byMetric struct {
	key    string
	on     []filter.Comparison // of this metric
	others []filter.Comparison
	ids    []int64 // of the experiments
}

func newByMetric(key string, comparisons []filter.Comparison, ids []int64) byMetric {
	m := byMetric{key: key, ids: ids}
	for _, c := range comparisons {
		if c.Entity == filter.Metric && c.Key == key {
			m.on = append(m.on, c)
		} else {
			m.others = append(m.others, c)
		}
	}
	return m
}

// empty reports whether no run of a rank can be found: a run without the metric fulfils no comparison with it, one with NaN only !=.
func (m byMetric) empty(rank int) bool {
	equals := func(c filter.Comparison) bool { return c.Op != filter.NotEqual }
	return (rank == rankMissing && len(m.on) > 0) || (rank == rankNaN && slices.ContainsFunc(m.on, equals))
}

// fromMetric begins a query on the runs of some experiments with the index of a metric; the latest points are alias. A CROSS JOIN is what
// keeps SQLite from beginning with the runs.
func (s *Store) fromMetric(ctx context.Context, alias, key string, ids []int64, isNaN bool) *gorm.DB {
	return s.db.WithContext(ctx).Table("latest_metrics "+alias+" CROSS JOIN runs").Select([]string{runColumns}).
		Where("runs.id = "+alias+".run_id AND "+alias+".experiment_id IN ? AND "+alias+".key = ? AND "+alias+".is_nan = ?", ids, key, isNaN)
}

// query begins the query for the runs of a rank; the latest points are o0.
func (m byMetric) query(ctx context.Context, s *Store, rank int) *gorm.DB {
	if rank == rankMissing {
		return s.searchQuery(ctx, runsTarget, nil).Where("runs.experiment_id IN ?", m.ids).
			Where("NOT EXISTS (SELECT 1 FROM latest_metrics o0 WHERE o0.run_id = runs.id AND o0.key = ?)", m.key)
	}
	query := s.fromMetric(ctx, "o0", m.key, m.ids, rank == rankNaN)
	if rank == rankValue {
		for _, c := range m.on {
			sql, args := s.compare("o0.value", c)
			query = query.Where(sql, args...)
		}
	}
	return query
}

// readByMetric reads the runs in the window, rank after rank. The first two keys of the window are rank and value.
func readByMetric(ctx context.Context, s *Store, m byMetric, w window, narrow func(*gorm.DB) (*gorm.DB, error)) (rows []runRow, next string, err error) {
	first := rankValue
	if len(w.after) > 0 {
		rank, _ := w.after[0].(int64)
		first = int(min(max(rank, rankValue), rankMissing)) // whoever makes a token up gets some page
	}
	last := make([]any, len(w.keys))
	for rank := first; rank <= rankMissing && len(rows) <= w.limit; rank++ {
		if m.empty(rank) {
			continue
		}
		query, err := narrow(m.query(ctx, s, rank))
		if err != nil {
			return nil, "", err
		}
		skip := 2 // keys in which all of a rank are alike
		if rank == rankValue {
			skip = 1
		}
		part := window{keys: w.keys[skip:], limit: w.limit - len(rows)}
		if rank == first && len(w.after) > 0 {
			part.after = w.after[skip:]
		}
		found, keys, err := readRows[runRow](ctx, s.where(query, runsTarget, m.others), part)
		if err != nil {
			return nil, "", err
		}
		if len(found) > 0 && part.limit > 0 {
			last[0], last[1] = int64(rank), nil
			copy(last[skip:], keys)
		}
		rows = append(rows, found...)
	}
	if len(rows) <= w.limit {
		return rows, "", nil
	}
	return rows[:w.limit], formatToken(w.keys, last), nil
}

// fewMatches is up to how many runs a search begins with those that fulfil a comparison, and not with the newest: that many are sorted fast.
const fewMatches = 5000

// selective returns the place of a comparison with a metric that few runs of some experiments fulfil, -1 if there is none. It counts no
// further than it has to.
func (s *Store) selective(ctx context.Context, comparisons []filter.Comparison, ids []int64) (int, error) {
	for i, c := range comparisons {
		if c.Entity != filter.Metric || c.Op == filter.NotEqual {
			continue
		}
		sql, args := s.compare("f.value", c)
		sql = "SELECT COUNT(*) FROM (SELECT 1 FROM latest_metrics f WHERE f.experiment_id IN ? AND f.key = ? AND f.is_nan = ? AND " + sql + " LIMIT ?) few"
		var n int64
		err := s.db.WithContext(ctx).Raw(sql, append(append([]any{ids, c.Key, false}, args...), fewMatches+1)...).Scan(&n).Error
		if err != nil || n <= fewMatches {
			return i, err
		}
	}
	return -1, nil
}

// runsQuery begins a query on the runs of some experiments with a filter: with those that fulfil a comparison with a metric, if they are few.
func (s *Store) runsQuery(ctx context.Context, comparisons []filter.Comparison, ids []int64) (*gorm.DB, error) {
	few, err := s.selective(ctx, comparisons, ids)
	if err != nil || few < 0 {
		return s.searchQuery(ctx, runsTarget, comparisons).Where("runs.experiment_id IN ?", ids), err
	}
	sql, args := s.compare("f0.value", comparisons[few])
	query := s.fromMetric(ctx, "f0", comparisons[few].Key, ids, false).Where(sql, args...)
	return s.where(query, runsTarget, slices.Delete(slices.Clone(comparisons), few, few+1)), nil
}
