package onnx_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/onnx"
	"tasador/pkg/testkit"
)

// judge lets the onnx checker look at a model and ONNX Runtime compute it.
const judge = `
import json, sys
import numpy, onnx, onnxruntime
onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
rows = numpy.array(json.loads(sys.argv[2]), dtype=numpy.float64)
(answer,) = session.run(["y"], {"x": rows})
meta = session.get_modelmeta()
print(json.dumps({
  "y": answer.tolist(), "dtype": str(answer.dtype), "shape": session.get_inputs()[0].shape,
  "producer": meta.producer_name, "doc": meta.description, "properties": meta.custom_metadata_map,
}))
`

func TestOnnxRuntimeComputesTheModel(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	model, err := onnx.Linear{
		Name: "line", Input: "x", Output: "y",
		Coefficients: []float64{2, -0.5, 1e-9}, Intercept: 10.25,
		Producer: "tasador", Version: "1", Doc: "a line",
		Properties: map[string]string{"b": "2", "a": "1"},
	}.Encode()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "model.onnx")
	require.NoError(t, os.WriteFile(file, model, 0o600))

	// By hand: 2·1 − 0.5·2 + 1e-9·3 + 10.25, and 2·0 − 0.5·(−7) + 1e-9·1e9 + 10.25. A float32 would lose the 3e-9.
	out, err := exec.Command(testkit.Venv(t, "python"), "-c", judge, file, "[[1,2,3],[0,-7,1e9]]").CombinedOutput() // #nosec G204 -- a test
	require.NoError(t, err, string(out))
	var answer struct {
		Y          [][]float64
		Dtype      string
		Shape      []any
		Producer   string
		Doc        string
		Properties map[string]string
	}
	require.NoError(t, json.Unmarshal(out, &answer), string(out))
	require.Len(t, answer.Y, 2)
	require.InDelta(t, 11.250000003, answer.Y[0][0], 1e-13)
	require.InDelta(t, 14.75, answer.Y[1][0], 1e-13)
	require.Equal(t, "float64", answer.Dtype)
	require.Equal(t, []any{"rows", 3.0}, answer.Shape)
	require.Equal(t, "tasador", answer.Producer)
	require.Equal(t, "a line", answer.Doc)
	require.Equal(t, map[string]string{"a": "1", "b": "2"}, answer.Properties)
}

func TestTheSameModelGivesTheSameBytes(t *testing.T) {
	l := onnx.Linear{Name: "line", Input: "x", Output: "y", Coefficients: []float64{1}, Properties: map[string]string{"c": "3", "a": "1", "b": "2"}}
	first, err := l.Encode()
	require.NoError(t, err)
	for range 20 {
		again, err := l.Encode()
		require.NoError(t, err)
		require.Equal(t, first, again)
	}
}

func TestAModelWithoutColumnsOrNamesIsRefused(t *testing.T) {
	for name, l := range map[string]onnx.Linear{
		"no coefficients":       {Name: "line", Input: "x", Output: "y"},
		"no names":              {Coefficients: []float64{1}},
		"one name for in, out":  {Name: "line", Input: "x", Output: "x", Coefficients: []float64{1}},
		"no name for the graph": {Input: "x", Output: "y", Coefficients: []float64{1}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.Encode()
			require.Error(t, err)
		})
	}
}
