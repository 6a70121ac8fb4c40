package filter_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment/filter"
)

func TestFilter(t *testing.T) {
	p := filter.NewParser()
	for _, test := range []struct {
		text  string
		rules filter.Rules
		want  []filter.Comparison
	}{
		{"", filter.Runs(), nil},
		{"  ", filter.Runs(), nil},
		{"attributes.run_id != 'abc'", filter.Runs(), []filter.Comparison{{Entity: filter.Attribute, Key: "run_id", Op: filter.NotEqual, Text: "abc"}}},
		{"metrics.test_rmse<=-1.5e-3", filter.Runs(), []filter.Comparison{
			{Entity: filter.Metric, Key: "test_rmse", Op: filter.LessEqual, Numeric: true, Number: -0.0015},
		}},
		{"params.`best alpha` = '1.0' AND tags.mlflow.runName like 'a%' and run.status='FINISHED'", filter.Runs(), []filter.Comparison{
			{Entity: filter.Param, Key: "best alpha", Op: filter.Equal, Text: "1.0"},
			{Entity: filter.Tag, Key: "mlflow.runName", Op: filter.Like, Text: "a%"},
			{Entity: filter.Attribute, Key: "status", Op: filter.Equal, Text: "FINISHED"},
		}},
		{`metric."a:b c/d" > 1`, filter.Runs(), []filter.Comparison{{Entity: filter.Metric, Key: "a:b c/d", Op: filter.Greater, Numeric: true, Number: 1}}},
		{"Created > 1700000000000", filter.Runs(), []filter.Comparison{
			{Entity: filter.Attribute, Key: "start_time", Op: filter.Greater, Numeric: true, Number: 1700000000000},
		}},
		{"run_id NOT IN ('a', \"b\")", filter.Runs(), []filter.Comparison{{Entity: filter.Attribute, Key: "run_id", Op: filter.NotIn, List: []string{"a", "b"}}}},
		{"tags.x IS NOT NULL AND params.y is null", filter.Runs(), []filter.Comparison{
			{Entity: filter.Tag, Key: "x", Op: filter.IsNotNull}, {Entity: filter.Param, Key: "y", Op: filter.IsNull},
		}},
		{"tags.sql = 'it''s AND 1=1'", filter.Runs(), []filter.Comparison{{Entity: filter.Tag, Key: "sql", Op: filter.Equal, Text: "it''s AND 1=1"}}},
		{"metrics.`val_rmse_alpha_0.01` > 0", filter.Runs(), []filter.Comparison{
			{Entity: filter.Metric, Key: "val_rmse_alpha_0.01", Op: filter.Greater, Numeric: true, Number: 0},
		}},
		{"experiment_id IN ('007')", filter.Experiments(), []filter.Comparison{
			{Entity: filter.Attribute, Key: "experiment_id", Op: filter.In, List: []string{"7"}},
		}},
		{"name='x'", filter.Models(), []filter.Comparison{{Entity: filter.Attribute, Key: "name", Op: filter.Equal, Text: "x"}}},
		{"version_number >= 2", filter.Versions(), []filter.Comparison{
			{Entity: filter.Attribute, Key: "version_number", Op: filter.GreaterEqual, Numeric: true, Number: 2},
		}},
		{"creation_time < 5", filter.LoggedModels(), []filter.Comparison{
			{Entity: filter.Attribute, Key: "creation_timestamp_ms", Op: filter.Less, Numeric: true, Number: 5},
		}},
	} {
		got, err := p.Filter(test.text, test.rules)
		require.NoError(t, err, test.text)
		require.Equal(t, test.want, got, test.text)
	}
}

// TestRefusedFilters names in the message what is not supported.
func TestRefusedFilters(t *testing.T) {
	p := filter.NewParser()
	for _, test := range []struct {
		text  string
		rules filter.Rules
		names string
	}{
		{"run_id = 'a' OR run_id = 'b'", filter.Runs(), "OR"},
		{"(run_id = 'a')", filter.Runs(), "("},
		{"NOT run_id = 'a'", filter.Runs(), "run_id"},
		{"tags.a = 'b' tags.c = 'd'", filter.Runs(), "tags.c"},
		{"metrics.m LIKE 'x'", filter.Runs(), "LIKE"},
		{"metrics.m = '1'", filter.Runs(), "'1'"},
		{"tags.x > 'a'", filter.Runs(), ">"},
		{"tags.x = y", filter.Runs(), "y"},
		{"tags.x = 1", filter.Runs(), "1"},
		{"run_id IN ()", filter.Runs(), "empty list"},
		{"run_id IN ('a', 2)", filter.Runs(), "2"},
		{"status IN ('a')", filter.Runs(), "IN"},
		{"datasets.colour = 'x'", filter.Runs(), "colour"},
		{"datasets.name = 'x'", filter.Experiments(), "datasets"},
		{"attributes.colour = 'x'", filter.Runs(), "colour"},
		{"colour.x = 'y'", filter.Runs(), "colour"},
		{"metrics.m = 1; DROP TABLE runs", filter.Runs(), ";"},
		{"tags.x = 'unclosed", filter.Runs(), "unclosed"},
		{"metrics.m = 1e999", filter.Runs(), "1e999"},
		{"experiment_id = 'x'", filter.Experiments(), "x"},
		{"metrics.m > 1", filter.Experiments(), "metrics"},
		{"version_number = 1.5", filter.Versions(), "1.5"},
		{"version_number = 'x'", filter.Versions(), "x"},
		{"aliases = 'x'", filter.Models(), "aliases"},
		{"tags.x = '" + strings.Repeat("x", 60_001) + "'", filter.Runs(), "longer"},
	} {
		_, err := p.Filter(test.text, test.rules)
		require.Error(t, err, test.text)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
		require.Contains(t, err.Error(), test.names)
		require.Less(t, len(err.Error()), 1000)
	}
}

func TestOrders(t *testing.T) {
	p := filter.NewParser()
	got, err := p.Orders([]string{"metrics.test_rmse ASC", "params.`a b` desc", "start_time"}, filter.Runs())
	require.NoError(t, err)
	require.Equal(t, []filter.Order{
		{Entity: filter.Metric, Key: "test_rmse"}, {Entity: filter.Param, Key: "a b", Descending: true}, {Entity: filter.Attribute, Key: "start_time"},
	}, got)
	for _, bad := range [][]string{
		{"start_time", "created DESC"}, {"metrics.m UP"}, {"metrics.m ASC DESC"}, {"metrics"}, {""}, {"tags.x, tags.y"}, {"start_time = 1"},
	} {
		_, err := p.Orders(bad, filter.Runs())
		require.Error(t, err, bad)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
	}
	_, err = p.Orders([]string{"dataset.name"}, filter.Runs())
	require.ErrorContains(t, err, "Invalid order_by entity: dataset")
	_, err = p.Orders([]string{"tags.x"}, filter.Models())
	require.ErrorContains(t, err, "Invalid order_by entity: tag")
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{"metrics.a > 1", "tags.`b` = 'c' AND d IN ('e')", "x IS NOT NULL", "a.b.c LIKE \"%\"", "''''", "((("} {
		f.Add(seed)
	}
	p := filter.NewParser()
	f.Fuzz(func(t *testing.T, text string) {
		for _, rules := range []filter.Rules{filter.Runs(), filter.Experiments(), filter.Models(), filter.Versions(), filter.LoggedModels()} {
			_, err := p.Filter(text, rules)
			if err != nil {
				require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
			}
			_, err = p.Orders([]string{text}, rules)
			if err != nil {
				require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
			}
		}
	})
}
