package trackingstore

import (
	"math"
	"strconv"

	"tasador/pkg/experiment"
)

type experimentRow struct {
	ID               int64 `gorm:"primaryKey"`
	Name             string
	ArtifactLocation string
	LifecycleStage   string
	CreationTime     int64
	LastUpdateTime   int64
}

type experimentTagRow struct {
	ExperimentID int64  `gorm:"primaryKey"`
	Key          string `gorm:"primaryKey"`
	Value        string
}

type runRow struct {
	ID             string `gorm:"primaryKey"`
	ExperimentID   int64
	Name           string
	UserID         string
	Status         string
	StartTime      int64
	EndTime        *int64
	ArtifactURI    string
	LifecycleStage string
	DeletedTime    *int64
}

// runColumns are the columns of a run in the order of dest.
const runColumns = "runs.id, runs.experiment_id, runs.name, runs.user_id, runs.status, runs.start_time, runs.end_time, runs.artifact_uri, runs.lifecycle_stage"

func (r *runRow) dest() []any {
	return []any{&r.ID, &r.ExperimentID, &r.Name, &r.UserID, &r.Status, &r.StartTime, &r.EndTime, &r.ArtifactURI, &r.LifecycleStage}
}

type runTagRow struct {
	RunID string `gorm:"primaryKey"`
	Key   string `gorm:"primaryKey"`
	Value string
}

type paramRow struct {
	RunID string `gorm:"primaryKey"`
	Key   string `gorm:"primaryKey"`
	Value string
}

type metricRow struct {
	RunID     string  `gorm:"primaryKey"`
	Key       string  `gorm:"primaryKey"`
	Timestamp int64   `gorm:"primaryKey;autoIncrement:false"`
	Step      int64   `gorm:"primaryKey;autoIncrement:false"`
	Value     float64 `gorm:"primaryKey"`
	IsNan     bool    `gorm:"primaryKey"`
	ModelID   string
}

type latestMetricRow struct {
	ExperimentID int64  // of the run, for the index
	RunID        string `gorm:"primaryKey"`
	Key          string `gorm:"primaryKey"`
	Value        float64
	IsNan        bool
	Timestamp    int64
	Step         int64
	ModelID      string
}

type runModelRow struct {
	RunID     string `gorm:"primaryKey"`
	Direction string `gorm:"primaryKey"`
	ModelID   string `gorm:"primaryKey"`
	Step      int64
}

// The directions of a logged model as a run sees it.
const (
	input  = "input"
	output = "output"
)

type loggedModelRow struct {
	ID             string `gorm:"primaryKey"`
	ExperimentID   int64
	Name           string
	ModelType      string
	SourceRunID    string
	ArtifactURI    string
	Status         string
	StatusMessage  string
	CreationTime   int64
	LastUpdateTime int64
	LifecycleStage string
}

type loggedModelTagRow struct {
	ModelID string `gorm:"primaryKey"`
	Key     string `gorm:"primaryKey"`
	Value   string
}

type loggedModelParamRow struct {
	ModelID string `gorm:"primaryKey"`
	Key     string `gorm:"primaryKey"`
	Value   string
}

type loggedModelMetricRow struct {
	ModelID   string  `gorm:"primaryKey"`
	RunID     string  `gorm:"primaryKey"`
	Key       string  `gorm:"primaryKey"`
	Timestamp int64   `gorm:"primaryKey;autoIncrement:false"`
	Step      int64   `gorm:"primaryKey;autoIncrement:false"`
	Value     float64 `gorm:"primaryKey"`
	IsNan     bool    `gorm:"primaryKey"`
	// What it was measured on; empty if nobody said.
	DatasetName   string `gorm:"primaryKey"`
	DatasetDigest string `gorm:"primaryKey"`
}

type modelRow struct {
	ID             int64 `gorm:"primaryKey"`
	Name           string
	Description    string
	CreationTime   int64
	LastUpdateTime int64
}

type modelTagRow struct {
	ModelID int64  `gorm:"primaryKey;autoIncrement:false"`
	Key     string `gorm:"primaryKey"`
	Value   string
}

