package serving

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"

	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
	"tasador/pkg/testkit/modeltest"
)

// pythonScript runs a script of testdata with a Python of .cache and returns what it prints.
func pythonScript(t *testing.T, python, script string, input []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(python, append([]string{"roles/serving/testdata/" + script}, args...)...)
	cmd.Dir = testkit.ModuleRoot(t)
	cmd.Env = append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true", "NO_PROXY=127.0.0.1")
	cmd.Stdin = bytes.NewReader(input)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	return out
}

// TestEveryProtocolGivesThePricesOfMLflow asks the price of the same 200 listings through every protocol and every form of it, and has MLflow load the model and
// price them; and it sends /invocations what MLflow's own scoring code answers to, good and bad.
func TestEveryProtocolGivesThePricesOfMLflow(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	s := startServer(t, modeltest.Train(t, 5))
	var listings []map[string]any
	for _, l := range modeltest.Listings(31, 200) {
		listings = append(listings, asked(l))
	}
	input, err := json.Marshal(listings)
	require.NoError(t, err)

	out := pythonScript(t, testkit.Venv(t, "python"), "protocols.py", input, s.address, modeltest.Folder(t, s.model), strings.TrimSuffix(batchAsOf, "Z"))

	got := parsed[struct {
		Expected    []float64
		Answers     map[string][]float64
		Differences []struct {
			Body, Type   string
			MLflow, Ours []any
		}
	}](t, string(out))
	require.Len(t, got.Expected, 200)
	require.Len(t, got.Answers, 17)
	for way, prices := range got.Answers {
		require.Len(t, prices, 200, way)
		for i, price := range prices {
			require.InEpsilonf(t, got.Expected[i], price, 1e-9, "%s, row %d", way, i)
		}
	}
	for _, d := range got.Differences {
		t.Errorf("%s %s\n  MLflow: %v\n  ours:   %v", d.Type, d.Body, d.MLflow, d.Ours)
	}
}

// client is a Python of the environment of programs that ask a running server.
func client(t *testing.T, program string) string {
	t.Helper()
	path := filepath.Join(testkit.ModuleRoot(t), ".cache", "venv-clients", "bin", program)
	require.FileExists(t, path, "the Python packages are missing; run make test: it installs them")
	return path
}

// TestTritonsClientIsServed asks with the HTTP client that NVIDIA publishes for the Open Inference Protocol.
func TestTritonsClientIsServed(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	s := startServer(t, modeltest.Train(t, 5))
	at, err := time.Parse(time.RFC3339, batchAsOf)
	require.NoError(t, err)
	var rows [][]float64
	var want []float64
	for _, l := range modeltest.Listings(33, 50) {
		x, err := s.model.Schema.Encode(l, at)
		require.NoError(t, err)
		price, err := s.model.PriceOf(x)
		require.NoError(t, err)
		rows, want = append(rows, x), append(want, price)
	}
	input, err := json.Marshal(map[string]any{"columns": s.model.Schema.Features, "rows": rows})
	require.NoError(t, err)

	out := pythonScript(t, client(t, "python"), "triton.py", input, strings.TrimPrefix(s.address, "http://"), "RealtorPriceModel")

	got := parsed[struct {
		Live, Ready  bool
		ModelReady   bool `json:"model_ready"`
		VersionReady bool `json:"version_ready"`
		OtherReady   bool `json:"other_ready"`
		Server       OIPServer
		Model        OIPMetadata
		Prices       map[string][]float64
		ID, Version  string
		Refusals     []string
	}](t, string(out))
	require.True(t, got.Live && got.Ready && got.ModelReady && got.VersionReady)
	require.False(t, got.OtherReady)
	require.Equal(t, "tasador", got.Server.Name)
	require.Equal(t, []string{"7"}, got.Model.Versions)
	require.Len(t, got.Model.Inputs, len(s.model.Schema.Features))
	require.Equal(t, []OIPTensor{{Name: "prediction", Datatype: "FP64", Shape: []int{-1, 1}}}, got.Model.Outputs)
	require.Equal(t, "my-id", got.ID)
	require.Equal(t, "7", got.Version)
	require.Len(t, got.Prices, 4)
	for way, prices := range got.Prices {
		require.Equal(t, want, prices, way)
	}
	for i, says := range []string{
		"404: there is no model another here", "503: the tracking server", "400: Model is missing inputs", "400: the only output is prediction",
		"columns, and the model", "404: there is no model another here", "binary tensors are an extension",
	} {
		require.Contains(t, got.Refusals[i], says)
	}
}
