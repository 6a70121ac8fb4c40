package mlflowapi

import "tasador/pkg/experiment"

// KeyValue is a tag or a param.
type KeyValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Experiment is MLflow's Experiment.
type Experiment struct {
	ExperimentID     string     `json:"experiment_id"`
	Name             string     `json:"name"`
	ArtifactLocation string     `json:"artifact_location"`
	LifecycleStage   string     `json:"lifecycle_stage"`
	LastUpdateTime   Int        `json:"last_update_time"`
	CreationTime     Int        `json:"creation_time"`
	Tags             []KeyValue `json:"tags,omitempty"`
}

// Metric is one point of a metric.
type Metric struct {
	Key       string `json:"key"`
	Value     Float  `json:"value"`
	Timestamp Int    `json:"timestamp"`
	Step      Int    `json:"step"`
	ModelID   string `json:"model_id,omitempty"`
	RunID     string `json:"run_id,omitempty"`
	Dataset   string `json:"dataset_name,omitempty"`
	Digest    string `json:"dataset_digest,omitempty"`
}

// RunInfo is what a run is; EndTime is absent until it ended.
type RunInfo struct {
	RunUUID        string `json:"run_uuid"`
	ExperimentID   string `json:"experiment_id"`
	RunName        string `json:"run_name"`
	UserID         string `json:"user_id"`
	Status         string `json:"status"`
	StartTime      Int    `json:"start_time"`
	EndTime        *Int   `json:"end_time,omitempty"`
	ArtifactURI    string `json:"artifact_uri"`
	LifecycleStage string `json:"lifecycle_stage"`
	RunID          string `json:"run_id"`
}

// RunData is what a run logged: the latest point of each metric.
type RunData struct {
	Metrics []Metric   `json:"metrics,omitempty"`
	Params  []KeyValue `json:"params,omitempty"`
	Tags    []KeyValue `json:"tags,omitempty"`
}

// ModelOutput names a logged model that a run made.
type ModelOutput struct {
	ModelID string `json:"model_id"`
	Step    Int    `json:"step"`
}

// ModelInput names a logged model that a run used.
type ModelInput struct {
	ModelID string `json:"model_id"`
}

// Dataset is MLflow's Dataset.
type Dataset struct {
	Name       string `json:"name"`
	Digest     string `json:"digest"`
	SourceType string `json:"source_type"`
	Source     string `json:"source"`
	Schema     string `json:"schema,omitempty"`
	Profile    string `json:"profile,omitempty"`
}

// DatasetInput is a dataset that a run used.
type DatasetInput struct {
	Tags    []KeyValue `json:"tags,omitempty"`
	Dataset Dataset    `json:"dataset"`
}

// DatasetSummary is MLflow's DatasetSummary.
type DatasetSummary struct {
	ExperimentID string `json:"experiment_id"`
	Name         string `json:"name"`
	Digest       string `json:"digest"`
	Context      string `json:"context,omitempty"`
}

// FromDatasetSummaries translates summaries.
func FromDatasetSummaries(list []experiment.DatasetSummary) []DatasetSummary {
	return translate(list, func(s experiment.DatasetSummary) DatasetSummary { return DatasetSummary(s) })
}

// FromDataset translates a dataset.
func FromDataset(d experiment.DatasetInput) DatasetInput {
	return DatasetInput{Tags: KeyValues(d.Tags), Dataset: Dataset(d.Dataset)}
}

// Domain returns the dataset.
func (d DatasetInput) Domain() experiment.DatasetInput {
	return experiment.DatasetInput{Tags: Tags(d.Tags), Dataset: experiment.Dataset(d.Dataset)}
}

// Datasets translates datasets.
func Datasets(list []DatasetInput) []experiment.DatasetInput {
	return translate(list, DatasetInput.Domain)
}

// FromDatasets translates datasets.
func FromDatasets(list []experiment.DatasetInput) []DatasetInput { return translate(list, FromDataset) }

// ModelInputs translates logged models that a run used.
func ModelInputs(list []ModelInput) []experiment.ModelInput {
	return translate(list, func(m ModelInput) experiment.ModelInput { return experiment.ModelInput(m) })
}

// FromModelInputs translates logged models that a run used.
func FromModelInputs(list []experiment.ModelInput) []ModelInput {
	return translate(list, func(m experiment.ModelInput) ModelInput { return ModelInput(m) })
}

// RunInputs and RunOutputs are the datasets and logged models around a run.
type (
	RunInputs struct {
		DatasetInputs []DatasetInput `json:"dataset_inputs,omitempty"`
		ModelInputs   []ModelInput   `json:"model_inputs,omitempty"`
	}
	RunOutputs struct {
		ModelOutputs []ModelOutput `json:"model_outputs,omitempty"`
	}
)

// Run is MLflow's Run.
type Run struct {
	Info    RunInfo    `json:"info"`
	Data    RunData    `json:"data"`
	Inputs  RunInputs  `json:"inputs"`
	Outputs RunOutputs `json:"outputs"`
}

// KeyValues, Tags and Params translate lists of names with texts.
func KeyValues[T ~struct{ Key, Value string }](list []T) []KeyValue {
	out := make([]KeyValue, len(list))
	for i, e := range list {
		kv := struct{ Key, Value string }(e)
		out[i] = KeyValue{kv.Key, kv.Value}
	}
	return out
}

