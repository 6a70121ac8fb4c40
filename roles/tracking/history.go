package tracking

import (
	"context"
	"encoding/json"
	"math"
	"slices"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/mlflowapi"
)

// overview is what MLflow's pages and old clients ask of the database beyond an experiment.Store.
type overview interface {
	MetricHistories(ctx context.Context, runIDs []string, key string, limit int) ([]experiment.RunMetric, error)
	SampledHistories(ctx context.Context, runIDs []string, key string, steps experiment.StepRange, limit int) ([]experiment.RunMetric, error)
	HistoryOutlines(ctx context.Context, runIDs []string, key string, limit int) (points []experiment.RunMetric, more bool, err error)
	DatasetSummaries(ctx context.Context, experimentIDs []string) ([]experiment.DatasetSummary, error)
	LoggedModelAlsoDeleted(ctx context.Context, id string) (*experiment.LoggedModel, error)
	RecordModel(ctx context.Context, runID string, model json.RawMessage) error
}

// MLflow's limits of the calls of its pages.
const (
	maxRunsOfHistory  = 100
	maxBulkPoints     = 25_000
	maxSampledPoints  = 2500
	maxExperimentsFor = 20 // data sets
)

// metricHistoryBulk answers with the points of a metric in several runs, the first ones if there are too many.
func (a *api) metricHistoryBulk(ctx context.Context, r *request) (any, error) {
	ids, key := r.texts("run_id"), r.text("metric_key")
	limit, sent := r.integer("max_results")
	switch {
	case len(ids) == 0:
		r.fail(apperror.New(apperror.Invalid, "GetMetricHistoryBulk request must specify at least one run_id."))
	case len(ids) > maxRunsOfHistory:
		r.fail(apperror.New(apperror.Invalid, "GetMetricHistoryBulk request cannot specify more than %d run_ids. Received %d run_ids.", maxRunsOfHistory, len(ids)))
	case !r.has("metric_key"):
		r.fail(apperror.New(apperror.Invalid, "GetMetricHistoryBulk request must specify a metric_key."))
	case sent && limit < 0:
		r.fail(experiment.InvalidValue("max_results", limit, "It must be a positive integer."))
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	if !sent || limit > maxBulkPoints {
		limit = maxBulkPoints
	}
	points, err := a.overview.MetricHistories(ctx, ids, key, int(limit))
	return object{"metrics": mlflowapi.FromRunMetrics(points)}, err // MLflow sends the empty list here too
}

// metricHistoryInterval answers with samples of a metric in several runs, for a chart.
func (a *api) metricHistoryInterval(ctx context.Context, r *request) (any, error) {
	ids, key := r.texts("run_ids"), r.required("metric_key")
	steps, limit := r.steps(), r.sampleSize()
	if len(ids) == 0 {
		r.required("run_ids")
	}
	if len(ids) > maxRunsOfHistory {
		r.fail(apperror.New(apperror.Invalid, "GetMetricHistoryBulkInterval request must specify at most %d run_ids. Received %d run_ids.",
			maxRunsOfHistory, len(ids)))
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	points, err := a.overview.SampledHistories(ctx, ids, key, steps, limit)
	if err != nil || len(points) == 0 {
		return empty(err)
	}
	return object{"metrics": mlflowapi.FromRunMetrics(points)}, nil
}

// steps returns the range from start_step to end_step; all steps if neither is there.
func (r *request) steps() experiment.StepRange {
	first, from := r.integer("start_step")
	last, to := r.integer("end_step")
	switch {
	case !from && !to:
		return experiment.StepRange{First: math.MinInt64, Last: math.MaxInt64}
	case from != to:
		r.fail(apperror.New(apperror.Invalid, "If either start step or end step are specified, both must be specified."))
	case first > last:
		r.fail(apperror.New(apperror.Invalid, "end_step must be greater than start_step. Found start_step=%d and end_step=%d.", first, last))
	}
	return experiment.StepRange{First: first, Last: last}
}

func (r *request) sampleSize() int {
	n, sent := r.integer("max_results")
	if !sent {
		return maxSampledPoints
	}
	if n < 1 || n > maxSampledPoints {
		r.fail(apperror.New(apperror.Invalid, "max_results must be between 1 and %d.", maxSampledPoints))
	}
	return int(n)
}

// searchDatasets answers with the data sets that the runs of experiments used.
func (a *api) searchDatasets(ctx context.Context, r *request) (any, error) {
	ids := r.ids("experiment_ids")
	switch n := len(ids); {
	case n == 0:
		r.fail(apperror.New(apperror.Invalid, "SearchDatasets request must specify at least one experiment_id."))
	case n > maxExperimentsFor:
		r.fail(apperror.New(apperror.Invalid, "SearchDatasets request cannot specify more than %d experiment_ids. Received %d experiment_ids.",
			maxExperimentsFor, n))
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	found, err := a.overview.DatasetSummaries(ctx, ids)
	if err != nil || len(found) == 0 {
		return empty(err)
	}
	return object{"dataset_summaries": mlflowapi.FromDatasetSummaries(found)}, nil
}

// logModel notes a model that a client of MLflow 2 logged in a tag of its run.
func (a *api) logModel(ctx context.Context, r *request) (any, error) {
	id, text := r.runID(), r.required("model_json")
	if err := r.err(); err != nil {
		return nil, err
	}
	entry, err := modelEntry(text)
	if err != nil {
		return nil, err
	}
	return empty(a.overview.RecordModel(ctx, id, entry))
}

// modelEntry takes from a model's description what MLflow keeps in the tag. Codes: Invalid.
func modelEntry(text string) (json.RawMessage, error) {
	var model map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &model); err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "Malformed model info. \n %s \n is not a valid JSON.", experiment.Shorten(text))
	}
	var missing []string
	for _, field := range []string{"artifact_path", "flavors", "run_id", "utc_time_created"} {
		if _, ok := model[field]; !ok {
			missing = append(missing, field)
		}
	}
	if len(missing) > 0 {
		return nil, apperror.New(apperror.Invalid, "Model json is missing mandatory fields: %q", missing)
	}
	var flavors map[string]json.RawMessage
	if err := json.Unmarshal(model["flavors"], &flavors); err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "The flavors of the model are not a JSON object.")
	}
	for name, flavor := range flavors {
		var settings map[string]json.RawMessage
		if json.Unmarshal(flavor, &settings) == nil && settings != nil {
			delete(settings, "config")
			flavors[name], _ = json.Marshal(settings) // it was JSON
		}
	}
	model["flavors"], _ = json.Marshal(flavors) // it was JSON
	for field := range model {
		if !slices.Contains([]string{"run_id", "utc_time_created", "artifact_path", "model_uuid", "flavors"}, field) {
			delete(model, field)
		}
	}
	return json.Marshal(model)
}
