package trackingclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"tasador/pkg/experiment"
	"tasador/pkg/mlflowapi"
)

type object = map[string]any

// CreateExperiment makes an experiment. A repeated call finds the name taken, so it is never repeated blindly.
func (c *Client) CreateExperiment(ctx context.Context, e experiment.NewExperiment) (string, error) {
	body := object{"name": e.Name, "tags": mlflowapi.KeyValues(e.Tags)}
	if e.ArtifactLocation != "" {
		body["artifact_location"] = e.ArtifactLocation
	}
	var out struct {
		ExperimentID string `json:"experiment_id"`
	}
	err := c.do(ctx, create("experiments/create", body), &out)
	return out.ExperimentID, err
}

type experimentAnswer struct {
	Experiment mlflowapi.Experiment `json:"experiment"`
}

func (c *Client) experiment(ctx context.Context, path string, query url.Values) (*experiment.Experiment, error) {
	var out experimentAnswer
	if err := c.do(ctx, get(path, query), &out); err != nil {
		return nil, err
	}
	e := out.Experiment.Domain()
	return &e, nil
}

// Experiment returns one experiment.
func (c *Client) Experiment(ctx context.Context, id string) (*experiment.Experiment, error) {
	return c.experiment(ctx, "experiments/get", values("experiment_id", id))
}

// ExperimentByName returns one experiment.
func (c *Client) ExperimentByName(ctx context.Context, name string) (*experiment.Experiment, error) {
	return c.experiment(ctx, "experiments/get-by-name", values("experiment_name", name))
}

// searchBody is what the searches by POST have in common.
func searchBody(q experiment.Search, viewField string) object {
	body := object{}
	if q.Filter != "" {
		body["filter"] = q.Filter
	}
	if len(q.OrderBy) > 0 {
		body["order_by"] = q.OrderBy
	}
	if q.MaxResults > 0 {
		body["max_results"] = q.MaxResults
	}
	if q.PageToken != "" {
		body["page_token"] = q.PageToken
	}
	if q.View != "" && viewField != "" {
		body[viewField] = string(q.View)
	}
	return body
}

// defaultMaxExperiments is sent because MLflow's servers refuse a search of experiments without a number.
const defaultMaxExperiments = 1000

// SearchExperiments returns one page.
func (c *Client) SearchExperiments(ctx context.Context, q experiment.Search) (experiment.Page[experiment.Experiment], error) {
	if q.MaxResults == 0 {
		q.MaxResults = defaultMaxExperiments
	}
	var out struct {
		Experiments   []mlflowapi.Experiment `json:"experiments"`
		NextPageToken string                 `json:"next_page_token"`
	}
	err := c.do(ctx, post("experiments/search", searchBody(q, "view_type")), &out)
	return page(out.Experiments, mlflowapi.Experiment.Domain, out.NextPageToken), err
}

func page[A, B any](list []A, f func(A) B, token string) experiment.Page[B] {
	p := experiment.Page[B]{NextPageToken: token}
	for _, e := range list {
		p.Items = append(p.Items, f(e))
	}
	return p
}

// SetExperimentTag sets or replaces a tag.
func (c *Client) SetExperimentTag(ctx context.Context, id string, t experiment.Tag) error {
	return c.do(ctx, post("experiments/set-experiment-tag", object{"experiment_id": id, "key": t.Key, "value": t.Value}), nil)
}

// DeleteExperimentTag removes a tag.
func (c *Client) DeleteExperimentTag(ctx context.Context, id, key string) error {
	return c.do(ctx, post("experiments/delete-experiment-tag", object{"experiment_id": id, "key": key}), nil)
}

// RenameExperiment changes the name.
func (c *Client) RenameExperiment(ctx context.Context, id, name string) error {
	return c.do(ctx, post("experiments/update", object{"experiment_id": id, "new_name": name}), nil)
}

// DeleteExperiment moves an experiment and its runs to the deleted ones.
func (c *Client) DeleteExperiment(ctx context.Context, id string) error {
	return c.do(ctx, post("experiments/delete", object{"experiment_id": id}), nil)
}

// RestoreExperiment takes it back.
func (c *Client) RestoreExperiment(ctx context.Context, id string) error {
	return c.do(ctx, post("experiments/restore", object{"experiment_id": id}), nil)
}

type runAnswer struct {
	Run     mlflowapi.Run     `json:"run"`
	RunInfo mlflowapi.RunInfo `json:"run_info"`
}

