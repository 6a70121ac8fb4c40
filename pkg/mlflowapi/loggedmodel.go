package mlflowapi

import "tasador/pkg/experiment"

// LoggedModelInfo is what a logged model is.
type LoggedModelInfo struct {
	ModelID              string     `json:"model_id"`
	ExperimentID         string     `json:"experiment_id"`
	Name                 string     `json:"name"`
	CreationTimestampMS  Int        `json:"creation_timestamp_ms"`
	LastUpdatedTimestamp Int        `json:"last_updated_timestamp_ms"`
	ArtifactURI          string     `json:"artifact_uri"`
	Status               string     `json:"status"`
	ModelType            string     `json:"model_type,omitempty"`
	SourceRunID          string     `json:"source_run_id,omitempty"`
	StatusMessage        string     `json:"status_message,omitempty"`
	Tags                 []KeyValue `json:"tags,omitempty"`
}

// LoggedModelData is what was logged about it.
type LoggedModelData struct {
	Params  []KeyValue `json:"params,omitempty"`
	Metrics []Metric   `json:"metrics,omitempty"`
}

// LoggedModel is MLflow's LoggedModel.
type LoggedModel struct {
	Info LoggedModelInfo `json:"info"`
	Data LoggedModelData `json:"data"`
}

// The states of a logged model with the numbers of MLflow's enum, which clients may send instead.
var modelStatus = []struct {
	domain experiment.ModelStatus
	number string
}{
	{experiment.ModelPending, "1"}, {experiment.ModelReady, "2"}, {experiment.ModelUploadFailed, "3"},
}

// ModelStatus reads the state of a logged model, by name or by number; ok is false if it is none.
func ModelStatus(text string) (s experiment.ModelStatus, ok bool) {
	for _, m := range modelStatus {
		if text == string(m.domain) || text == m.number {
			return m.domain, true
		}
	}
	return "", false
}

// FromLoggedModel translates a logged model.
func FromLoggedModel(m experiment.LoggedModel) LoggedModel {
	return LoggedModel{
		Info: LoggedModelInfo{
			ModelID: m.ID, ExperimentID: m.ExperimentID, Name: m.Name, CreationTimestampMS: Int(m.CreationTime),
			LastUpdatedTimestamp: Int(m.LastUpdateTime), ArtifactURI: m.ArtifactURI, Status: string(m.Status), ModelType: m.ModelType,
			SourceRunID: m.SourceRunID, StatusMessage: m.StatusMessage, Tags: KeyValues(m.Tags),
		},
		Data: LoggedModelData{Params: KeyValues(m.Params), Metrics: FromMetrics(m.Metrics)},
	}
}

// Domain returns the logged model.
func (m LoggedModel) Domain() experiment.LoggedModel {
	status, _ := ModelStatus(m.Info.Status)
	return experiment.LoggedModel{
		ID: m.Info.ModelID, ExperimentID: m.Info.ExperimentID, Name: m.Info.Name, ModelType: m.Info.ModelType,
		SourceRunID: m.Info.SourceRunID, ArtifactURI: m.Info.ArtifactURI, Status: status, StatusMessage: m.Info.StatusMessage,
		CreationTime: int64(m.Info.CreationTimestampMS), LastUpdateTime: int64(m.Info.LastUpdatedTimestamp),
		Params: Params(m.Data.Params), Tags: Tags(m.Info.Tags), Metrics: Metrics(m.Data.Metrics),
	}
}