// Tags translates tags.
func Tags(list []KeyValue) []experiment.Tag {
	return translate(list, func(kv KeyValue) experiment.Tag { return experiment.Tag{Key: kv.Key, Value: kv.Value} })
}

// Params translates params.
func Params(list []KeyValue) []experiment.Param {
	return translate(list, func(kv KeyValue) experiment.Param { return experiment.Param{Key: kv.Key, Value: kv.Value} })
}

// translate maps a list; an empty one is nil.
func translate[A, B any](list []A, f func(A) B) []B {
	if len(list) == 0 {
		return nil
	}
	out := make([]B, len(list))
	for i, e := range list {
		out[i] = f(e)
	}
	return out
}

// FromExperiment and Domain translate an experiment.
func FromExperiment(e experiment.Experiment) Experiment {
	return Experiment{
		ExperimentID: e.ID, Name: e.Name, ArtifactLocation: e.ArtifactLocation, LifecycleStage: string(e.LifecycleStage),
		LastUpdateTime: Int(e.LastUpdateTime), CreationTime: Int(e.CreationTime), Tags: KeyValues(e.Tags),
	}
}

// Domain returns the experiment.
func (e Experiment) Domain() experiment.Experiment {
	return experiment.Experiment{
		ID: e.ExperimentID, Name: e.Name, ArtifactLocation: e.ArtifactLocation, LifecycleStage: experiment.LifecycleStage(e.LifecycleStage),
		CreationTime: int64(e.CreationTime), LastUpdateTime: int64(e.LastUpdateTime), Tags: Tags(e.Tags),
	}
}

// FromMetric translates a point.
func FromMetric(m experiment.Metric) Metric {
	return Metric{
		Key: m.Key, Value: Float(m.Value), Timestamp: Int(m.Timestamp), Step: Int(m.Step), ModelID: m.ModelID, RunID: m.RunID,
		Dataset: m.Dataset.Name, Digest: m.Dataset.Digest,
	}
}

// FromMetrics translates points.
func FromMetrics(list []experiment.Metric) []Metric { return translate(list, FromMetric) }

// FromRunMetrics translates points of several runs.
func FromRunMetrics(list []experiment.RunMetric) []Metric {
	out := make([]Metric, len(list))
	for i, m := range list {
		out[i] = FromMetric(m.Metric)
		out[i].RunID, out[i].ModelID = m.RunID, ""
	}
	return out
}

// Domain returns the point.
func (m Metric) Domain() experiment.Metric {
	return experiment.Metric{
		Key: m.Key, Value: float64(m.Value), Timestamp: int64(m.Timestamp), Step: int64(m.Step), ModelID: m.ModelID, RunID: m.RunID,
		Dataset: experiment.DatasetKey{Name: m.Dataset, Digest: m.Digest},
	}
}

// Metrics translates points.
func Metrics(list []Metric) []experiment.Metric { return translate(list, Metric.Domain) }

// FromRun translates a run.
func FromRun(r experiment.Run) Run {
	info := RunInfo{
		RunUUID: r.ID, RunID: r.ID, RunName: r.Name, ExperimentID: r.ExperimentID, UserID: r.UserID, Status: string(r.Status),
		StartTime: Int(r.StartTime), ArtifactURI: r.ArtifactURI, LifecycleStage: string(r.LifecycleStage),
	}
	if r.EndTime != 0 {
		end := Int(r.EndTime)
		info.EndTime = &end
	}
	return Run{
		Info:    info,
		Data:    RunData{Metrics: FromMetrics(r.Metrics), Params: KeyValues(r.Params), Tags: KeyValues(r.Tags)},
		Inputs:  RunInputs{DatasetInputs: FromDatasets(r.DatasetInputs), ModelInputs: FromModelInputs(r.ModelInputs)},
		Outputs: RunOutputs{ModelOutputs: FromOutputs(r.ModelOutputs)},
	}
}

// FromOutputs translates model outputs.
func FromOutputs(list []experiment.ModelOutput) []ModelOutput {
	return translate(list, func(m experiment.ModelOutput) ModelOutput { return ModelOutput{m.ModelID, Int(m.Step)} })
}

// Domain returns the run.
func (r Run) Domain() experiment.Run {
	out := r.Info.Domain()
	out.Metrics, out.Params, out.Tags = Metrics(r.Data.Metrics), Params(r.Data.Params), Tags(r.Data.Tags)
	out.DatasetInputs, out.ModelInputs = Datasets(r.Inputs.DatasetInputs), ModelInputs(r.Inputs.ModelInputs)
	out.ModelOutputs = translate(r.Outputs.ModelOutputs, func(m ModelOutput) experiment.ModelOutput {
		return experiment.ModelOutput{ModelID: m.ModelID, Step: int64(m.Step)}
	})
	return out
}

// Domain returns the run without its data.
func (i RunInfo) Domain() experiment.Run {
	run := experiment.Run{
		ID: i.RunID, Name: i.RunName, ExperimentID: i.ExperimentID, UserID: i.UserID, Status: experiment.Status(i.Status),
		StartTime: int64(i.StartTime), ArtifactURI: i.ArtifactURI, LifecycleStage: experiment.LifecycleStage(i.LifecycleStage),
	}
	if i.EndTime != nil {
		run.EndTime = int64(*i.EndTime)
	}
	return run
}

// FileInfo describes an artifact; FileSize is absent for folders.
type FileInfo struct {
	Path     string `json:"path"`
	IsDir    bool   `json:"is_dir"`
	FileSize *Int   `json:"file_size,omitempty"`
}