// CreateRun makes a run. If the answer is lost it fails rather than make a second one: look for the run by its tags.
func (c *Client) CreateRun(ctx context.Context, r experiment.NewRun) (*experiment.Run, error) {
	body := object{"experiment_id": r.ExperimentID, "user_id": r.UserID, "tags": mlflowapi.KeyValues(r.Tags)}
	if r.Name != "" {
		body["run_name"] = r.Name
	}
	if r.StartTime == 0 {
		r.StartTime = c.now()
	}
	body["start_time"] = r.StartTime
	var out runAnswer
	if err := c.do(ctx, create("runs/create", body), &out); err != nil {
		return nil, err
	}
	run := out.Run.Domain()
	return &run, nil
}

// Run returns a run with its data.
func (c *Client) Run(ctx context.Context, id string) (*experiment.Run, error) {
	var out runAnswer
	if err := c.do(ctx, get("runs/get", values("run_id", id)), &out); err != nil {
		return nil, err
	}
	run := out.Run.Domain()
	return &run, nil
}

// UpdateRun changes what is set and returns the run without its data.
func (c *Client) UpdateRun(ctx context.Context, id string, u experiment.RunUpdate) (*experiment.Run, error) {
	body := object{"run_id": id, "run_uuid": id}
	if u.Status != nil {
		body["status"] = string(*u.Status)
	}
	if u.EndTime != nil {
		body["end_time"] = *u.EndTime
	}
	if u.Name != nil {
		body["run_name"] = *u.Name
	}
	var out runAnswer
	if err := c.do(ctx, post("runs/update", body), &out); err != nil {
		return nil, err
	}
	run := out.RunInfo.Domain()
	return &run, nil
}

// LogBatch stores metrics, params and tags.
func (c *Client) LogBatch(ctx context.Context, runID string, b experiment.Batch) error {
	return c.do(ctx, post("runs/log-batch", object{
		"run_id": runID, "metrics": orEmpty(mlflowapi.FromMetrics(b.Metrics)),
		"params": mlflowapi.KeyValues(b.Params), "tags": mlflowapi.KeyValues(b.Tags),
	}), nil)
}

// orEmpty makes a missing list an empty one, because MLflow's servers refuse null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// DeleteTag removes a run's tag.
func (c *Client) DeleteTag(ctx context.Context, runID, key string) error {
	return c.do(ctx, post("runs/delete-tag", object{"run_id": runID, "key": key}), nil)
}

// SearchRuns returns one page.
func (c *Client) SearchRuns(ctx context.Context, q experiment.RunSearch) (experiment.Page[experiment.Run], error) {
	body := searchBody(q.Search, "run_view_type")
	body["experiment_ids"] = orEmpty(q.ExperimentIDs)
	var out struct {
		Runs          []mlflowapi.Run `json:"runs"`
		NextPageToken string          `json:"next_page_token"`
	}
	err := c.do(ctx, post("runs/search", body), &out)
	return page(out.Runs, mlflowapi.Run.Domain, out.NextPageToken), err
}

// defaultMaxHistory is sent because some MLflow servers answer nothing without a number.
const defaultMaxHistory = 25000

// MetricHistory returns one page of a metric's points.
func (c *Client) MetricHistory(ctx context.Context, runID, key string, q experiment.PageRequest) (experiment.Page[experiment.Metric], error) {
	if q.MaxResults <= 0 {
		q.MaxResults = defaultMaxHistory
	}
	query := values("run_id", runID, "metric_key", key, "max_results", strconv.Itoa(q.MaxResults))
	if q.PageToken != "" {
		query.Set("page_token", q.PageToken)
	}
	var out struct {
		Metrics       []mlflowapi.Metric `json:"metrics"`
		NextPageToken string             `json:"next_page_token"`
	}
	err := c.do(ctx, get("metrics/get-history", query), &out)
	return page(out.Metrics, mlflowapi.Metric.Domain, out.NextPageToken), err
}

// DeleteRun moves a run to the deleted ones.
func (c *Client) DeleteRun(ctx context.Context, id string) error {
	return c.do(ctx, post("runs/delete", object{"run_id": id}), nil)
}

// RestoreRun takes it back.
func (c *Client) RestoreRun(ctx context.Context, id string) error {
	return c.do(ctx, post("runs/restore", object{"run_id": id}), nil)
}

// LogInputs records the datasets and logged models that a run used.
func (c *Client) LogInputs(ctx context.Context, runID string, in experiment.Inputs) error {
	return c.do(ctx, post("runs/log-inputs", object{
		"run_id": runID, "datasets": orEmpty(mlflowapi.FromDatasets(in.Datasets)), "models": orEmpty(mlflowapi.FromModelInputs(in.Models)),
	}), nil)
}

