package trackingstore

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/experiment/filter"
	"tasador/pkg/sqlstore"
)

// target says where a search finds the words of the filter language. Names of tables and columns come from here and from nowhere
// else; everything that a client wrote is bound as a value.
type target struct {
	table   string
	columns map[string]string // attribute → column
	match   string            // joins the tables below to the one searched; %s is their alias
	tags    string            // tables of names and values
	params  string
	metrics string // of names and values with is_nan
	prompts bool   // registered models may be prompts, which searches leave out unless they ask for them
	join    string
}

var (
	experimentsTarget = target{
		table: "experiments", match: "%s.experiment_id = experiments.id", tags: "experiment_tags",
		columns: map[string]string{
			"name": "experiments.name", "experiment_id": "CAST(experiments.id AS TEXT)",
			"creation_time": "experiments.creation_time", "last_update_time": "experiments.last_update_time",
		},
	}
	runsTarget = target{
		table: "runs", match: "%s.run_id = runs.id", tags: "run_tags", params: "params", metrics: "latest_metrics",
		columns: map[string]string{
			"run_id": "runs.id", "run_name": "runs.name", "user_id": "runs.user_id", "status": "runs.status",
			"artifact_uri": "runs.artifact_uri", "start_time": "runs.start_time", "end_time": "runs.end_time",
		},
	}
	loggedModelsTarget = target{
		table: "logged_models", match: "%s.model_id = logged_models.id", tags: "logged_model_tags", params: "logged_model_params",
		metrics: "logged_model_metrics",
		columns: map[string]string{
			"model_id": "logged_models.id", "name": "logged_models.name", "model_type": "logged_models.model_type",
			"source_run_id": "logged_models.source_run_id", "status": "logged_models.status",
			"creation_timestamp_ms": "logged_models.creation_time", "last_updated_timestamp_ms": "logged_models.last_update_time",
		},
	}
	modelsTarget = target{
		table: "registered_models", match: "%s.model_id = registered_models.id", tags: "registered_model_tags", prompts: true,
		columns: map[string]string{
			"name": "registered_models.name", "timestamp": "registered_models.last_update_time",
			"last_updated_timestamp": "registered_models.last_update_time",
		},
	}
	versionsTarget = target{
		table: "model_versions", match: "%[1]s.model_id = model_versions.model_id AND %[1]s.version = model_versions.version",
		tags: "model_version_tags", prompts: true, join: "JOIN registered_models ON registered_models.id = model_versions.model_id",
		columns: map[string]string{
			"name": "registered_models.name", "version_number": "model_versions.version", "run_id": "model_versions.run_id",
			"source_path": "model_versions.source", "creation_timestamp": "model_versions.creation_time",
			"last_updated_timestamp": "model_versions.last_update_time",
		},
	}
)

// searchQuery begins a query on t with the filter and the order of q. Codes: Invalid.
func (s *Store) searchQuery(ctx context.Context, t target, rules filter.Rules, q experiment.Search) (*gorm.DB, error) {
	comparisons, err := s.parser.Filter(q.Filter, rules)
	if err != nil {
		return nil, err
	}
	orders, err := s.parser.Orders(q.OrderBy, rules)
	if err != nil {
		return nil, err
	}
	query := s.db.WithContext(ctx).Table(t.table).Select(t.table + ".*")
	if len(comparisons) > maxComparisons || len(orders) > maxOrders {
		return nil, apperror.New(apperror.Invalid, "A search takes at most %d comparisons and %d order clauses.", maxComparisons, maxOrders)
	}
	if t.join != "" {
		query = query.Joins(t.join)
	}
	if t.prompts {
		var hide bool
		if comparisons, hide = hidePrompts(comparisons); hide {
			query = query.Where(notPrompt, promptTag, "true")
		}
	}
	for _, c := range comparisons {
		sql, args := s.condition(t, c)
		query = query.Where(sql, args...)
	}
	for i, o := range orders {
		query = order(query, t, i, o)
	}
	return query, nil
}

// What databases can take in one statement bounds a search.
const (
	maxComparisons = 100
	maxOrders      = 10
)

