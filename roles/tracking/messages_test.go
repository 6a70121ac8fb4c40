package tracking_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
)

// TestMessagesAreMLflows compares what is said about wrong requests with the texts in MLflow's mlflow/utils/validation.py,
// mlflow/server/handlers.py and mlflow/store: programs and other people's tests look for them.
func TestMessagesAreMLflows(t *testing.T) { onEach(t, testMessagesAreMLflows) }

func testMessagesAreMLflows(t *testing.T, s server) {
	run, err := s.client().CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	require.NoError(t, s.client().LogBatch(t.Context(), run.ID, experiment.Batch{Params: []experiment.Param{{Key: "a", Value: "1"}, {Key: "b", Value: "1"}}}))
	require.Equal(t, http.StatusOK, s.post(t, "registered-models/create", `{"name":"model"}`).status)
	require.Equal(t, http.StatusOK, s.post(t, "registered-models/create", `{"name":"prompt","tags":[{"key":"mlflow.prompt.is_prompt","value":"true"}]}`).status)
	gone, err := s.client().CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	require.NoError(t, s.client().DeleteRun(t.Context(), gone.ID))
	const docs = " See the API docs for more information about request parameters."
	const badName = "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
	id := `"run_id":"` + run.ID + `"`
	long := strings.Repeat("k", 251)
	for _, test := range []struct{ path, body, says string }{
		{"experiments/create", `{}`, "Missing value for required parameter 'name'." + docs},
		{"experiments/create", `{"name":7}`, "Invalid value 7 for parameter 'name' supplied:  Hint: Value was of type 'int'." + docs},
		{"experiments/create", `{"name":"` + strings.Repeat("n", 501) + `"}`, "'name' exceeds the maximum length of 500 characters"},
		{"experiments/create", `{"name":"e","tags":[{"key":"k","value":"` + strings.Repeat("v", 20001) + `"}]}`, "'value' exceeds the maximum length of 20000 characters"},
		{"experiments/update", `{"experiment_id":"0"}`, "Missing value for required parameter 'new_name'." + docs},
		{"experiments/delete", `{"experiment_id":"77"}`, "No Experiment with id=77 exists"},
		{"experiments/delete", `{"experiment_id":"x"}`, "Invalid experiment ID 'x'. Experiment ID must be a valid integer."},
		{"experiments/delete-experiment-tag", `{"experiment_id":"0","key":"k"}`, "No tag with name: k in experiment with id 0"},
		{"experiments/search-datasets", `{}`, "SearchDatasets request must specify at least one experiment_id."},
		{"runs/create", `{"experiment_id":"0","run_name":"a","tags":[{"key":"mlflow.runName","value":"b"}]}`,
			"Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='a', mlflow.runName='b')."},
		{"runs/update", `{"run_id":"` + gone.ID + `","status":"FINISHED"}`, "The run " + gone.ID + " must be in the 'active' state. Current state is deleted."},
		{"runs/delete", `{"run_id":"0123"}`, "Run with id=0123 not found"},
		{"runs/delete", `{}`, "Missing value for required parameter 'run_id'." + docs},
		{"runs/set-tag", `{"run_id":"` + gone.ID + `","key":"k","value":"v"}`, "The run " + gone.ID + " must be in the 'active' state. Current state is deleted."},
		{"runs/set-tag", `{` + id + `,"key":"a;b","value":"v"}`, `Invalid value "a;b" for parameter 'key' supplied: ` + badName},
		{"runs/delete-tag", `{` + id + `,"key":"k"}`, "No tag with name: k in run with id " + run.ID},
		{"runs/log-metric", `{` + id + `,"key":"m","value":1,"timestamp":-1}`,
			`Invalid value -1 for parameter 'timestamp' supplied: metric 'm' (value=1.0). Timestamp must be a nonnegative long (64-bit integer) `},
		{"runs/log-metric", `{` + id + `,"key":"../m","value":1,"timestamp":1}`,
			`Invalid value "../m" for parameter 'name' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such.` +
				" This name would resolve to '../m'"},
		{"runs/log-metric", `{` + id + `,"key":"` + long + `","value":1,"timestamp":1}`, "'Metric name' exceeds the maximum length of 250 characters"},
		{"runs/log-metric", `{` + id + `,"key":"m","timestamp":1}`, "Missing value for required parameter 'value'." + docs},
		{"runs/log-parameter", `{` + id + `,"key":"` + long + `","value":"1"}`, "'Param key' exceeds the maximum length of 250 characters"},
		{"runs/log-parameter", `{` + id + `,"key":"a","value":"2"}`,
			"Changing param values is not allowed. Param with key='a' was already logged with value='1' for run ID='" + run.ID + "'. Attempted logging new value '2'."},
		{"runs/log-batch", `{` + id + `,"params":[{"key":"a","value":"2"},{"key":"b","value":"1"}]}`,
			"Changing param values is not allowed. Params were already logged='[{'key': 'a', 'old_value': '1', 'new_value': '2'}]' for run ID='" + run.ID + "'."},
		{"runs/log-batch", `{` + id + `,"params":[{"key":"c","value":"2"},{"key":"c","value":"1"}]}`,
			"Duplicate parameter keys have been submitted: ['c']. Please ensure the request contains only one param value per param key."},
		{"runs/log-batch", `{` + id + `,"tags":[{"key":"ok","value":"2"},{"key":"` + long + `","value":"1"}]}`, "'tags[1].key' exceeds the maximum length of 250 characters"},
		{"runs/log-batch", `{` + id + `,"metrics":[{"key":"m","value":1,"timestamp":1},{"key":"a//b","value":1,"timestamp":1}]}`,
			`Invalid value "a//b" for parameter 'metrics[1].name' supplied: Names may be treated as files in certain cases, and must not resolve to other names ` +
				"when treated as such. This name would resolve to 'a/b'"},
		{"runs/log-batch", `{` + id + `,"params":[` + strings.Repeat(`{"key":"k","value":"v"},`, 100) + `{"key":"k","value":"v"}]}`,
			"A batch logging request can contain at most 100 params. Got 101 params. Please split up params across multiple requests and try again."},
		{"runs/outputs", `{` + id + `}`, "Missing value for required parameter 'models'." + docs},
		{"runs/log-model", `{` + id + `,"model_json":"{"}`, "Malformed model info. \n { \n is not a valid JSON."},
		{"registered-models/create", `{"name":"model"}`, "Registered Model (name=model) already exists."},
		{"registered-models/create", `{"name":"prompt"}`, "Tried to create a registered model with name 'prompt', but the name is already taken by a prompt. " +
			"MLflow does not allow creating a model and a prompt with the same name."},
		{"registered-models/create", `{"name":"a/b"}`, "Invalid model name 'a/b'. Names cannot contain '/' or ':'."},
		{"registered-models/get-latest-versions", `{"name":"none"}`, "Registered Model with name=none not found"},
		{"registered-models/alias", `{"name":"model","alias":"latest","version":"1"}`, "'latest' alias name (case insensitive) is reserved."},
		{"registered-models/alias", `{"name":"model","alias":"v1","version":"1"}`, "Version alias name 'v1' is reserved."},
		{"registered-models/alias", `{"name":"model","alias":"a b","version":"1"}`,
			"Invalid alias name: 'a b'. Names may only contain alphanumerics, underscores (_), and dashes (-)."},
		{"model-versions/transition-stage", `{"name":"model","version":"1","stage":"Production"}`, "Model Version (name=model, version=1) not found"},
		{"model-versions/transition-stage", `{"name":"model","version":"one","stage":"Production"}`, "Parameter 'version' must be an integer, got 'one'."},
		{"model-versions/transition-stage", `{"name":"model","version":"1","stage":"Live"}`,
			"Invalid Model Version stage: Live. Value must be one of None, Staging, Production, Archived."},
	} {
		got := s.post(t, test.path, test.body)
		require.GreaterOrEqual(t, got.status, 400, "%s %.200s", test.path, test.body)
		require.Less(t, got.status, 500, "%s %.200s", test.path, test.body)
		require.Equal(t, test.says, got.text, "%s %.200s", test.path, test.body)
	}
}

