// Package experiment holds the nouns of experiment tracking as MLflow defines them: experiments, runs, params, metrics, tags and
// logged models, and the Store that both the database and the HTTP client implement.
package experiment

import "strconv"

// LifecycleStage says whether an experiment or a run is in use or deleted.
type LifecycleStage string

// The lifecycle stages.
const (
	Active  LifecycleStage = "active"
	Deleted LifecycleStage = "deleted"
)

// Status is the state of a run.
type Status string

// The run states.
const (
	Running   Status = "RUNNING"
	Scheduled Status = "SCHEDULED"
	Finished  Status = "FINISHED"
	Failed    Status = "FAILED"
	Killed    Status = "KILLED"
)

// Known reports whether s is one of the run states.
func (s Status) Known() bool {
	switch s {
	case Running, Scheduled, Finished, Failed, Killed:
		return true
	}
	return false
}

// Tags that MLflow gives a meaning.
const (
	TagRunName       = "mlflow.runName"
	TagUser          = "mlflow.user"
	TagSourceName    = "mlflow.source.name"
	TagSourceType    = "mlflow.source.type"
	TagModelVersions = "mlflow.modelVersions"
	TagDataContext   = "mlflow.data.context"
	TagModelHistory  = "mlflow.log-model.history"
)

// DefaultID is the id of the experiment "Default", which always exists.
const DefaultID = "0"

// Experiment groups runs. Times are milliseconds since 1970 (UTC), as on the wire.
type Experiment struct {
	ID               string
	Name             string
	ArtifactLocation string
	LifecycleStage   LifecycleStage
	CreationTime     int64
	LastUpdateTime   int64
	Tags             []Tag
}

// Tag is a name with a text that may change.
type Tag struct{ Key, Value string }

// Param is a name with a text that never changes once it is logged.
type Param struct{ Key, Value string }

// Metric is one point of a metric. Timestamp is in milliseconds since 1970 (UTC). Value may be NaN or infinite.
type Metric struct {
	Key       string
	Value     float64
	Timestamp int64
	Step      int64
	ModelID   string // the logged model that it belongs to; empty if none
	// Dataset is what the model was measured on, RunID the run that logged the point. Points of logged models keep both, those of runs neither.
	Dataset DatasetKey
	RunID   string
}

// RunMetric is a point of a run.
type RunMetric struct {
	RunID string
	Metric
}

// StepRange is a range of steps, both ends among it.
type StepRange struct{ First, Last int64 }

// Run is one execution: its info, its latest metrics, params and tags. EndTime is 0 until it ended.
type Run struct {
	ID             string
	Name           string
	ExperimentID   string
	UserID         string
	Status         Status
	StartTime      int64
	EndTime        int64
	ArtifactURI    string
	LifecycleStage LifecycleStage
	Metrics        []Metric
	Params         []Param
	Tags           []Tag
	DatasetInputs  []DatasetInput
	ModelInputs    []ModelInput
	ModelOutputs   []ModelOutput
}

// Dataset says which data a run used, as MLflow describes it: texts that nobody but the client understands.
type Dataset struct {
	Name       string
	Digest     string
	SourceType string
	Source     string
	Schema     string // empty if there is none
	Profile    string // empty if there is none
}

// DatasetKey names a dataset. In a search what is empty matches all.
type DatasetKey struct{ Name, Digest string }

// DatasetInput is a dataset that a run used; the tag mlflow.data.context says for what.
type DatasetInput struct {
	Dataset Dataset
	Tags    []Tag
}

// DatasetSummary says that runs of an experiment used a dataset, and for what; Context is empty if they did not say.
type DatasetSummary struct{ ExperimentID, Name, Digest, Context string }

// Inputs is what LogInputs stores.
type Inputs struct {
	Datasets []DatasetInput
	Models   []ModelInput
}

// ModelInput names a logged model that a run used; ModelOutput one that it made, at a step.
type (
	ModelInput  struct{ ModelID string }
	ModelOutput struct {
		ModelID string
		Step    int64
	}
)

// Tag returns the value of the run's tag, and whether it has one.
func (r *Run) Tag(key string) (string, bool) {
	for _, t := range r.Tags {
		if t.Key == key {
			return t.Value, true
		}
	}
	return "", false
}

// Metric returns the latest value of the run's metric, and whether it has one.
func (r *Run) Metric(key string) (float64, bool) {
	for _, m := range r.Metrics {
		if m.Key == key {
			return m.Value, true
		}
	}
	return 0, false
}

// ModelStatus is the state of a logged model.
type ModelStatus string

// The states of a logged model.
const (
	ModelPending      ModelStatus = "LOGGED_MODEL_PENDING"
	ModelReady        ModelStatus = "LOGGED_MODEL_READY"
	ModelUploadFailed ModelStatus = "LOGGED_MODEL_UPLOAD_FAILED"
)

// LoggedModel is a model that a run wrote, before or without registration.
type LoggedModel struct {
	ID             string // m- and 32 hexadecimal digits
	ExperimentID   string
	Name           string
	ModelType      string
	SourceRunID    string
	ArtifactURI    string
	Status         ModelStatus
	StatusMessage  string
	CreationTime   int64
	LastUpdateTime int64
	Deleted        bool
	Params         []Param
	Tags           []Tag
	Metrics        []Metric
}

// FormatFloat writes a number as Python's repr(float) does: the shortest text that reads back equal, 1.0 and not 1, an exponent
// of at least two digits below 1e-4 and from 1e16 on. Names, params, tags and JSON keys carry numbers in this form.
func FormatFloat(v float64) string {
	switch {
	case v != v:
		return "nan"
	case v > maxFinite:
		return "inf"
	case v < -maxFinite:
		return "-inf"
	}
	abs := v
	if abs < 0 {
		abs = -abs
	}
	if abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	for i := range s {
		if s[i] == '.' {
			return s
		}
	}
	return s + ".0"
}

const maxFinite = 1.79769313486231570814527423731704356798070e+308