// condition is the SQL of one comparison.
func (s *Store) condition(t target, c filter.Comparison) (string, []any) {
	if c.Entity == filter.Attribute {
		return s.compare(t.columns[c.Key], c)
	}
	if c.Entity == filter.Dataset {
		return s.datasetCondition(c)
	}
	table := map[filter.Entity]string{filter.Tag: t.tags, filter.Param: t.params, filter.Metric: t.metrics}[c.Entity]
	sub := "EXISTS (SELECT 1 FROM " + table + " f WHERE " + fmt.Sprintf(t.match, "f") + " AND f.key = ?"
	if c.Op == filter.IsNull {
		return "NOT " + sub + ")", []any{c.Key}
	}
	if c.Op == filter.IsNotNull {
		return sub + ")", []any{c.Key}
	}
	sql, args := s.compare("f.value", c)
	if c.Entity == filter.Metric {
		// NaN is unequal to every number and neither less nor greater.
		if c.Op == filter.NotEqual {
			sql = "(f.is_nan OR " + sql + ")"
		} else {
			sql = "NOT f.is_nan AND " + sql
		}
	}
	return sub + " AND " + sql + ")", append([]any{c.Key}, args...)
}

func (s *Store) compare(column string, c filter.Comparison) (string, []any) {
	switch c.Op {
	case filter.Like, filter.ILike:
		return s.like(column, c.Op, c.Text)
	case filter.In, filter.NotIn:
		return column + " " + string(c.Op) + " ?", []any{c.List}
	default:
	}
	if c.Numeric && strings.HasSuffix(column, ".value") {
		return column + " " + string(c.Op) + " ?", []any{c.Number}
	}
	if c.Numeric {
		return compareWhole(column, c.Op, c.Number)
	}
	return column + " " + string(c.Op) + " ?", []any{c.Text}
}

// compareWhole compares a column of whole numbers. One that is whole too can use an index; PostgreSQL takes no other without a cast.
func compareWhole(column string, op filter.Op, n float64) (string, []any) {
	if n == math.Trunc(n) && math.Abs(n) < 1<<63 {
		return column + " " + string(op) + " ?", []any{int64(n)}
	}
	return column + " " + string(op) + " CAST(? AS DOUBLE PRECISION)", []any{n}
}

// like is LIKE that minds the case, or ILIKE that does not.
func (s *Store) like(column string, op filter.Op, pattern string) (string, []any) {
	if sqlstore.EngineOf(s.db) != sqlstore.SQLite {
		return column + " " + string(op) + " ? ESCAPE ''", []any{pattern} // a back-slash is a character as any other
	}
	if op == filter.ILike {
		return column + " LIKE ?", []any{pattern} // SQLite's LIKE does not mind the case
	}
	glob := strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]", "%", "*", "_", "?")
	return column + " GLOB ?", []any{glob.Replace(pattern)}
}

// order adds one order clause: values, then NaN, then missing ones, in both directions.
func order(query *gorm.DB, t target, i int, o filter.Order) *gorm.DB {
	way := ""
	if o.Descending {
		way = " DESC"
	}
	if o.Entity == filter.Attribute {
		column := t.columns[o.Key]
		if o.Key == "experiment_id" {
			column = "experiments.id" // filters compare ids as text, the order is that of numbers
		}
		return query.Order("CASE WHEN " + column + " IS NULL THEN 1 ELSE 0 END").Order(column + way)
	}
	alias := "o" + strconv.Itoa(i)
	table := map[filter.Entity]string{filter.Tag: t.tags, filter.Param: t.params, filter.Metric: t.metrics}[o.Entity]
	if table == loggedModelsTarget.metrics {
		// A logged model may have a metric from several runs and steps: the newest point counts.
		table = `(SELECT model_id, key, value, is_nan FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY model_id, key
			ORDER BY timestamp DESC, step DESC, run_id) AS n FROM logged_model_metrics) newest WHERE n = 1)`
	}
	query = query.Joins("LEFT JOIN "+table+" "+alias+" ON "+fmt.Sprintf(t.match, alias)+" AND "+alias+".key = ?", o.Key)
	rank := "CASE WHEN " + alias + ".value IS NULL THEN 2 ELSE 0 END"
	if o.Entity == filter.Metric {
		rank = "CASE WHEN " + alias + ".value IS NULL THEN 2 WHEN " + alias + ".is_nan THEN 1 ELSE 0 END"
	}
	return query.Order(rank).Order(alias + ".value" + way)
}
