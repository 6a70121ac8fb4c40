package tracking_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/pkg/registry"
)

// TestPromptsOfOtherClients: a client in Go names a folder after the prompt as its source, MLflow's server a word. Nothing is ever read there.
func TestPromptsOfOtherClients(t *testing.T) {
	onEach(t, func(t *testing.T, s server) {
		const tags = `"tags":[{"key":"mlflow.prompt.is_prompt","value":"true"},{"key":"mlflow.prompt.text","value":"Hi {{name}}"}]`
		got := s.post(t, "registered-models/create", `{"name":"0",`+tags+`}`)
		require.Equal(t, http.StatusOK, got.status, got.body)
		require.NoError(t, s.client().PutArtifact(t.Context(), "mlflow-artifacts:/0", "secret", http.NoBody)) // below the folder of that name
		for _, source := range []string{"mlflow-artifacts:/0", "prompt-template", "dummy-source"} {
			got = s.post(t, "model-versions/create", `{"name":"0","source":"`+source+`",`+tags+`}`)
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Contains(t, got.body, `"source":"`+source+`"`)
		}
		got = s.call(t, "GET", "/api/2.0/mlflow/registered-models/alias?name=0&alias=latest", "", "")
		require.Contains(t, got.body, `"version":"3"`)
		for _, version := range []string{"1", "2", "3"} {
			got = s.call(t, "GET", "/model-versions/get-artifact?name=0&path=secret&version="+version, "", "")
			require.Equal(t, http.StatusBadRequest, got.status, got.body)
		}
		for _, source := range []string{"mlflow-artifacts:/1", "mlflow-artifacts:/0/x", "mlflow-artifacts:/"} { // those of others
			got = s.post(t, "model-versions/create", `{"name":"0","source":"`+source+`",`+tags+`}`)
			require.Equal(t, http.StatusBadRequest, got.status, got.body)
		}
	})
}

// TestVersionsOfALoggedModel: the tag that lists them is written as Python writes JSON, because clients compare it as a text.
func TestVersionsOfALoggedModel(t *testing.T) {
	s := start(t)
	client := s.client()
	m, err := client.CreateLoggedModel(t.Context(), experiment.NewLoggedModel{ExperimentID: "0"})
	require.NoError(t, err)
	_, err = client.CreateModel(t.Context(), `a "b"`, "", nil)
	require.NoError(t, err)
	for _, source := range []string{m.ArtifactURI, "models:/" + m.ID} {
		_, err = client.CreateVersion(t.Context(), registry.NewVersion{Name: `a "b"`, Source: source, ModelID: m.ID})
		require.NoError(t, err)
	}
	m, err = client.LoggedModel(t.Context(), m.ID)
	require.NoError(t, err)
	require.Equal(t, []experiment.Tag{{
		Key: "mlflow.modelVersions", Value: `[{"name": "a \"b\"", "version": 1}, {"name": "a \"b\"", "version": 2}]`,
	}}, m.Tags)
}

// TestRelativeLocations: a relative folder becomes one of the server's working folder, so that it means the same to all clients.
func TestRelativeLocations(t *testing.T) {
	s := start(t)
	for location, want := range map[string]string{"my_location": "my_location", "./deep/er": "deep/er"} {
		want, err := filepath.Abs(want)
		require.NoError(t, err)
		id, err := s.client().CreateExperiment(t.Context(), experiment.NewExperiment{Name: location, ArtifactLocation: location})
		require.NoError(t, err)
		e, err := s.client().Experiment(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want, e.ArtifactLocation)
	}
}

// TestPageSizes: the words are MLflow's.
func TestPageSizes(t *testing.T) {
	s := start(t)
	for _, call := range []string{"experiments/search", "runs/search", "logged-models/search"} {
		got := s.post(t, call, `{"experiment_ids":["0"],"max_results":0}`)
		require.Equal(t, http.StatusBadRequest, got.status)
		var body map[string]string
		require.NoError(t, json.Unmarshal([]byte(got.body), &body))
		require.Equal(t, "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer", body["message"])
	}
}
