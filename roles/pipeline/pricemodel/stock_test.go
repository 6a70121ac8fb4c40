package pricemodel_test

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/model"
	"tasador/pkg/registry"
	"tasador/pkg/testkit"
)

// TestAStockMLflowServerStandsInForTracking trains twice against MLflow's own server and loads what is in production with Python.
func TestAStockMLflowServerStandsInForTracking(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	t.Parallel()
	uri := testkit.StockMLflow(t)
	w := newWorldWith(t, generatedSource(t, "400,0"), uri)
	const conf = `{"as_of": "2026-01-01"}`
	w.succeeds(t, "manual__1", conf, trainPath)
	w.succeeds(t, "manual__2", conf, noTrainPath)
	w.succeeds(t, "manual__3", conf, resetPath)
	w.succeeds(t, "manual__4", conf, trainPath)
	first, second := w.runs(t, "manual__1")["train__manual__1"], w.runs(t, "manual__4")["train__manual__4"]
	w.requireProfiles(t, "manual__1", 400)
	require.Equal(t, "true", tag(t, first, "promoted"))
	require.Equal(t, "false", tag(t, second, "promoted"))
	require.Equal(t, tag(t, first, "current_rmse"), tag(t, second, "previous_best_rmse"))
	require.Equal(t, map[string]registry.Stage{"1": registry.Production, "2": registry.None}, w.versions(t))

	// At the origin a linear model gives its intercept.
	const script = `
import mlflow, pandas
model = mlflow.pyfunc.load_model("models:/RealtorPriceModel/Production")
origin = pandas.DataFrame({name: [0.0] for name in model.metadata.get_input_schema().input_names()})
print("origin:", float(model.predict(origin).to_numpy().ravel()[0]))
`
	cmd := exec.Command(testkit.Venv(t, "python"), "-c", script)
	cmd.Env = append(os.Environ(), "MLFLOW_TRACKING_URI="+uri, "MLFLOW_DISABLE_TELEMETRY=true")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	_, text, found := strings.Cut(string(out), "origin: ")
	require.True(t, found, string(out))
	got, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	require.NoError(t, err)
	file, _, err := w.tracking.OpenArtifact(t.Context(), "models:/"+first.ModelOutputs[0].ModelID, model.FileName)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	own, err := model.Load(file)
	require.NoError(t, err)
	require.InEpsilon(t, own.Intercept, got, 1e-9)
}
