package mlflowapi_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/mlflowapi"
)

func TestNumbers(t *testing.T) {
	for text, want := range map[string]float64{
		`1`: 1, `-0.5`: -0.5, `1e-300`: 1e-300, `"2.5"`: 2.5, `"Infinity"`: math.Inf(1), `"-Infinity"`: math.Inf(-1), `1.7976931348623157e308`: math.MaxFloat64,
	} {
		var f mlflowapi.Float
		require.NoError(t, json.Unmarshal([]byte(text), &f), text)
		require.Equal(t, want, float64(f), text) //nolint:testifylint // exact
		again, err := json.Marshal(f)
		require.NoError(t, err)
		var g mlflowapi.Float
		require.NoError(t, json.Unmarshal(again, &g))
		require.Equal(t, f, g)
	}
	var nan mlflowapi.Float
	require.NoError(t, json.Unmarshal([]byte(`"NaN"`), &nan))
	require.True(t, math.IsNaN(float64(nan)))
	text, err := json.Marshal(nan)
	require.NoError(t, err)
	require.Equal(t, `"NaN"`, string(text))
	for _, bad := range []string{`""`, `"nan"`, `"inf"`, `"0x1p3"`, `"1_000"`, `true`, `{}`, `[]`, `1e999`, `"abc"`} {
		var f mlflowapi.Float
		require.Error(t, json.Unmarshal([]byte(bad), &f), bad)
	}
	for text, want := range map[string]int64{`12`: 12, `"12"`: 12, `3.0`: 3, `1e3`: 1000, `-9223372036854775808`: math.MinInt64, `9223372036854775807`: math.MaxInt64} {
		var i mlflowapi.Int
		require.NoError(t, json.Unmarshal([]byte(text), &i), text)
		require.EqualValues(t, want, i, text)
	}
	for _, bad := range []string{`1.5`, `"x"`, `9223372036854775808`, `true`, `""`, `"NaN"`} {
		var i mlflowapi.Int
		require.Error(t, json.Unmarshal([]byte(bad), &i), bad)
	}
}

// TestRunJSON compares with what MLflow's own server sends for such a run.
func TestRunJSON(t *testing.T) {
	text, err := json.Marshal(mlflowapi.FromRun(experiment.Run{
		ID: "r1", Name: "n", ExperimentID: "7", UserID: "ana", Status: experiment.Running, StartTime: 5, ArtifactURI: "mlflow-artifacts:/7/r1/artifacts",
		LifecycleStage: experiment.Active, Metrics: []experiment.Metric{{Key: "m", Value: math.NaN(), Timestamp: 6}},
	}))
	require.NoError(t, err)
	require.JSONEq(t, `{"info": {"run_uuid": "r1", "run_id": "r1", "run_name": "n", "experiment_id": "7", "user_id": "ana", "status": "RUNNING",
		"start_time": 5, "artifact_uri": "mlflow-artifacts:/7/r1/artifacts", "lifecycle_stage": "active"},
		"data": {"metrics": [{"key": "m", "value": "NaN", "timestamp": 6, "step": 0}]}, "inputs": {}, "outputs": {}}`, string(text))
}

func TestErrorsThereAndBack(t *testing.T) {
	for _, code := range []apperror.Code{
		apperror.Invalid, apperror.NotFound, apperror.AlreadyExists, apperror.FailedPrecondition, apperror.PermissionDenied, apperror.Unavailable,
	} {
		status, body := mlflowapi.FromError(apperror.New(code, "why"))
		require.Equal(t, "why", body.Message)
		require.Equal(t, code, mlflowapi.AppCode(status, body.Code))
	}
	status, body := mlflowapi.FromError(errors.New("password=secret"))
	require.Equal(t, 500, status)
	require.NotContains(t, body.Message, "secret")
	require.Equal(t, apperror.Unavailable, mlflowapi.AppCode(status, body.Code))
}
