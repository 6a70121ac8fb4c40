package filter_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment/filter"
	"tasador/pkg/testkit"
)

// searches are the rules by the names that the script has for them.
func searches() map[string]filter.Rules {
	return map[string]filter.Rules{
		"runs": filter.Runs(), "experiments": filter.Experiments(), "models": filter.Models(), "versions": filter.Versions(),
		"logged": filter.LoggedModels(),
	}
}

// filters are tried in every search.
var filters = []string{
	"name = 'x'", "name='x'", "attribute.name = 'x'", "attributes.name = 'x'", "attr.name = 'x'", "run.status = 'FINISHED'", `name = "x"`, "name != 'x'",
	"name LIKE 'x%'", "name like 'x%'", "name ILIKE '%x'", "name IN ('a', 'b')", "name IN ('a')", "name NOT IN ('a', 'b')", "name in ('a')", "name > 'x'",
	"name = x", "name = 5", "`name` = 'x'", "`attributes`.name = 'x'", "attributes.`name` = 'x'", `attributes."name" = 'x'`, "Name = 'x'", "name IS NULL",
	"metrics.a > 1", "metric.a > 1", "metrics.a >= 1.5", "metrics.a<1", "metrics.a <= -1", "metrics.a = 1e3", "metrics.a != .5", "metrics.a > '1'",
	"metrics.a LIKE '1'", "metrics.`a b` > 1", `metrics."a b" > 1`, "metrics.a.b > 1", "metrics.a IS NULL", "metrics.a IN (1)", "metrics.a = a",
	"metrics.`a/b:c.d-e` > 1", "metrics.`val_rmse_alpha_0.01` < 2",
	"params.a = 'x'", "param.a = 'x'", "parameter.a = 'x'", "parameters.a = 'x'", "params.a != 'x'", "params.a LIKE 'x'", "params.a ILIKE 'x'",
	"params.a > 'x'", "params.a = 1", "params.a IS NULL", "params.a is not null", "params.a IS NOT NULL", "params.a IN ('x')", "params.`a b` = '1.0'",
	"tags.a = 'x'", "tag.a = 'x'", "tags.mlflow.user = 'x'", "tags.`mlflow.user` = 'x'", "tags.a LIKE '%'", "tags.a ilike '%'", "tags.a IS NULL",
	"tags.a IS NOT NULL", "tags.a IN ('x')", "tags.a NOT IN ('x')", "tags.a < 'x'", "tags.a = 1", "tags.`a \"b\"` = 'x'",
	"dataset.name = 'x'", "datasets.name = 'x'", "datasets.digest LIKE 'x'", "datasets.context IN ('train', 'eval')", "datasets.name NOT IN ('x')",
	"datasets.profile = 'x'", "datasets.name > 'x'", "datasets.name IS NULL",
	"run_id = 'x'", "run_id IN ('a', 'b')", "run_id NOT IN ('a')", "run_id IN ('A', 'b')", "run_id IN ()", "run_id IN (1)", "run_id IN ('a', 1)", "run_id IN 'a'", "run_id LIKE 'x'",
	"run_id != 'x'", "run_name = 'x'", "`run name` = 'x'", "attributes.`Run Name` = 'x'", "run_name IN ('x')", "status = 'FINISHED'", "status IN ('x')",
	"user_id = 'x'", "artifact_uri LIKE 'x'", "start_time > 5", "start_time = '5'", "start_time > 5.5", "attributes.start_time <= 5", "created > 5", "Created > 5",
	"end_time < 5", "start_time LIKE '5'", "start_time IS NULL", "lifecycle_stage = 'active'", "experiment_id = '1'",
	"creation_time > 5", "last_update_time < 5", "creation_time = '5'", "creation_timestamp > 5", "last_updated_timestamp > 5",
	"creation_timestamp_ms > 5", "model_id = 'm-1'", "model_type IN ('x')", "source_run_id = 'x'",
	"version_number > 1", "version_number = 1", "version_number = '1'", "version_number IN (1)", "version = 1", "source_path = 'x'", "source_path LIKE 'x'",
	"", " ", "name = 'x' AND name = 'y'", "name = 'x' and name = 'y'", "name = 'x' And tags.a = 'y' AND tags.b != 'z'", "name = 'x'\nAND\ttags.a = 'y'",
	"name = 'x' OR name = 'y'", "(name = 'x')", "NOT name = 'x'", "name = 'x' AND", "AND name = 'x'", "name = 'x' name = 'y'", "name = 'x', name = 'y'",
	"name", "name =", "= 'x'", "name == 'x'", "name <> 'x'", "name = 'x", "name = 'x; y'", "name = 'x'; name = 'y'", "tags.a = 'it''s'", "tags.a = \"it's\"",
	"tags.a = 'AND'", "tags.a = ''", "tags.a = ' x '", "colour.a = 'x'", "colour = 'x'", "tags = 'x'", "tags. = 'x'", ".a = 'x'",
	"name BETWEEN 'a' AND 'b'", "name = 'x' -- y", "tags.`mlflow.prompt.is_prompt` = 'true'", "tags.name = 'x'", "tags.key = 'x'", "tags.value = 'x'", "tags.version = 'x'",
	"tags.order = 'x'", "tags.date = 'x'", "tags.select = 'x'", "params.type = 'x'", "params.max = '1'", "metrics.count > 1", "metrics.min > 1", "metrics.f1 > 1",
	"params.in = 'x'", "tags.like = 'x'", "tags.and = 'x'", "tags.is = 'x'", "tags.null = 'x'", "tags.not = 'x'", "tags.asc = 'x'",
	"params.lr = '1e-3'", "params.ñandú = 'x'", "tags.日本 = 'x'", "tags.a-b = 'x'", "tags.a/b = 'x'", "tags.a:b = 'x'", "tags.a1 = 'x'", "tags.1a = 'x'", "metrics._a > 1",
	"metrics.a > +1", "metrics.a > 1.", "metrics.a > 1e-5", "metrics.a > - 1", "metrics.a > 0x10", "metrics.a > NaN", "metrics.a > Infinity", "metrics.a > 1_000",
	"metrics.a > 1AND metrics.b > 2", "metrics.a>1 AND metrics.b<2 AND params.c='d'",
}

