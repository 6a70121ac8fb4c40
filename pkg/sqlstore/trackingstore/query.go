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
	columns map[string]column // by attribute
	match   string            // joins the tables below to the one searched; %s is their alias
	tags    string            // tables of names and values
	params  string
	metrics string // of names and values with is_nan
	prompts bool   // registered models may be prompts, which searches leave out unless they ask for them
	join    string

	datasets *datasetFilter // which points of logged models count
}

// column is where an attribute is kept.
type column struct {
	sql      string
	kind     kind
	nullable bool
	id       string // for an id that is compared as a text: the number by which it is ordered
}

var (
	experimentsTarget = target{
		table: "experiments", match: "%s.experiment_id = experiments.id", tags: "experiment_tags",
		columns: map[string]column{
			"name": {sql: "experiments.name", kind: text}, "experiment_id": {sql: "CAST(experiments.id AS TEXT)", kind: text, id: "experiments.id"},
			"creation_time": {sql: "experiments.creation_time", kind: whole}, "last_update_time": {sql: "experiments.last_update_time", kind: whole},
		},
	}
	runsTarget = target{
		table: "runs", match: "%s.run_id = runs.id", tags: "run_tags", params: "params", metrics: "latest_metrics",
		columns: map[string]column{
			"run_id": {sql: "runs.id", kind: text}, "run_name": {sql: "runs.name", kind: text}, "user_id": {sql: "runs.user_id", kind: text}, "status": {sql: "runs.status", kind: text},
			"artifact_uri": {sql: "runs.artifact_uri", kind: text}, "start_time": {sql: "runs.start_time", kind: whole}, "end_time": {sql: "runs.end_time", kind: whole, nullable: true},
		},
	}
	loggedModelsTarget = target{
		table: "logged_models", match: "%s.model_id = logged_models.id", tags: "logged_model_tags", params: "logged_model_params",
		metrics: "logged_model_metrics",
		columns: map[string]column{
			"model_id": {sql: "logged_models.id", kind: text}, "name": {sql: "logged_models.name", kind: text}, "model_type": {sql: "NULLIF(logged_models.model_type, '')", kind: text, nullable: true},
			"source_run_id": {sql: "NULLIF(logged_models.source_run_id, '')", kind: text, nullable: true}, "status": {sql: "logged_models.status", kind: text},
			"artifact_location": {sql: "logged_models.artifact_uri", kind: text}, "lifecycle_stage": {sql: "logged_models.lifecycle_stage", kind: text},
			"status_message": {sql: "NULLIF(logged_models.status_message, '')", kind: text, nullable: true}, "creation_timestamp_ms": {sql: "logged_models.creation_time", kind: whole}, "last_updated_timestamp_ms": {sql: "logged_models.last_update_time", kind: whole},
		},
	}
	modelsTarget = target{
		table: "registered_models", match: "%s.model_id = registered_models.id", tags: "registered_model_tags", prompts: true,
		columns: map[string]column{
			"name": {sql: "registered_models.name", kind: text}, "timestamp": {sql: "registered_models.last_update_time", kind: whole},
			"last_updated_timestamp": {sql: "registered_models.last_update_time", kind: whole},
		},
	}
	versionsTarget = target{
		table: "model_versions", match: "%[1]s.model_id = model_versions.model_id AND %[1]s.version = model_versions.version",
		tags: "model_version_tags", prompts: true, join: "JOIN registered_models ON registered_models.id = model_versions.model_id",
		columns: map[string]column{
			"name": {sql: "registered_models.name", kind: text}, "version_number": {sql: "model_versions.version", kind: whole}, "run_id": {sql: "model_versions.run_id", kind: text},
			"source_path": {sql: "model_versions.source", kind: text}, "creation_timestamp": {sql: "model_versions.creation_time", kind: whole},
			"last_updated_timestamp": {sql: "model_versions.last_update_time", kind: whole},
		},
	}
)

// parse reads filter and order of a search. Codes: Invalid.
func (s *Store) parse(rules filter.Rules, q experiment.Search) ([]filter.Comparison, []filter.Order, error) {
	comparisons, err := s.parser.Filter(q.Filter, rules)
	if err != nil {
		return nil, nil, err
	}
	orders, err := s.parser.Orders(q.OrderBy, rules)
	if err != nil {
		return nil, nil, err
	}
	if len(comparisons) > maxComparisons || len(orders) > maxOrders {
		return nil, nil, apperror.New(apperror.Invalid, "A search takes at most %d comparisons and %d order clauses.", maxComparisons, maxOrders)
	}
	return comparisons, orders, nil
}

