package trackingclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"tasador/pkg/experiment"
	"tasador/pkg/mlflowapi"
	"tasador/pkg/registry"
)

type modelAnswer struct {
	Model mlflowapi.RegisteredModel `json:"registered_model"`
}

func (c *Client) model(ctx context.Context, what call) (*registry.Model, error) {
	var out modelAnswer
	if err := c.do(ctx, what, &out); err != nil {
		return nil, err
	}
	m := out.Model.Domain()
	return &m, nil
}

// CreateModel stores a registered model.
func (c *Client) CreateModel(ctx context.Context, name, description string, tags []experiment.Tag) (*registry.Model, error) {
	return c.model(ctx, create("registered-models/create",
		object{"name": name, "description": description, "tags": mlflowapi.KeyValues(tags)}))
}

// Model returns a registered model.
func (c *Client) Model(ctx context.Context, name string) (*registry.Model, error) {
	return c.model(ctx, get("registered-models/get", values("name", name)))
}

// UpdateModel changes the description.
func (c *Client) UpdateModel(ctx context.Context, name, description string) (*registry.Model, error) {
	return c.model(ctx, send(http.MethodPatch, "registered-models/update", object{"name": name, "description": description}))
}

// RenameModel changes the name of a model and its versions.
func (c *Client) RenameModel(ctx context.Context, name, newName string) (*registry.Model, error) {
	return c.model(ctx, create("registered-models/rename", object{"name": name, "new_name": newName}))
}

// DeleteModel removes a model with its versions.
func (c *Client) DeleteModel(ctx context.Context, name string) error {
	return c.do(ctx, send(http.MethodDelete, "registered-models/delete", object{"name": name}), nil)
}

func searchQuery(q experiment.Search) url.Values {
	query := url.Values{}
	if q.Filter != "" {
		query.Set("filter", q.Filter)
	}
	for _, o := range q.OrderBy {
		query.Add("order_by", o)
	}
	if q.MaxResults > 0 {
		query.Set("max_results", strconv.Itoa(q.MaxResults))
	}
	if q.PageToken != "" {
		query.Set("page_token", q.PageToken)
	}
	return query
}

// SearchModels returns one page.
func (c *Client) SearchModels(ctx context.Context, q experiment.Search) (experiment.Page[registry.Model], error) {
	var out struct {
		Models        []mlflowapi.RegisteredModel `json:"registered_models"`
		NextPageToken string                      `json:"next_page_token"`
	}
	err := c.do(ctx, get("registered-models/search", searchQuery(q)), &out)
	return page(out.Models, mlflowapi.RegisteredModel.Domain, out.NextPageToken), err
}

// SetModelTag sets or replaces a tag.
func (c *Client) SetModelTag(ctx context.Context, name string, t experiment.Tag) error {
	return c.do(ctx, post("registered-models/set-tag", object{"name": name, "key": t.Key, "value": t.Value}), nil)
}

// DeleteModelTag removes a tag.
func (c *Client) DeleteModelTag(ctx context.Context, name, key string) error {
	return c.do(ctx, send(http.MethodDelete, "registered-models/delete-tag", object{"name": name, "key": key}), nil)
}

// SetAlias moves an alias to a version.
func (c *Client) SetAlias(ctx context.Context, name, alias, version string) error {
	return c.do(ctx, post("registered-models/alias", object{"name": name, "alias": alias, "version": version}), nil)
}

// DeleteAlias removes an alias.
func (c *Client) DeleteAlias(ctx context.Context, name, alias string) error {
	return c.do(ctx, send(http.MethodDelete, "registered-models/alias", object{"name": name, "alias": alias}), nil)
}

type versionAnswer struct {
	Version mlflowapi.ModelVersion `json:"model_version"`
}

func (c *Client) version(ctx context.Context, what call) (*registry.Version, error) {
	var out versionAnswer
	if err := c.do(ctx, what, &out); err != nil {
		return nil, err
	}
	v := out.Version.Domain()
	return &v, nil
}

