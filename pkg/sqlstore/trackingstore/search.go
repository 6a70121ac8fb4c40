package trackingstore

import (
	"context"
	"strings"

	"gorm.io/gorm"

	"tasador/pkg/experiment"
	"tasador/pkg/experiment/filter"
	"tasador/pkg/sqlstore"
)

// maxPage is how many experiments, runs or logged models a page may hold.
const maxPage = 50_000

// searching is one kind of search: for rows R, which become elements E of a page.
type searching[R, E any] struct {
	target   target
	rules    filter.Rules
	standard int // elements of a page if the request does not say
	most     int // that it may ask for
	narrow   func(*gorm.DB) (*gorm.DB, error)
	order    []sortKey // after that of the request: it decides between equal ones, and tells all apart
	load     func(context.Context, []R) ([]E, error)
}

// search returns one page. Codes: Invalid.
func search[R, E any](ctx context.Context, s *Store, q experiment.Search, with searching[R, E]) (experiment.Page[E], error) {
	var page experiment.Page[E]
	comparisons, orders, err := s.parse(with.rules, q)
	if err != nil {
		return page, err
	}
	w, err := newWindow(q.PageRequest, append(with.target.sortKeys(orders), with.order...), with.standard, with.most)
	if err != nil {
		return page, err
	}
	query := with.target.joinOrders(s.searchQuery(ctx, with.target, comparisons), orders, 0)
	if with.narrow != nil {
		if query, err = with.narrow(query); err != nil {
			return page, err
		}
	}
	rows, next, err := readWindow[R](ctx, query, w)
	if err != nil {
		return page, sqlstore.Translate(err, strings.ReplaceAll(with.target.table, "_", " "))
	}
	page.NextPageToken = next
	page.Items, err = with.load(ctx, rows)
	return page, err
}

// standardRuns is how many runs a page has if the request does not say.
const standardRuns = 1000

func runKeys(orders []filter.Order) []sortKey {
	return append(runsTarget.sortKeys(orders), sortKey{"runs.start_time", whole, true}, sortKey{"runs.id", text, false})
}

// SearchRuns returns one page; equal ones come newest first.
func (s *Store) SearchRuns(ctx context.Context, q experiment.RunSearch) (experiment.Page[experiment.Run], error) {
	var page experiment.Page[experiment.Run]
	ids, err := parseExperimentIDs(q.ExperimentIDs)
	if err != nil {
		return page, err
	}
	comparisons, orders, err := s.parse(filter.Runs(), q.Search)
	if err != nil {
		return page, err
	}
	w, err := newWindow(q.PageRequest, runKeys(orders), standardRuns, maxPage)
	if err != nil {
		return page, err
	}
	rows, next, err := s.findRuns(ctx, q, ids, comparisons, orders, w)
	if err != nil {
		return page, sqlstore.Translate(err, "runs")
	}
	page.NextPageToken = next
	page.Items, err = s.loadRuns(ctx, rows)
	return page, err
}

// findRuns reads a window of runs. Where the order or the filter is by a metric it begins with the index of metrics, and is narrowed to the
// experiments by that alone: PostgreSQL, until it has counted the rows, would go through all runs of the experiment for each metric.
func (s *Store) findRuns(
	ctx context.Context, q experiment.RunSearch, ids []int64, comparisons []filter.Comparison, orders []filter.Order, w window,
) (rows []runRow, next string, err error) {
	if len(orders) > 0 && orders[0].Entity == filter.Metric {
		return readByMetric(ctx, s, newByMetric(orders[0].Key, comparisons, ids), w, func(query *gorm.DB) (*gorm.DB, error) {
			return view(runsTarget.joinOrders(query, orders, 1), "runs", q.View)
		})
	}
	query, err := s.runsQuery(ctx, comparisons, ids)
	if err != nil {
		return nil, "", err
	}
	if query, err = view(runsTarget.joinOrders(query, orders, 0), "runs", q.View); err != nil {
		return nil, "", err
	}
	return readWindow[runRow](ctx, query, w)
}

// view narrows a query to a lifecycle stage. Codes: Invalid.
func view(query *gorm.DB, table string, v experiment.ViewType) (*gorm.DB, error) {
	switch v {
	case "", experiment.ActiveOnly:
		return query.Where(table+".lifecycle_stage = ?", string(experiment.Active)), nil
	case experiment.DeletedOnly:
		return query.Where(table+".lifecycle_stage = ?", string(experiment.Deleted)), nil
	case experiment.All:
		return query, nil
	}
	return nil, experiment.InvalidValue("view_type", string(v), "It must be one of ACTIVE_ONLY, DELETED_ONLY, ALL")
}

// ofExperiments narrows a query to what some experiments hold, in a lifecycle stage. Codes: Invalid.
func ofExperiments(table string, q experiment.RunSearch) func(*gorm.DB) (*gorm.DB, error) {
	return func(query *gorm.DB) (*gorm.DB, error) {
		ids, err := parseExperimentIDs(q.ExperimentIDs)
		if err != nil {
			return nil, err
		}
		return view(query.Where(table+".experiment_id IN ?", ids), table, q.View)
	}
}
