package tracking

import (
	"context"

	"tasador/pkg/mlflowapi"
	"tasador/pkg/registry"
)

func (a *api) createModel(ctx context.Context, r *request) (any, error) {
	name, description, tags := r.required("name"), r.text("description"), r.tags()
	if err := r.err(); err != nil {
		return nil, err
	}
	m, err := a.models.CreateModel(ctx, name, description, tags)
	return under("registered_model", m, mlflowapi.FromModel, err)
}

func (a *api) getModel(ctx context.Context, r *request) (any, error) {
	name := r.required("name")
	if err := r.err(); err != nil {
		return nil, err
	}
	m, err := a.models.Model(ctx, name)
	return under("registered_model", m, mlflowapi.FromModel, err)
}

func (a *api) updateModel(ctx context.Context, r *request) (any, error) {
	name, description := r.required("name"), r.text("description")
	if err := r.err(); err != nil {
		return nil, err
	}
	m, err := a.models.UpdateModel(ctx, name, description)
	return under("registered_model", m, mlflowapi.FromModel, err)
}

func (a *api) renameModel(ctx context.Context, r *request) (any, error) {
	name, newName := r.required("name"), r.required("new_name")
	if err := r.err(); err != nil {
		return nil, err
	}
	m, err := a.models.RenameModel(ctx, name, newName)
	return under("registered_model", m, mlflowapi.FromModel, err)
}

func (a *api) deleteModel(ctx context.Context, r *request) (any, error) {
	name := r.required("name")
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.models.DeleteModel(ctx, name))
}

func (a *api) searchModels(ctx context.Context, r *request) (any, error) {
	q := r.search("")
	if err := r.err(); err != nil {
		return nil, err
	}
	page, err := a.models.SearchModels(ctx, q)
	return paged("registered_models", page, mlflowapi.FromModel, err)
}

func (a *api) latestVersions(ctx context.Context, r *request) (any, error) {
	name := r.required("name")
	var stages []registry.Stage
	for _, text := range r.texts("stages") {
		stages = append(stages, registry.Stage(text))
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	versions, err := a.models.LatestVersions(ctx, name, stages)
	if err != nil || len(versions) == 0 {
		return empty(err)
	}
	return object{"model_versions": mlflowapi.FromVersions(versions)}, nil
}

func (a *api) setModelTag(ctx context.Context, r *request) (any, error) {
	name, tag := r.required("name"), r.tag()
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.models.SetModelTag(ctx, name, tag))
}

func (a *api) deleteModelTag(ctx context.Context, r *request) (any, error) {
	name, key := r.required("name"), r.required("key")
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.models.DeleteModelTag(ctx, name, key))
}

func (a *api) setAlias(ctx context.Context, r *request) (any, error) {
	name, alias, version := r.required("name"), r.required("alias"), r.id("version")
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.models.SetAlias(ctx, name, alias, version))
}

func (a *api) deleteAlias(ctx context.Context, r *request) (any, error) {
	name, alias := r.required("name"), r.required("alias")
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.models.DeleteAlias(ctx, name, alias))
}

func (a *api) getVersionByAlias(ctx context.Context, r *request) (any, error) {
	name, alias := r.required("name"), r.required("alias")
	if err := r.err(); err != nil {
		return nil, err
	}
	v, err := a.models.VersionByAlias(ctx, name, alias)
	return under("model_version", v, mlflowapi.FromVersion, err)
}

func (a *api) createVersion(ctx context.Context, r *request) (any, error) {
	v := registry.NewVersion{
		Name: r.required("name"), Source: r.required("source"), RunID: r.text("run_id"), ModelID: r.text("model_id"),
		Description: r.text("description"), Tags: r.tags(),
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	created, err := a.models.CreateVersion(ctx, v)
	return under("model_version", created, mlflowapi.FromVersion, err)
}

func (a *api) getVersion(ctx context.Context, r *request) (any, error) {
	name, version := r.required("name"), r.id("version")
	if err := r.err(); err != nil {
		return nil, err
	}
	v, err := a.models.Version(ctx, name, version)
	return under("model_version", v, mlflowapi.FromVersion, err)
}

func (a *api) updateVersion(ctx context.Context, r *request) (any, error) {
	name, version, description := r.required("name"), r.id("version"), r.text("description")
	if err := r.err(); err != nil {
		return nil, err
	}
	v, err := a.models.UpdateVersion(ctx, name, version, description)
	return under("model_version", v, mlflowapi.FromVersion, err)
}

func (a *api) transitionStage(ctx context.Context, r *request) (any, error) {
	name, version, stage := r.required("name"), r.id("version"), registry.Stage(r.required("stage"))
	archive := r.truth("archive_existing_versions")
	if err := r.err(); err != nil {
		return nil, err
	}
	v, err := a.models.TransitionStage(ctx, name, version, stage, archive)
	return under("model_version", v, mlflowapi.FromVersion, err)
}

func (a *api) deleteVersion(ctx context.Context, r *request) (any, error) {
	name, version := r.required("name"), r.id("version")
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.models.DeleteVersion(ctx, name, version))
}

func (a *api) searchVersions(ctx context.Context, r *request) (any, error) {
	q := r.search("")
	if err := r.err(); err != nil {
		return nil, err
	}
	page, err := a.models.SearchVersions(ctx, q)
	return paged("model_versions", page, mlflowapi.FromVersion, err)
}

func (a *api) downloadURI(ctx context.Context, r *request) (any, error) {
	name, version := r.required("name"), r.id("version")
	if err := r.err(); err != nil {
		return nil, err
	}
	uri, err := a.models.DownloadURI(ctx, name, version)
	return object{"artifact_uri": uri}, err
}

func (a *api) setVersionTag(ctx context.Context, r *request) (any, error) {
	name, version, tag := r.required("name"), r.id("version"), r.tag()
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.models.SetVersionTag(ctx, name, version, tag))
}

func (a *api) deleteVersionTag(ctx context.Context, r *request) (any, error) {
	name, version, key := r.required("name"), r.id("version"), r.required("key")
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.models.DeleteVersionTag(ctx, name, version, key))
}