// CreateVersion stores the next version. If the answer is lost it fails rather than make a second one: look for it by its run.
func (c *Client) CreateVersion(ctx context.Context, v registry.NewVersion) (*registry.Version, error) {
	body := object{"name": v.Name, "source": v.Source, "description": v.Description, "tags": mlflowapi.KeyValues(v.Tags)}
	if v.RunID != "" {
		body["run_id"] = v.RunID
	}
	if v.ModelID != "" {
		body["model_id"] = v.ModelID
	}
	return c.version(ctx, create("model-versions/create", body))
}

// Version returns one.
func (c *Client) Version(ctx context.Context, name, version string) (*registry.Version, error) {
	return c.version(ctx, get("model-versions/get", values("name", name, "version", version)))
}

// VersionByAlias returns the version that an alias names.
func (c *Client) VersionByAlias(ctx context.Context, name, alias string) (*registry.Version, error) {
	return c.version(ctx, get("registered-models/alias", values("name", name, "alias", alias)))
}

// LatestVersions returns the newest version of each stage asked for.
func (c *Client) LatestVersions(ctx context.Context, name string, stages []registry.Stage) ([]registry.Version, error) {
	body := object{"name": name}
	if len(stages) > 0 {
		body["stages"] = stages
	}
	var out struct {
		Versions []mlflowapi.ModelVersion `json:"model_versions"`
	}
	err := c.do(ctx, post("registered-models/get-latest-versions", body), &out)
	return mlflowapi.Versions(out.Versions), err
}

// UpdateVersion changes the description.
func (c *Client) UpdateVersion(ctx context.Context, name, version, description string) (*registry.Version, error) {
	return c.version(ctx, send(http.MethodPatch, "model-versions/update",
		object{"name": name, "version": version, "description": description}))
}

// TransitionStage moves a version to a stage.
func (c *Client) TransitionStage(ctx context.Context, name, version string, to registry.Stage, archiveExisting bool) (*registry.Version, error) {
	return c.version(ctx, post("model-versions/transition-stage",
		object{"name": name, "version": version, "stage": string(to), "archive_existing_versions": archiveExisting}))
}

// DeleteVersion removes it.
func (c *Client) DeleteVersion(ctx context.Context, name, version string) error {
	return c.do(ctx, send(http.MethodDelete, "model-versions/delete", object{"name": name, "version": version}), nil)
}

// SearchVersions returns one page.
func (c *Client) SearchVersions(ctx context.Context, q experiment.Search) (experiment.Page[registry.Version], error) {
	var out struct {
		Versions      []mlflowapi.ModelVersion `json:"model_versions"`
		NextPageToken string                   `json:"next_page_token"`
	}
	err := c.do(ctx, get("model-versions/search", searchQuery(q)), &out)
	return page(out.Versions, mlflowapi.ModelVersion.Domain, out.NextPageToken), err
}

// DownloadURI returns where the version's files are.
func (c *Client) DownloadURI(ctx context.Context, name, version string) (string, error) {
	var out struct {
		ArtifactURI string `json:"artifact_uri"`
	}
	err := c.do(ctx, get("model-versions/get-download-uri", values("name", name, "version", version)), &out)
	return out.ArtifactURI, err
}

// SetVersionTag sets or replaces a tag.
func (c *Client) SetVersionTag(ctx context.Context, name, version string, t experiment.Tag) error {
	return c.do(ctx, post("model-versions/set-tag", object{"name": name, "version": version, "key": t.Key, "value": t.Value}), nil)
}

// DeleteVersionTag removes a tag.
func (c *Client) DeleteVersionTag(ctx context.Context, name, version, key string) error {
	return c.do(ctx, send(http.MethodDelete, "model-versions/delete-tag", object{"name": name, "version": version, "key": key}), nil)
}
