package tracking

import (
	"context"
	"strings"

	"tasador/pkg/experiment"
	"tasador/pkg/mlflowapi"
)

func (a *api) createLoggedModel(ctx context.Context, r *request) (any, error) {
	m := experiment.NewLoggedModel{
		ExperimentID: r.id("experiment_id"), Name: r.text("name"), ModelType: r.text("model_type"), SourceRunID: r.text("source_run_id"),
		Params: r.params(), Tags: r.tags(),
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	created, err := a.tracking.CreateLoggedModel(ctx, m)
	return under("model", created, mlflowapi.FromLoggedModel, err)
}

func (a *api) getLoggedModel(ctx context.Context, r *request) (any, error) {
	find := a.tracking.LoggedModel
	if r.truth("allow_deleted") {
		find = a.overview.LoggedModelAlsoDeleted
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	m, err := find(ctx, r.path["model_id"])
	return under("model", m, mlflowapi.FromLoggedModel, err)
}

func (a *api) finalizeLoggedModel(ctx context.Context, r *request) (any, error) {
	text := ""
	if n, ok := r.raw("status"); ok {
		text = strings.Trim(string(n), `"`)
	} else {
		r.required("status")
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	status, ok := mlflowapi.ModelStatus(text)
	if !ok {
		return nil, experiment.InvalidValue("status", text, "It must be one of LOGGED_MODEL_READY, LOGGED_MODEL_UPLOAD_FAILED")
	}
	m, err := a.tracking.FinalizeLoggedModel(ctx, r.path["model_id"], status)
	return under("model", m, mlflowapi.FromLoggedModel, err)
}

func (a *api) deleteLoggedModel(ctx context.Context, r *request) (any, error) {
	return empty(a.tracking.DeleteLoggedModel(ctx, r.path["model_id"]))
}

func (a *api) setLoggedModelTags(ctx context.Context, r *request) (any, error) {
	tags := r.tags()
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.tracking.SetLoggedModelTags(ctx, r.path["model_id"], tags))
}

func (a *api) deleteLoggedModelTag(ctx context.Context, r *request) (any, error) {
	return empty(a.tracking.DeleteLoggedModelTag(ctx, r.path["model_id"], r.path["key"]))
}

func (a *api) logLoggedModelParams(ctx context.Context, r *request) (any, error) {
	params := r.params()
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.tracking.LogLoggedModelParams(ctx, r.path["model_id"], params))
}

type sentOrder struct {
	FieldName     string `json:"field_name"`
	Ascending     *bool  `json:"ascending"`
	DatasetName   string `json:"dataset_name"`
	DatasetDigest string `json:"dataset_digest"`
}

type sentDataset struct {
	Name   string `json:"dataset_name"`
	Digest string `json:"dataset_digest"`
}

// searchLoggedModels takes its order apart from the filter language: fields with a direction.
func (a *api) searchLoggedModels(ctx context.Context, r *request) (any, error) {
	q := experiment.RunSearch{ExperimentIDs: r.ids("experiment_ids")}
	q.PageRequest, q.Filter = r.page(), r.text("filter")
	for _, o := range list[sentOrder](r, "order_by") {
		clause := quoteKey(o.FieldName)
		if o.Ascending != nil && !*o.Ascending {
			clause += " DESC"
		}
		q.OrderBy = append(q.OrderBy, clause)
		q.OrderDatasets = append(q.OrderDatasets, experiment.DatasetKey{Name: o.DatasetName, Digest: o.DatasetDigest})
	}
	for _, d := range list[sentDataset](r, "datasets") {
		q.Datasets = append(q.Datasets, experiment.DatasetKey(d))
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	page, err := a.tracking.SearchLoggedModels(ctx, q)
	return paged("models", page, mlflowapi.FromLoggedModel, err)
}

// quoteKey puts the key of entity.key into back-ticks, so that it may hold any character.
func quoteKey(field string) string {
	entity, key, ok := strings.Cut(field, ".")
	if !ok || strings.HasPrefix(key, "`") {
		return field
	}
	return entity + ".`" + key + "`"
}