type versionRow struct {
	ModelID         int64 `gorm:"primaryKey;autoIncrement:false"`
	Version         int64 `gorm:"primaryKey;autoIncrement:false"`
	Stage           string
	Description     string
	Source          string
	StorageLocation string
	RunID           string
	LoggedModelID   string
	CreationTime    int64
	LastUpdateTime  int64
}

type versionTagRow struct {
	ModelID int64  `gorm:"primaryKey;autoIncrement:false"`
	Version int64  `gorm:"primaryKey;autoIncrement:false"`
	Key     string `gorm:"primaryKey"`
	Value   string
}

type aliasRow struct {
	ModelID int64  `gorm:"primaryKey;autoIncrement:false"`
	Alias   string `gorm:"primaryKey"`
	Version int64
}

func (experimentRow) TableName() string        { return "experiments" }
func (experimentTagRow) TableName() string     { return "experiment_tags" }
func (runRow) TableName() string               { return "runs" }
func (runTagRow) TableName() string            { return "run_tags" }
func (paramRow) TableName() string             { return "params" }
func (metricRow) TableName() string            { return "metrics" }
func (latestMetricRow) TableName() string      { return "latest_metrics" }
func (runModelRow) TableName() string          { return "run_models" }
func (loggedModelRow) TableName() string       { return "logged_models" }
func (loggedModelTagRow) TableName() string    { return "logged_model_tags" }
func (loggedModelParamRow) TableName() string  { return "logged_model_params" }
func (loggedModelMetricRow) TableName() string { return "logged_model_metrics" }
func (modelRow) TableName() string             { return "registered_models" }
func (modelTagRow) TableName() string          { return "registered_model_tags" }
func (versionRow) TableName() string           { return "model_versions" }
func (versionTagRow) TableName() string        { return "model_version_tags" }
func (aliasRow) TableName() string             { return "model_aliases" }

// point is the row as one of the run.
func (r loggedModelMetricRow) point() metricRow {
	return metricRow{RunID: r.RunID, Key: r.Key, Timestamp: r.Timestamp, Step: r.Step, Value: r.Value, IsNan: r.IsNan}
}

// stored splits a value into what is kept: NaN is 0 with a mark.
func stored(v float64) (value float64, isNaN bool) {
	if math.IsNaN(v) {
		return 0, true
	}
	return v, false
}

func loaded(value float64, isNaN bool) float64 {
	if isNaN {
		return math.NaN()
	}
	return value
}

func (r experimentRow) domain(tags []experiment.Tag) experiment.Experiment {
	return experiment.Experiment{
		ID: strconv.FormatInt(r.ID, 10), Name: r.Name, ArtifactLocation: r.ArtifactLocation,
		LifecycleStage: experiment.LifecycleStage(r.LifecycleStage), CreationTime: r.CreationTime, LastUpdateTime: r.LastUpdateTime, Tags: tags,
	}
}

func (r runRow) domain() experiment.Run {
	run := experiment.Run{
		ID: r.ID, Name: r.Name, ExperimentID: strconv.FormatInt(r.ExperimentID, 10), UserID: r.UserID, Status: experiment.Status(r.Status),
		StartTime: r.StartTime, ArtifactURI: r.ArtifactURI, LifecycleStage: experiment.LifecycleStage(r.LifecycleStage),
	}
	if r.EndTime != nil {
		run.EndTime = *r.EndTime
	}
	return run
}

func (r loggedModelRow) domain() experiment.LoggedModel {
	return experiment.LoggedModel{
		ID: r.ID, ExperimentID: strconv.FormatInt(r.ExperimentID, 10), Name: r.Name, ModelType: r.ModelType, SourceRunID: r.SourceRunID,
		ArtifactURI: r.ArtifactURI, Status: experiment.ModelStatus(r.Status), StatusMessage: r.StatusMessage,
		CreationTime: r.CreationTime, LastUpdateTime: r.LastUpdateTime, Deleted: r.LifecycleStage == string(experiment.Deleted),
	}
}
