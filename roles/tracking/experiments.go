package tracking

import (
	"context"
	"path/filepath"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/mlflowapi"
)

func (a *api) createExperiment(ctx context.Context, r *request) (any, error) {
	e := experiment.NewExperiment{Name: r.required("name"), ArtifactLocation: r.text("artifact_location"), Tags: r.tags()}
	if err := r.err(); err != nil {
		return nil, err
	}
	e.ArtifactLocation = absolute(e.ArtifactLocation)
	id, err := a.tracking.CreateExperiment(ctx, e)
	return object{"experiment_id": id}, err
}

// absolute makes a relative path absolute, as MLflow's server does, so that it means the same folder to all clients. One that leads upwards
// stays, and is refused.
func absolute(location string) string {
	if location == "" || strings.Contains(location, ":") || strings.Contains(location, "..") || filepath.IsAbs(location) {
		return location
	}
	if full, err := filepath.Abs(location); err == nil {
		return full
	}
	return location
}

func (a *api) getExperiment(ctx context.Context, r *request) (any, error) {
	id := r.id("experiment_id")
	if err := r.err(); err != nil {
		return nil, err
	}
	e, err := a.tracking.Experiment(ctx, id)
	return under("experiment", e, mlflowapi.FromExperiment, err)
}

func (a *api) getExperimentByName(ctx context.Context, r *request) (any, error) {
	name := r.required("experiment_name")
	if err := r.err(); err != nil {
		return nil, err
	}
	e, err := a.tracking.ExperimentByName(ctx, name)
	return under("experiment", e, mlflowapi.FromExperiment, err)
}

func (a *api) searchExperiments(ctx context.Context, r *request) (any, error) {
	q := r.search("view_type")
	if err := r.err(); err != nil {
		return nil, err
	}
	page, err := a.tracking.SearchExperiments(ctx, q)
	return paged("experiments", page, mlflowapi.FromExperiment, err)
}

func (a *api) deleteExperiment(ctx context.Context, r *request) (any, error) {
	id := r.id("experiment_id")
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.tracking.DeleteExperiment(ctx, id))
}

func (a *api) restoreExperiment(ctx context.Context, r *request) (any, error) {
	id := r.id("experiment_id")
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.tracking.RestoreExperiment(ctx, id))
}

// updateExperiment changes the name.
func (a *api) updateExperiment(ctx context.Context, r *request) (any, error) {
	id, name := r.id("experiment_id"), r.required("new_name")
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.tracking.RenameExperiment(ctx, id, name))
}

func (a *api) setExperimentTag(ctx context.Context, r *request) (any, error) {
	id, tag := r.id("experiment_id"), r.tag()
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.tracking.SetExperimentTag(ctx, id, tag))
}

func (a *api) deleteExperimentTag(ctx context.Context, r *request) (any, error) {
	id, key := r.id("experiment_id"), r.required("key")
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.tracking.DeleteExperimentTag(ctx, id, key))
}

// missingIn says which field of which element of a list is not there.
func missingIn(list string, i int, field string) error {
	return apperror.New(apperror.Invalid,
		"Missing value for required parameter '%s[%d].%s'. See the API docs for more information about request parameters.", list, i, field)
}