// TestOtherSpellings are those that protobuf's JSON allows too: lowerCamelCase names, numbers as texts, enums as numbers.
func TestOtherSpellings(t *testing.T) {
	s := start(t)
	run, err := s.client().CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	for _, test := range []struct{ path, body string }{
		{"runs/update", `{"runId":"` + run.ID + `","status":3,"endTime":"1700000000000","runName":"camel"}`},
		{"runs/log-batch", `{"runId":"` + run.ID + `","metrics":[{"key":"m","value":"1.5","timestamp":"1","step":"2","modelId":""}]}`},
	} {
		got := s.post(t, test.path, test.body)
		require.Equal(t, http.StatusOK, got.status, got.body)
	}
	nothing := s.post(t, "runs/log-batch", `{"run_id":"`+run.ID+`","metrics":[{"key":"m","value":1.5,"timestamp":1,"step":null,"model_id":null}],"params":null}`)
	require.Equal(t, http.StatusOK, nothing.status, "null is what is absent: %s", nothing.body)
	after, err := s.client().Run(t.Context(), run.ID)
	require.NoError(t, err)
	require.Equal(t, experiment.Finished, after.Status)
	require.EqualValues(t, 1700000000000, after.EndTime)
	require.Equal(t, "camel", after.Name)
	require.Len(t, after.Metrics, 1)
	got := s.post(t, "runs/search", `{"experimentIds":["0"],"runViewType":3,"maxResults":5,"orderBy":["start_time"]}`)
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Contains(t, got.body, run.ID)
	got = s.post(t, "runs/update", `{"runId":"a","run_id":"b"}`)
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Equal(t, "Request specifies both 'run_id' and 'runId'; provide only one of them.", got.text)
}
