package experiment

import "context"

// Store keeps experiments, runs and logged models. The SQL store and the MLflow REST client implement it; one conformance suite
// runs on both. Every method may fail with apperror.Unavailable or apperror.Internal; the comments name the other codes.
type Store interface {
	ExperimentStore
	RunStore
	LoggedModelStore
}

// ExperimentStore keeps experiments.
type ExperimentStore interface {
	// CreateExperiment stores a new experiment and returns its id. Codes: Invalid, AlreadyExists (also if the name's owner is deleted).
	CreateExperiment(ctx context.Context, e NewExperiment) (string, error)
	// Experiment returns one experiment, also a deleted one. Codes: NotFound.
	Experiment(ctx context.Context, id string) (*Experiment, error)
	// ExperimentByName returns one experiment, also a deleted one. Codes: NotFound.
	ExperimentByName(ctx context.Context, name string) (*Experiment, error)
	// SearchExperiments returns one page. Codes: Invalid (filter, order, token).
	SearchExperiments(ctx context.Context, q Search) (Page[Experiment], error)
	// SetExperimentTag sets or replaces a tag. Codes: Invalid, NotFound.
	SetExperimentTag(ctx context.Context, id string, t Tag) error
	// DeleteExperimentTag removes a tag. Codes: NotFound (also: no such tag).
	DeleteExperimentTag(ctx context.Context, id, key string) error
	// RenameExperiment changes the name. Codes: Invalid, NotFound, AlreadyExists, FailedPrecondition (deleted).
	RenameExperiment(ctx context.Context, id, name string) error
	// DeleteExperiment and RestoreExperiment move it and all its runs between the lifecycle stages. Codes: NotFound.
	DeleteExperiment(ctx context.Context, id string) error
	RestoreExperiment(ctx context.Context, id string) error
}

// RunStore keeps runs.
type RunStore interface {
	// CreateRun stores a new run in state RUNNING. Codes: Invalid (also: a deleted experiment), NotFound (experiment).
	CreateRun(ctx context.Context, r NewRun) (*Run, error)
	// Run returns a run with its data, also a deleted one. Codes: NotFound.
	Run(ctx context.Context, id string) (*Run, error)
	// UpdateRun changes what is set and returns the run without its metrics, params and tags. Codes: Invalid (also: a deleted run), NotFound.
	UpdateRun(ctx context.Context, id string, u RunUpdate) (*Run, error)
	// LogBatch stores metrics, params and tags of an active run. Repeating it changes nothing. Codes: Invalid (also: a param with
	// another value, a deleted run), NotFound.
	LogBatch(ctx context.Context, runID string, b Batch) error
	// DeleteTag removes a run's tag. Codes: NotFound.
	DeleteTag(ctx context.Context, runID, key string) error
	// SearchRuns returns one page of the runs of the experiments in q. Codes: Invalid.
	SearchRuns(ctx context.Context, q RunSearch) (Page[Run], error)
	// MetricHistory returns all points of a metric in the order of timestamp, step, value. Unknown ones give an empty page.
	MetricHistory(ctx context.Context, runID, key string, q PageRequest) (Page[Metric], error)
	// DeleteRun and RestoreRun move a run between the lifecycle stages. Codes: NotFound.
	DeleteRun(ctx context.Context, id string) error
	RestoreRun(ctx context.Context, id string) error
	// LogInputs records the datasets and logged models that a run used, LogOutputs the models that it made. Repeating it changes
	// nothing. Codes: Invalid (also: a deleted run), NotFound.
	LogInputs(ctx context.Context, runID string, in Inputs) error
	LogOutputs(ctx context.Context, runID string, models []ModelOutput) error
}

// LoggedModelStore keeps logged models.
type LoggedModelStore interface {
	// CreateLoggedModel stores a model in state PENDING. Codes: Invalid, NotFound (experiment).
	CreateLoggedModel(ctx context.Context, m NewLoggedModel) (*LoggedModel, error)
	// LoggedModel returns one. Codes: NotFound (also if it is deleted).
	LoggedModel(ctx context.Context, id string) (*LoggedModel, error)
	// FinalizeLoggedModel sets its final state. Codes: Invalid, NotFound.
	FinalizeLoggedModel(ctx context.Context, id string, s ModelStatus) (*LoggedModel, error)
	// SetLoggedModelTags sets or replaces tags. Codes: Invalid, NotFound.
	SetLoggedModelTags(ctx context.Context, id string, tags []Tag) error
	// DeleteLoggedModelTag removes a tag. Codes: NotFound (also: no such tag).
	DeleteLoggedModelTag(ctx context.Context, id, key string) error
	// LogLoggedModelParams adds params. Codes: Invalid (also: a param with another value), NotFound.
	LogLoggedModelParams(ctx context.Context, id string, params []Param) error
	// DeleteLoggedModel marks it deleted. Codes: NotFound.
	DeleteLoggedModel(ctx context.Context, id string) error
	// SearchLoggedModels returns one page of the models of the experiments in q. Codes: Invalid.
	SearchLoggedModels(ctx context.Context, q RunSearch) (Page[LoggedModel], error)
}

// NewExperiment is what CreateExperiment needs. An empty ArtifactLocation means the store's default below its artifact root.
type NewExperiment struct {
	Name             string
	ArtifactLocation string
	Tags             []Tag
}

// NewRun is what CreateRun needs. An empty Name is replaced by a random one; StartTime 0 by now.
type NewRun struct {
	ExperimentID string
	Name         string
	UserID       string
	StartTime    int64
	Tags         []Tag
}

// RunUpdate changes the fields that are not nil.
type RunUpdate struct {
	Status  *Status
	EndTime *int64
	Name    *string
}

// NewLoggedModel is what CreateLoggedModel needs.
type NewLoggedModel struct {
	ExperimentID string
	Name         string
	ModelType    string
	SourceRunID  string
	Params       []Param
	Tags         []Tag
}

// Batch is what LogBatch stores.
type Batch struct {
	Metrics []Metric
	Params  []Param
	Tags    []Tag
}

// PageRequest asks for a page; MaxResults 0 means the default of the call.
type PageRequest struct {
	MaxResults int
	PageToken  string
}

// ViewType chooses by lifecycle stage.
type ViewType string

// The view types; empty means ActiveOnly.
const (
	ActiveOnly  ViewType = "ACTIVE_ONLY"
	DeletedOnly ViewType = "DELETED_ONLY"
	All         ViewType = "ALL"
)

// Search is a filter in MLflow's language with an order.
type Search struct {
	PageRequest
	Filter  string
	OrderBy []string
	View    ViewType
}

// RunSearch searches the runs (or logged models) of some experiments.
type RunSearch struct {
	Search
	ExperimentIDs []string
	// Datasets, for logged models: comparisons with metrics look only at points that were measured on one of these; without such a comparison
	// a model is found if it has any point of one.
	Datasets []DatasetKey
	// OrderDatasets, for logged models: clause i of OrderBy looks only at points that were measured on OrderDatasets[i]; it may be shorter.
	OrderDatasets []DatasetKey
}

// Page is one page of a list; an empty NextPageToken says that it is the last.
type Page[T any] struct {
	Items         []T
	NextPageToken string
}
