// Package registry holds registered models, their versions, stages and aliases as MLflow defines them, and the Store that both
// the database and the HTTP client implement.
package registry

import (
	"context"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
)

// Stage is where a model version stands.
type Stage string

// The stages.
const (
	None       Stage = "None"
	Staging    Stage = "Staging"
	Production Stage = "Production"
	Archived   Stage = "Archived"
)

// Stages lists the stages in MLflow's order.
func Stages() []Stage { return []Stage{None, Staging, Production, Archived} }

// ParseStage reads a stage in any case. Codes: Invalid.
func ParseStage(s string) (Stage, error) {
	for _, stage := range Stages() {
		if strings.EqualFold(string(stage), s) {
			return stage, nil
		}
	}
	return "", apperror.New(apperror.Invalid, "Invalid Model Version stage: %s. Value must be one of None, Staging, Production, Archived.", s)
}

// Model is a registered model. Times are milliseconds since 1970 (UTC).
type Model struct {
	Name                 string
	Description          string
	CreationTimestamp    int64
	LastUpdatedTimestamp int64
	LatestVersions       []Version // the newest of each stage
	Tags                 []experiment.Tag
	Aliases              []Alias
}

// Alias is a name for one version of a model.
type Alias struct {
	Name    string
	Version string
}

// Version is one version of a registered model; Version counts from "1" and is never reused.
type Version struct {
	Name                 string
	Version              string
	Stage                Stage
	Description          string
	Source               string
	RunID                string
	ModelID              string
	Status               string // READY
	CreationTimestamp    int64
	LastUpdatedTimestamp int64
	Tags                 []experiment.Tag
	Aliases              []string
}

// NewVersion is what CreateVersion needs. Source is an artifact URI or models:/m-….
type NewVersion struct {
	Name        string
	Source      string
	RunID       string
	ModelID     string
	Description string
	Tags        []experiment.Tag
}

// Store keeps registered models and their versions. Every method may fail with apperror.Unavailable or apperror.Internal; the
// comments name the other codes.
type Store interface {
	ModelStore
	VersionStore
}

// ModelStore keeps registered models and their aliases.
type ModelStore interface {
	// CreateModel stores a model. Codes: Invalid, AlreadyExists.
	CreateModel(ctx context.Context, name, description string, tags []experiment.Tag) (*Model, error)
	// Model returns one. Codes: NotFound.
	Model(ctx context.Context, name string) (*Model, error)
	// UpdateModel changes the description; RenameModel the name, with that of its versions. Codes: Invalid, NotFound, AlreadyExists.
	UpdateModel(ctx context.Context, name, description string) (*Model, error)
	RenameModel(ctx context.Context, name, newName string) (*Model, error)
	// DeleteModel removes it with all its versions. Codes: NotFound.
	DeleteModel(ctx context.Context, name string) error
	// SearchModels returns one page. Codes: Invalid.
	SearchModels(ctx context.Context, q experiment.Search) (experiment.Page[Model], error)
	// SetModelTag sets or replaces a tag, DeleteModelTag removes it. Codes: Invalid, NotFound.
	SetModelTag(ctx context.Context, name string, t experiment.Tag) error
	DeleteModelTag(ctx context.Context, name, key string) error
	// SetAlias moves an alias to a version; DeleteAlias removes it and is content if it is missing. Codes: Invalid, NotFound.
	SetAlias(ctx context.Context, name, alias, version string) error
	DeleteAlias(ctx context.Context, name, alias string) error
}

// VersionStore keeps the versions of registered models.
type VersionStore interface {
	// CreateVersion stores the next version in stage None. Codes: Invalid, NotFound.
	CreateVersion(ctx context.Context, v NewVersion) (*Version, error)
	// Version returns one. Codes: NotFound.
	Version(ctx context.Context, name, version string) (*Version, error)
	// VersionByAlias returns the version that an alias names. Codes: Invalid (no such alias), NotFound.
	VersionByAlias(ctx context.Context, name, alias string) (*Version, error)
	// LatestVersions returns the newest version of each stage asked for; of every stage if none is. Codes: Invalid, NotFound.
	LatestVersions(ctx context.Context, name string, stages []Stage) ([]Version, error)
	// UpdateVersion changes the description. Codes: NotFound.
	UpdateVersion(ctx context.Context, name, version, description string) (*Version, error)
	// TransitionStage moves a version; archiveExisting archives the other versions of the target stage. Codes: Invalid, NotFound.
	TransitionStage(ctx context.Context, name, version string, to Stage, archiveExisting bool) (*Version, error)
	// DeleteVersion removes it; its number is not given again. Codes: NotFound.
	DeleteVersion(ctx context.Context, name, version string) error
	// SearchVersions returns one page. Codes: Invalid.
	SearchVersions(ctx context.Context, q experiment.Search) (experiment.Page[Version], error)
	// DownloadURI returns where the version's files are. Codes: NotFound.
	DownloadURI(ctx context.Context, name, version string) (string, error)
	// SetVersionTag sets or replaces a tag, DeleteVersionTag removes it. Codes: Invalid, NotFound.
	SetVersionTag(ctx context.Context, name, version string, t experiment.Tag) error
	DeleteVersionTag(ctx context.Context, name, version, key string) error
}
