package model

import (
	"encoding/json"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"tasador/pkg/experiment"
	"tasador/pkg/onnx"
)

// Names of the ONNX model's input and of its output, which is the column of the frame that Python gets.
const (
	inputName  = "features"
	outputName = "prediction"
)

// requirements is what Python needs to load the model; wide, because the model uses nothing new.
const requirements = `mlflow>=2.9
onnx>=1.13
onnxruntime>=1.14
pandas
numpy
`

// pythonVersion is the Python that the model is tried with; no other is refused.
const pythonVersion = "3.11"

// pythonEnv lets MLflow's scoring server make an environment for the model.
const pythonEnv = `python: "` + pythonVersion + `"
build_dependencies: [pip, setuptools, wheel]
dependencies: [-r requirements.txt]
`

// onnx returns the model as an ONNX graph whose input has one column for each feature, in the order of the schema.
func (m *Model) onnx(version string) ([]byte, error) {
	names, err := json.Marshal(m.Schema.Features)
	if err != nil {
		return nil, fmt.Errorf("encode feature names: %w", err)
	}
	return onnx.Linear{
		Name:         "tasador",
		Input:        inputName,
		Output:       outputName,
		Coefficients: m.Coefficients,
		Intercept:    m.Intercept,
		Producer:     "tasador",
		Version:      version,
		Doc:          "Price of a house in dollars, by ridge regression.",
		Properties: map[string]string{
			"recipe":   fmt.Sprintf("%s %d", m.Recipe.Name, m.Recipe.Version),
			"features": string(names),
		},
	}.Encode()
}

// mlmodel is the YAML file by which MLflow knows the model.
type mlmodel struct {
	ArtifactPath string         `yaml:"artifact_path,omitempty"`
	Flavors      map[string]any `yaml:"flavors"`
	Metadata     metadata       `yaml:"metadata"`
	Version      string         `yaml:"mlflow_version"`
	ModelID      string         `yaml:"model_id,omitempty"`
	ModelSize    int            `yaml:"model_size_bytes"`
	UUID         string         `yaml:"model_uuid,omitempty"`
	RunID        string         `yaml:"run_id,omitempty"`
	Example      exampleInfo    `yaml:"saved_input_example_info"`
	Signature    signature      `yaml:"signature"`
	Created      string         `yaml:"utc_time_created"`
}

type metadata struct {
	Recipe string            `yaml:"recipe"`
	SHA256 map[string]string `yaml:"sha256"` // of the other files, by name
}

type exampleInfo struct {
	ArtifactPath string `yaml:"artifact_path"`
	Orient       string `yaml:"pandas_orient"`
	Serving      string `yaml:"serving_input_path"`
	Type         string `yaml:"type"`
}

// signature holds JSON texts inside the YAML, as MLflow wants them.
type signature struct {
	Inputs  string  `yaml:"inputs"`
	Outputs string  `yaml:"outputs"`
	Params  *string `yaml:"params"`
}

type column struct {
	Type     string `json:"type"`
	Name     string `json:"name"`
	Required bool   `json:"required"`
}

// writtenFor is the MLflow whose MLmodel this is.
const writtenFor = "3.17.2"

func (m *Model) mlmodel(meta Meta, files []file) ([]byte, error) {
	sig, err := m.signature()
	if err != nil {
		return nil, err
	}
	doc := mlmodel{
		ArtifactPath: meta.ArtifactPath,
		Flavors: map[string]any{
			"onnx": map[string]any{
				"code": nil, "data": onnxName, "onnx_session_options": nil, "onnx_version": "1.13.0",
				"providers": []string{"CPUExecutionProvider"}, "save_as_external_data": false,
			},
			"python_function": map[string]any{
				"data": onnxName, "env": map[string]any{"virtualenv": pythonEnvName}, "loader_module": "mlflow.onnx", "python_version": pythonVersion,
			},
		},
		Metadata:  metadata{Recipe: fmt.Sprintf("%s %d", m.Recipe.Name, m.Recipe.Version), SHA256: map[string]string{}},
		Version:   writtenFor,
		ModelID:   meta.ModelID,
		UUID:      strings.TrimPrefix(meta.ModelID, "m-"),
		RunID:     meta.RunID,
		Example:   exampleInfo{ArtifactPath: exampleName, Orient: "split", Serving: servingExampleName, Type: "dataframe"},
		Signature: sig,
		Created:   meta.CreatedAt.UTC().Format("2006-01-02 15:04:05.000000"),
	}
	for _, f := range files {
		doc.Metadata.SHA256[f.name] = checksum(f.content)
		doc.ModelSize += len(f.content)
	}
	out, err := yaml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", mlmodelName, err)
	}
	return out, nil
}

// signature names every column as double, so that MLflow puts a frame's columns in the model's order and turns whole numbers of
// up to 32 bits into doubles.
func (m *Model) signature() (signature, error) {
	columns := make([]column, 0, len(m.Schema.Features))
	for _, name := range m.Schema.Features {
		columns = append(columns, column{Type: "double", Name: name, Required: true})
	}
	inputs, err := json.Marshal(columns)
	if err != nil {
		return signature{}, fmt.Errorf("encode the signature: %w", err)
	}
	outputs, err := json.Marshal([]column{{Type: "double", Name: outputName, Required: true}})
	if err != nil {
		return signature{}, fmt.Errorf("encode the signature: %w", err)
	}
	return signature{Inputs: string(inputs), Outputs: string(outputs)}, nil
}

// examples returns one row of features for Python users and the same as a request to MLflow's scoring server.
func (m *Model) examples() (example, serving []byte, err error) {
	frame := map[string]any{"columns": m.Schema.Features, "data": [][]json.RawMessage{pythonFloats(m.SelfTest.Features)}}
	if example, err = json.Marshal(frame); err != nil {
		return nil, nil, fmt.Errorf("encode %s: %w", exampleName, err)
	}
	if serving, err = json.Marshal(map[string]any{"dataframe_split": frame}); err != nil {
		return nil, nil, fmt.Errorf("encode %s: %w", servingExampleName, err)
	}
	return example, serving, nil
}

// pythonFloats writes whole numbers as 3.0: pandas would read 3 as an integer of 64 bits, which MLflow does not take for a double.
func pythonFloats(values []float64) []json.RawMessage {
	out := make([]json.RawMessage, 0, len(values))
	for _, v := range values {
		out = append(out, json.RawMessage(experiment.FormatFloat(v)))
	}
	return out
}