// LogOutputs records the logged models that a run made.
func (c *Client) LogOutputs(ctx context.Context, runID string, models []experiment.ModelOutput) error {
	return c.do(ctx, post("runs/outputs", object{"run_id": runID, "models": mlflowapi.FromOutputs(models)}), nil)
}

type loggedModelAnswer struct {
	Model mlflowapi.LoggedModel `json:"model"`
}

func (c *Client) loggedModel(ctx context.Context, what call) (*experiment.LoggedModel, error) {
	var out loggedModelAnswer
	if err := c.do(ctx, what, &out); err != nil {
		return nil, err
	}
	m := out.Model.Domain()
	return &m, nil
}

func loggedModelPath(id string, rest ...string) string {
	path := "logged-models/" + url.PathEscape(id)
	for _, r := range rest {
		path += "/" + url.PathEscape(r)
	}
	return path
}

// CreateLoggedModel makes a logged model in state PENDING.
func (c *Client) CreateLoggedModel(ctx context.Context, m experiment.NewLoggedModel) (*experiment.LoggedModel, error) {
	return c.loggedModel(ctx, create("logged-models", object{
		"experiment_id": m.ExperimentID, "name": m.Name, "model_type": m.ModelType, "source_run_id": m.SourceRunID,
		"params": mlflowapi.KeyValues(m.Params), "tags": mlflowapi.KeyValues(m.Tags),
	}))
}

// LoggedModel returns one.
func (c *Client) LoggedModel(ctx context.Context, id string) (*experiment.LoggedModel, error) {
	return c.loggedModel(ctx, get(loggedModelPath(id), nil))
}

// FinalizeLoggedModel sets its final state.
func (c *Client) FinalizeLoggedModel(ctx context.Context, id string, s experiment.ModelStatus) (*experiment.LoggedModel, error) {
	return c.loggedModel(ctx, send(http.MethodPatch, loggedModelPath(id), object{"model_id": id, "status": string(s)}))
}

// SetLoggedModelTags sets or replaces tags.
func (c *Client) SetLoggedModelTags(ctx context.Context, id string, tags []experiment.Tag) error {
	return c.do(ctx, send(http.MethodPatch, loggedModelPath(id, "tags"), object{"model_id": id, "tags": mlflowapi.KeyValues(tags)}), nil)
}

// DeleteLoggedModelTag removes a tag.
func (c *Client) DeleteLoggedModelTag(ctx context.Context, id, key string) error {
	return c.do(ctx, send(http.MethodDelete, loggedModelPath(id, "tags", key), nil), nil)
}

// LogLoggedModelParams adds params.
func (c *Client) LogLoggedModelParams(ctx context.Context, id string, params []experiment.Param) error {
	return c.do(ctx, post(loggedModelPath(id, "params"), object{"model_id": id, "params": mlflowapi.KeyValues(params)}), nil)
}

// DeleteLoggedModel marks it deleted.
func (c *Client) DeleteLoggedModel(ctx context.Context, id string) error {
	return c.do(ctx, send(http.MethodDelete, loggedModelPath(id), nil), nil)
}

// SearchLoggedModels returns one page.
func (c *Client) SearchLoggedModels(ctx context.Context, q experiment.RunSearch) (experiment.Page[experiment.LoggedModel], error) {
	body := searchBody(q.Search, "")
	body["experiment_ids"] = orEmpty(q.ExperimentIDs)
	if len(q.OrderBy) > 0 {
		order := make([]object, len(q.OrderBy))
		for i, clause := range q.OrderBy {
			field, ascending := splitOrder(clause)
			order[i] = object{"field_name": field, "ascending": ascending}
			if i < len(q.OrderDatasets) {
				addDataset(order[i], q.OrderDatasets[i])
			}
		}
		body["order_by"] = order
	}
	if len(q.Datasets) > 0 {
		datasets := make([]object, len(q.Datasets))
		for i, d := range q.Datasets {
			datasets[i] = object{}
			addDataset(datasets[i], d)
		}
		body["datasets"] = datasets
	}
	var out struct {
		Models        []mlflowapi.LoggedModel `json:"models"`
		NextPageToken string                  `json:"next_page_token"`
	}
	err := c.do(ctx, post("logged-models/search", body), &out)
	return page(out.Models, mlflowapi.LoggedModel.Domain, out.NextPageToken), err
}

// addDataset names a dataset in a request.
func addDataset(to object, d experiment.DatasetKey) {
	if d.Name != "" {
		to["dataset_name"] = d.Name
	}
	if d.Digest != "" {
		to["dataset_digest"] = d.Digest
	}
}