var orders = []string{
	"name", "name ASC", "name desc", "name DESC", "metrics.a", "metrics.a ASC", "metrics.`a b` DESC", `metrics."a b" desc`, "params.a", "tags.a DESC",
	"tags.`mlflow.user`", "attributes.start_time", "start_time DESC", "created", "Created DESC", "attribute.end_time asc", "run_id", "run_name", "attributes.`run name`",
	"status", "user_id DESC", "artifact_uri", "experiment_id", "experiment_id DESC", "creation_time", "last_update_time DESC", "timestamp", "timestamp ASC",
	"last_updated_timestamp DESC", "creation_timestamp", "version_number DESC", "datasets.name", "colour", "metrics", "", " ", "name UP", "name ASC DESC", "name, status",
	"name = 'x'", "attributes.name DESC", "metric.a", "param.a", "parameters.a ASC", "tag.a", "`name` ASC", "metrics.a.b DESC", "metrics.order", "tags.date DESC", "name;",
}

// deviations are where we differ on purpose.
var deviations = map[string]string{
	" ":                              "no filter",
	"AND name = 'x'":                 "MLflow looks away from an AND too many, or too few, in some searches",
	"name = 'x' AND":                 "see above",
	"name = 'x' name = 'y'":          "see above",
	"name like 'x%'":                 "taken in any case in all searches",
	"tags.a ilike '%'":               "see above",
	"tags. = 'x'":                    "no key has no name",
	"`name` = 'x'":                   "back-ticks in all searches",
	"attributes.\"name\" = 'x'":      "double quotes in all searches",
	"metrics.\"a b\" > 1":            "see above",
	"name = \"x\"":                   "see above",
	"tags.a = \"it's\"":              "see above",
	"attributes.`run name`":          "orders know the other spellings as filters do",
	"metrics.a > +1":                 "a number may have a sign",
	"metrics.a > 1AND metrics.b > 2": "words end where numbers do",
	"metrics.a > 1_000":              "Python's own forms of numbers are refused in all searches",
	"metrics.a > Infinity":           "see above",
	"metrics.a > NaN":                "see above",
	"params.in = 'x'":                "no word of the language is forbidden as a key",
	"experiment_id = '1'":            "logged models are searched by experiment anyway",
	"tags.a-b = 'x'":                 "such keys stand in back-ticks in all searches",
	"tags.a/b = 'x'":                 "see above",
}

