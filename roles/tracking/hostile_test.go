package tracking_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/roles/tracking"
)

// TestNoCallBreaks sends hostile values in every field of every call. Whatever they do, they never make the server fail, and what it
// answers is JSON. make test tries a share of all combinations, make verify all of them.
func TestNoCallBreaks(t *testing.T) { onEach(t, testNoCallBreaks) }

func testNoCallBreaks(t *testing.T, s server) {
	client := s.client()
	run, err := client.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	model, err := client.CreateLoggedModel(t.Context(), experiment.NewLoggedModel{ExperimentID: "0", SourceRunID: run.ID})
	require.NoError(t, err)
	good := map[string]string{
		"run_id": `"` + run.ID + `"`, "run_uuid": `"` + run.ID + `"`, "experiment_id": `"0"`, "experiment_ids": `["0"]`, "name": `"model"`,
		"new_name": `"model"`, "experiment_name": `"Default"`, "key": `"k"`, "value": `1`, "timestamp": `1`, "step": `1`, "metric_key": `"k"`,
		"version": `"1"`, "stage": `"Production"`, "stages": `["None"]`, "alias": `"a"`, "source": `"models:/` + model.ID + `"`,
		"model_id": `"` + model.ID + `"`, "status": `"FINISHED"`, "filter": `""`, "order_by": `[]`, "max_results": `5`, "page_token": `""`,
		"tags": `[{"key":"k","value":"v"}]`, "params": `[{"key":"k","value":"v"}]`, "metrics": `[{"key":"k","value":1,"timestamp":1,"step":1}]`,
		"models": `[{"model_id":"` + model.ID + `"}]`, "datasets": `[]`, "start_time": `1`, "end_time": `1`, "run_name": `"n"`, "user_id": `"u"`,
		"view_type": `"ALL"`, "run_view_type": `"ALL"`, "description": `"d"`, "archive_existing_versions": `true`, "path": `""`,
		"artifact_location": `""`, "model_type": `"t"`, "source_run_id": `"` + run.ID + `"`, "artifact_directory_path": `""`,
		"run_ids": `["` + run.ID + `"]`, "start_step": `0`, "end_step": `9`, "allow_deleted": `true`,
		"model_json": `"{\"artifact_path\":\"m\",\"flavors\":{},\"run_id\":\"r\",\"utc_time_created\":\"now\"}"`,
	}
	hostile := []string{
		`null`, `0`, `-1`, `1.5`, `1e308`, `-9223372036854775809`, `""`, `" "`, `"x"`, `"../../x"`, `"%2e%2e/x"`, `"\u0000"`, `"\n"`, "\"\xff\xfe\"",
		`"` + strings.Repeat("é", 3000) + `"`, `true`, `[]`, `{}`, `[null]`, `[[]]`, `[{}]`, `[{"key":null}]`, `[{"key":"k"}]`, `[{"key":"k","value":{}}]`,
		`[{"key":"k","value":"NaN","timestamp":1}]`, `[{"model_id":1}]`, `["x"]`, `[1e99]`, `"' OR 1=1 --"`, `"metrics.a > 1"`, `"eyJvZmZzZXQiOjF9"`,
		`[{"dataset":null}]`, `[{"field_name":"metrics.a","ascending":"x"}]`, `["metrics.a DESC"]`, strings.Repeat("[", 2000),
	}
	fields := slices.Sorted(maps.Keys(good))
	n := 0
	for _, c := range tracking.Calls() {
		path := "/api/2.0/mlflow" + strings.NewReplacer(":model_id", model.ID, ":key", "k").Replace(c[1])
		if strings.HasSuffix(path, "/delete") || c[0] == http.MethodDelete {
			path = strings.Replace(path, model.ID, "m-0", 1) // leave what the others need
		}
		for _, field := range fields {
			for _, value := range hostile {
				if n++; n%oneOf == 0 {
					s.attack(t, c[0], path, good, field, value)
				}
			}
		}
	}
}

// attack makes one call with one field replaced.
func (s server) attack(t *testing.T, method, path string, good map[string]string, field, value string) {
	t.Helper()
	var got answer
	if method == http.MethodGet {
		query := url.Values{}
		for name, text := range good {
			if name == field {
				text = value
			}
			query.Set(name, strings.Trim(text, `"[]`))
		}
		got = s.call(t, method, path+"?"+query.Encode(), "", "")
	} else {
		fields := make([]string, 0, len(good))
		for name, text := range good {
			if name == field {
				text = value
			}
			fields = append(fields, fmt.Sprintf("%q:%s", name, text))
		}
		got = s.call(t, method, path, "application/json", "{"+strings.Join(fields, ",")+"}")
	}
	shown := fmt.Sprintf("%s %s %s=%.100s: %d %.300s", method, path, field, value, got.status, got.body)
	require.True(t, got.status < 500 || got.status == http.StatusNotImplemented, shown)
	require.True(t, json.Valid([]byte(got.body)), shown)
	if got.status >= 400 {
		require.NotEmpty(t, got.code, shown)
		require.NotEmpty(t, got.text, shown)
	}
}

// TestRights: what changes something needs the right to write, what only shows something that to read; the rest is listed here.
func TestRights(t *testing.T) {
	public := []string{"GET /health", "GET /static/*"}
	for route, right := range tracking.Rights() {
		method, path, _ := strings.Cut(route, " ")
		want := "write"
		switch {
		case method == http.MethodGet, strings.HasSuffix(path, "/search"), strings.HasSuffix(path, "/search-datasets"), strings.HasSuffix(path, "/get-latest-versions"):
			want = "read"
		}
		for _, p := range public {
			if p == route {
				want = "public"
			}
		}
		require.Equal(t, want, right, route)
	}
}
