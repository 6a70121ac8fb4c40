package trackingstore

import (
	"slices"
	"strings"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/experiment/filter"
)

// datasetFilter says which points of logged models a search looks at: those that were measured on some datasets.
type datasetFilter struct {
	either  []experiment.DatasetKey // for the comparisons; none means all points
	byOrder []experiment.DatasetKey // for each order clause; may be shorter
}

// measuredOn reads the datasets of a search. Codes: Invalid.
func measuredOn(q experiment.RunSearch) (*datasetFilter, error) {
	for _, d := range q.Datasets {
		if d.Name == "" {
			return nil, apperror.New(apperror.Invalid, "`dataset_name` in the `datasets` clause must be specified.")
		}
	}
	if len(q.Datasets) > maxComparisons {
		return nil, apperror.New(apperror.Invalid, "A search takes at most %d datasets.", maxComparisons)
	}
	return &datasetFilter{either: q.Datasets, byOrder: q.OrderDatasets}, nil
}

// condition narrows points to the datasets of the comparisons; it begins with AND, or is empty.
func (f *datasetFilter) condition(alias string) (sql string, args []any) {
	if len(f.either) == 0 {
		return "", nil
	}
	alternatives := make([]string, len(f.either))
	for i, d := range f.either {
		terms, bound := termsOf(d, alias+".")
		alternatives[i], args = strings.Join(terms, " AND "), append(args, bound...)
	}
	return " AND (" + strings.Join(alternatives, " OR ") + ")", args
}

func termsOf(d experiment.DatasetKey, prefix string) (terms []string, args []any) {
	if d.Name != "" {
		terms, args = append(terms, prefix+"dataset_name = ?"), append(args, d.Name)
	}
	if d.Digest != "" {
		terms, args = append(terms, prefix+"dataset_digest = ?"), append(args, d.Digest)
	}
	return terms, args
}

// narrow keeps the models that have any point of the datasets, if no comparison asks more.
func (f *datasetFilter) narrow(query *gorm.DB, t target, comparisons []filter.Comparison) *gorm.DB {
	ofMetric := func(c filter.Comparison) bool { return c.Entity == filter.Metric }
	sql, args := f.condition("f")
	if sql == "" || slices.ContainsFunc(comparisons, ofMetric) {
		return query
	}
	return query.Where("EXISTS (SELECT 1 FROM "+t.metrics+" f WHERE f.model_id = logged_models.id"+sql+")", args...)
}

// newest is the table of the points that order clause i goes by. A logged model may have a metric from several runs, steps and datasets: the
// newest point counts.
func (f *datasetFilter) newest(i int, key string) (sql string, args []any) {
	terms, args := []string{"key = ?"}, []any{key}
	if i < len(f.byOrder) {
		more, bound := termsOf(f.byOrder[i], "")
		terms, args = append(terms, more...), append(args, bound...)
	}
	return `(SELECT model_id, value, is_nan FROM (SELECT model_id, value, is_nan, ROW_NUMBER() OVER (PARTITION BY model_id
		ORDER BY timestamp DESC, step DESC, run_id, dataset_name, dataset_digest, is_nan, value) AS n FROM logged_model_metrics
		WHERE ` + strings.Join(terms, " AND ") + `) points WHERE n = 1)`, args
}