// searchQuery begins a query on t with a filter.
func (s *Store) searchQuery(ctx context.Context, t target, comparisons []filter.Comparison) *gorm.DB {
	columns := t.table + ".*"
	if t.table == runsTarget.table {
		columns = runColumns
	}
	query := s.db.WithContext(ctx).Table(t.table).Select([]string{columns})
	if t.join != "" {
		query = query.Joins(t.join)
	}
	if t.prompts {
		var hide bool
		if comparisons, hide = hidePrompts(comparisons); hide {
			query = query.Where(notPrompt, promptTag, "true")
		}
	}
	if t.datasets != nil {
		query = t.datasets.narrow(query, t, comparisons)
	}
	return s.where(query, t, comparisons)
}

// where adds comparisons to a query.
func (s *Store) where(query *gorm.DB, t target, comparisons []filter.Comparison) *gorm.DB {
	for _, c := range comparisons {
		sql, args := s.condition(t, c)
		query = query.Where(sql, args...)
	}
	return query
}

// What databases can take in one statement bounds a search.
const (
	maxComparisons = 100
	maxOrders      = 10
)

// condition is the SQL of one comparison.
func (s *Store) condition(t target, c filter.Comparison) (string, []any) {
	if c.Entity == filter.Attribute {
		return s.compare(t.columns[c.Key].sql, c)
	}
	if c.Entity == filter.Dataset {
		return s.datasetCondition(c)
	}
	table := map[filter.Entity]string{filter.Tag: t.tags, filter.Param: t.params, filter.Metric: t.metrics}[c.Entity]
	sub, bound := "EXISTS (SELECT 1 FROM "+table+" f WHERE "+fmt.Sprintf(t.match, "f")+" AND f.key = ?", []any{c.Key}
	if c.Entity == filter.Metric && t.datasets != nil {
		sql, args := t.datasets.condition("f")
		sub, bound = sub+sql, append(bound, args...)
	}
	if c.Op == filter.IsNull {
		return "NOT " + sub + ")", bound
	}
	if c.Op == filter.IsNotNull {
		return sub + ")", bound
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
	return sub + " AND " + sql + ")", append(bound, args...)
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

// sortKeys returns the sort keys of an order.
func (t target) sortKeys(orders []filter.Order) (keys []sortKey) {
	for i, o := range orders {
		keys = append(keys, t.sortKeysOf(i, o)...)
	}
	return keys
}

// sortKeysOf returns those of order clause i: values, then NaN, then missing ones, in both directions.
func (t target) sortKeysOf(i int, o filter.Order) []sortKey {
	if o.Entity == filter.Attribute {
		c := t.columns[o.Key]
		switch {
		case c.id != "":
			return []sortKey{{c.id, whole, o.Descending}}
		case c.nullable:
			return []sortKey{{"CASE WHEN " + c.sql + " IS NULL THEN 1 ELSE 0 END", whole, false}, {c.sql, c.kind, o.Descending}}
		}
		return []sortKey{{c.sql, c.kind, o.Descending}}
	}
	value := "o" + strconv.Itoa(i) + ".value"
	if o.Entity == filter.Metric {
		nan := "o" + strconv.Itoa(i) + ".is_nan"
		return []sortKey{{"CASE WHEN " + value + " IS NULL THEN 2 WHEN " + nan + " THEN 1 ELSE 0 END", whole, false}, {value, float, o.Descending}}
	}
	return []sortKey{{"CASE WHEN " + value + " IS NULL THEN 2 ELSE 0 END", whole, false}, {value, text, o.Descending}}
}

// joinOrders joins what the sort keys of an order need, from clause number from on.
func (t target) joinOrders(query *gorm.DB, orders []filter.Order, from int) *gorm.DB {
	for i, o := range orders {
		if i < from || o.Entity == filter.Attribute {
			continue
		}
		alias := "o" + strconv.Itoa(i)
		table := map[filter.Entity]string{filter.Tag: t.tags, filter.Param: t.params, filter.Metric: t.metrics}[o.Entity]
		if t.datasets != nil && o.Entity == filter.Metric {
			newest, args := t.datasets.newest(i, o.Key)
			query = query.Joins("LEFT JOIN "+newest+" "+alias+" ON "+fmt.Sprintf(t.match, alias), args...)
			continue
		}
		query = query.Joins("LEFT JOIN "+table+" "+alias+" ON "+fmt.Sprintf(t.match, alias)+" AND "+alias+".key = ?", o.Key)
	}
	return query
}
