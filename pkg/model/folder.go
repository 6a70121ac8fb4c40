package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gopkg.in/yaml.v3"

	"tasador/pkg/apperror"
)

// Names of the files of a model's folder.
const (
	FileName           = "tasador.json"
	mlmodelName        = "MLmodel"
	onnxName           = "model.onnx"
	requirementsName   = "requirements.txt"
	pythonEnvName      = "python_env.yaml"
	exampleName        = "input_example.json"
	servingExampleName = "serving_input_example.json"
)

// Meta says where a folder stands in tracking. Everything but CreatedAt may be empty.
type Meta struct {
	RunID        string    // the run that logs the model
	ModelID      string    // the logged model: m- and 32 hexadecimal digits
	ArtifactPath string    // where the folder will be kept
	CreatedAt    time.Time // zero means now
	Producer     string    // version of the tasador that writes it
}

// WriteFolder writes the model's folder, which is made if it is missing: MLmodel, model.onnx, requirements.txt, python_env.yaml,
// input_example.json, serving_input_example.json and tasador.json. The same model and meta give the same bytes, so that a retry changes nothing.
// Codes: FailedPrecondition for a model that Check refuses, Unavailable if the folder cannot be written.
func WriteFolder(dir string, m *Model, meta Meta) error {
	if err := m.Check(); err != nil {
		return err
	}
	if meta.CreatedAt.IsZero() {
		meta.CreatedAt = time.Now()
	}
	files, err := m.files(meta)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot make the model folder %s; check that its parent is writable", dir)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.content, 0o600); err != nil {
			return apperror.Wrap(apperror.Unavailable, err, "cannot write %s of the model; check that %s is writable and not full", f.name, dir)
		}
	}
	return nil
}

type file struct {
	name    string
	content []byte
}

// files returns the content of the folder, MLmodel last, because it holds the checksums of the others.
func (m *Model) files(meta Meta) ([]file, error) {
	own, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", FileName, err)
	}
	graph, err := m.onnx(meta.Producer)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", onnxName, err)
	}
	example, serving, err := m.examples()
	if err != nil {
		return nil, err
	}
	files := []file{
		{FileName, append(own, '\n')},
		{onnxName, graph},
		{requirementsName, []byte(requirements)},
		{pythonEnvName, []byte(pythonEnv)},
		{exampleName, example},
		{servingExampleName, serving},
	}
	mlmodel, err := m.mlmodel(meta, files)
	if err != nil {
		return nil, err
	}
	return append(files, file{mlmodelName, mlmodel}), nil
}

// LoadFolder reads the model of a folder that WriteFolder wrote, wherever it has been since: tasador.json must have the checksum
// that MLmodel says. Codes: NotFound if there is no tasador.json, FailedPrecondition if it is not usable.
func LoadFolder(dir string) (*Model, error) {
	content, err := os.ReadFile(filepath.Join(dir, FileName)) // #nosec G304 -- the folder is the caller's
	if errors.Is(err, fs.ErrNotExist) {
		return nil, apperror.New(apperror.NotFound, "the model has no %s, so tasador did not train it and cannot serve it", FileName)
	}
	if err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "%s of the model cannot be read", FileName)
	}
	want, err := recordedChecksum(dir)
	if err != nil {
		return nil, err
	}
	if want != "" && want != checksum(content) {
		return nil, bad("its content is not what %s recorded; fetch or train it again", mlmodelName)
	}
	return Load(bytes.NewReader(content))
}

// recordedChecksum returns what MLmodel says of tasador.json, empty if it says nothing.
func recordedChecksum(dir string) (string, error) {
	f, err := os.Open(filepath.Join(dir, mlmodelName)) // #nosec G304 -- the folder is the caller's
	if err != nil {
		return "", apperror.Wrap(apperror.FailedPrecondition, err, "the model has no readable %s", mlmodelName)
	}
	defer func() { _ = f.Close() }() // only read
	var doc struct {
		Metadata metadata `yaml:"metadata"`
	}
	if err := yaml.NewDecoder(io.LimitReader(f, maxSize)).Decode(&doc); err != nil {
		return "", apperror.Wrap(apperror.FailedPrecondition, err, "%s of the model is not YAML of the expected shape", mlmodelName)
	}
	return doc.Metadata.SHA256[FileName], nil
}

func checksum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
