package mlflowapi

import "tasador/pkg/registry"

// Alias is MLflow's RegisteredModelAlias.
type Alias struct {
	Alias   string `json:"alias"`
	Version string `json:"version"`
}

// RegisteredModel is MLflow's RegisteredModel.
type RegisteredModel struct {
	Name                 string         `json:"name"`
	CreationTimestamp    Int            `json:"creation_timestamp"`
	LastUpdatedTimestamp Int            `json:"last_updated_timestamp"`
	Description          string         `json:"description,omitempty"`
	LatestVersions       []ModelVersion `json:"latest_versions,omitempty"`
	Tags                 []KeyValue     `json:"tags,omitempty"`
	Aliases              []Alias        `json:"aliases,omitempty"`
}

// ModelVersion is MLflow's ModelVersion.
type ModelVersion struct {
	Name                 string     `json:"name"`
	Version              string     `json:"version"`
	CreationTimestamp    Int        `json:"creation_timestamp"`
	LastUpdatedTimestamp Int        `json:"last_updated_timestamp"`
	CurrentStage         string     `json:"current_stage"`
	Description          string     `json:"description"`
	Source               string     `json:"source"`
	RunID                string     `json:"run_id"`
	Status               string     `json:"status"`
	Tags                 []KeyValue `json:"tags,omitempty"`
	RunLink              string     `json:"run_link"`
	Aliases              []string   `json:"aliases,omitempty"`
	ModelID              string     `json:"model_id,omitempty"`
}

// FromModel translates a registered model.
func FromModel(m registry.Model) RegisteredModel {
	return RegisteredModel{
		Name: m.Name, CreationTimestamp: Int(m.CreationTimestamp), LastUpdatedTimestamp: Int(m.LastUpdatedTimestamp),
		Description: m.Description, LatestVersions: FromVersions(m.LatestVersions), Tags: KeyValues(m.Tags),
		Aliases: translate(m.Aliases, func(a registry.Alias) Alias { return Alias{a.Name, a.Version} }),
	}
}

// Domain returns the registered model.
func (m RegisteredModel) Domain() registry.Model {
	return registry.Model{
		Name: m.Name, Description: m.Description, CreationTimestamp: int64(m.CreationTimestamp),
		LastUpdatedTimestamp: int64(m.LastUpdatedTimestamp), LatestVersions: Versions(m.LatestVersions), Tags: Tags(m.Tags),
		Aliases: translate(m.Aliases, func(a Alias) registry.Alias { return registry.Alias{Name: a.Alias, Version: a.Version} }),
	}
}

// FromVersion translates a model version. Like MLflow's own server it does not send the model id, which clients read from the source.
func FromVersion(v registry.Version) ModelVersion {
	return ModelVersion{
		Name: v.Name, Version: v.Version, CreationTimestamp: Int(v.CreationTimestamp), LastUpdatedTimestamp: Int(v.LastUpdatedTimestamp),
		CurrentStage: string(v.Stage), Description: v.Description, Source: v.Source, RunID: v.RunID, Status: v.Status,
		Tags: KeyValues(v.Tags), Aliases: v.Aliases,
	}
}

// FromVersions translates model versions.
func FromVersions(list []registry.Version) []ModelVersion { return translate(list, FromVersion) }

// Domain returns the model version.
func (v ModelVersion) Domain() registry.Version {
	return registry.Version{
		Name: v.Name, Version: v.Version, Stage: registry.Stage(v.CurrentStage), Description: v.Description, Source: v.Source,
		RunID: v.RunID, ModelID: v.ModelID, Status: v.Status, CreationTimestamp: int64(v.CreationTimestamp),
		LastUpdatedTimestamp: int64(v.LastUpdatedTimestamp), Tags: Tags(v.Tags), Aliases: v.Aliases,
	}
}

// Versions translates model versions.
func Versions(list []ModelVersion) []registry.Version { return translate(list, ModelVersion.Domain) }