type question struct {
	Search  string  `json:"search"`
	Filter  *string `json:"filter,omitempty"`
	OrderBy *string `json:"order_by,omitempty"`
}

type verdict struct {
	Parsed  [][]any
	Refused string
	Failed  string
}

// askMLflow reads filters and orders with MLflow's own parsers.
func askMLflow(t *testing.T, questions []question) []verdict {
	t.Helper()
	var in bytes.Buffer
	lines := json.NewEncoder(&in)
	for _, q := range questions {
		require.NoError(t, lines.Encode(q))
	}
	cmd := exec.CommandContext(t.Context(), testkit.Venv(t, "python"), filepath.Join(testkit.ModuleRoot(t), "scripts", "python", "search_language.py"))
	var complaints bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stderr = t.TempDir(), &in, &complaints
	out, err := cmd.Output()
	require.NoError(t, err, "%s", &complaints)
	verdicts := make([]verdict, len(questions))
	for i, line := range bytes.Split(bytes.TrimSpace(out), []byte("\n")) {
		require.NoError(t, json.Unmarshal(line, &verdicts[i]), "%s", line)
	}
	return verdicts
}

// TestMLflowReadsTheSame compares with MLflow's own parsers what is taken and what it means, in all five searches.
func TestMLflowReadsTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	var questions []question
	for search := range searches() {
		for _, f := range filters {
			questions = append(questions, question{Search: search, Filter: &f})
		}
		for _, o := range orders {
			if search != "logged" { // its order is no text
				questions = append(questions, question{Search: search, OrderBy: &o})
			}
		}
	}
	p := filter.NewParser()
	for i, v := range askMLflow(t, questions) {
		q := questions[i]
		var ours [][]any
		var err error
		var text string
		if q.Filter != nil {
			text = *q.Filter
			var list []filter.Comparison
			list, err = p.Filter(text, searches()[q.Search])
			for _, c := range list {
				ours = append(ours, []any{string(c.Entity), c.Key, string(c.Op), valueOf(c)})
			}
		} else {
			text = *q.OrderBy
			var list []filter.Order
			list, err = p.Orders([]string{text}, searches()[q.Search])
			for _, o := range list {
				ours = append(ours, []any{string(o.Entity), o.Key, !o.Descending})
			}
		}
		var theirs [][]any
		for _, c := range v.Parsed {
			theirs = append(theirs, canonical(c))
		}
		if deviations[text] != "" || (q.Search == "versions" && strings.HasPrefix(text, "tag") && q.OrderBy != nil) {
			continue // MLflow's parser of orders for versions lets tags pass, its store refuses them
		}
		shown := fmt.Sprintf("%s %q: MLflow %v %s%s, we %v %v", q.Search, text, theirs, v.Refused, v.Failed, ours, err)
		if (err != nil) != (v.Parsed == nil) || fmt.Sprint(ours) != fmt.Sprint(theirs) {
			t.Error(shown)
		}
	}
}

func valueOf(c filter.Comparison) any {
	switch {
	case c.List != nil:
		return c.List
	case c.Numeric:
		return c.Number
	case c.Op == filter.IsNull || c.Op == filter.IsNotNull:
		return nil
	}
	return c.Text
}

// canonical writes what MLflow read as we write it.
func canonical(c []any) []any {
	entity, _ := c[0].(string)
	entities := map[string]string{"attributes": "attribute", "metrics": "metric", "params": "parameter", "tags": "tag"}
	if e, ok := entities[entity]; ok {
		c[0] = e
	}
	key, _ := c[1].(string)
	keys := map[string]string{"created": "start_time", "Created": "start_time", "run name": "run_name", "Run name": "run_name", "Run Name": "run_name"}
	if k, ok := keys[key]; ok && c[0] == "attribute" {
		c[1] = k
	}
	if len(c) < 4 {
		return c
	}
	if s, ok := c[3].(string); ok && c[0] == "metric" {
		if n, err := strconv.ParseFloat(s, 64); err == nil {
			c[3] = n
		}
	}
	if op, _ := c[2].(string); strings.HasPrefix(op, "IS") {
		c[3] = nil
	}
	return slices.Clone(c)
}
