package tracking

import (
	"context"

	"tasador/pkg/experiment"
	"tasador/pkg/mlflowapi"
)

func (a *api) createRun(ctx context.Context, r *request) (any, error) {
	start, _ := r.integer("start_time")
	run := experiment.NewRun{Name: r.text("run_name"), UserID: r.text("user_id"), StartTime: start, Tags: r.tags()}
	if run.ExperimentID = experiment.DefaultID; r.has("experiment_id") {
		run.ExperimentID = r.id("experiment_id")
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	created, err := a.tracking.CreateRun(ctx, run)
	return under("run", created, mlflowapi.FromRun, err)
}

func (a *api) getRun(ctx context.Context, r *request) (any, error) {
	id := r.runID()
	if err := r.err(); err != nil {
		return nil, err
	}
	run, err := a.tracking.Run(ctx, id)
	return under("run", run, mlflowapi.FromRun, err)
}

func (a *api) updateRun(ctx context.Context, r *request) (any, error) {
	id, update := r.runID(), experiment.RunUpdate{}
	if r.has("status") {
		status := experiment.Status(r.enum("status", string(experiment.Running), string(experiment.Scheduled), string(experiment.Finished),
			string(experiment.Failed), string(experiment.Killed)))
		update.Status = &status
	}
	if end, ok := r.integer("end_time"); ok {
		update.EndTime = &end
	}
	if r.has("run_name") {
		name := r.text("run_name")
		update.Name = &name
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	run, err := a.tracking.UpdateRun(ctx, id, update)
	return under("run_info", run, func(run experiment.Run) mlflowapi.RunInfo { return mlflowapi.FromRun(run).Info }, err)
}

func (a *api) deleteRun(ctx context.Context, r *request) (any, error) {
	id := r.runID()
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.tracking.DeleteRun(ctx, id))
}

func (a *api) restoreRun(ctx context.Context, r *request) (any, error) {
	id := r.runID()
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.tracking.RestoreRun(ctx, id))
}

func (a *api) searchRuns(ctx context.Context, r *request) (any, error) {
	q := experiment.RunSearch{Search: r.search("run_view_type"), ExperimentIDs: r.ids("experiment_ids")}
	if err := r.err(); err != nil {
		return nil, err
	}
	return runList(a.tracking.SearchRuns(ctx, q))
}

func (a *api) logMetric(ctx context.Context, r *request) (any, error) {
	id := r.runID()
	step, _ := r.integer("step")
	m := experiment.Metric{
		Key: r.required("key"), Value: r.number("value"), Timestamp: r.requiredInteger("timestamp"), Step: step, ModelID: r.text("model_id"),
		Dataset: experiment.DatasetKey{Name: r.text("dataset_name"), Digest: r.text("dataset_digest")},
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	if _, err := experiment.CheckMetric("", m); err != nil { // in the words for one
		return nil, err
	}
	return empty(a.tracking.LogBatch(ctx, id, experiment.Batch{Metrics: []experiment.Metric{m}}))
}

func (a *api) logParam(ctx context.Context, r *request) (any, error) {
	id, p := r.runID(), experiment.Param(r.tag())
	if err := r.err(); err != nil {
		return nil, err
	}
	if _, err := experiment.CheckParam("", p); err != nil {
		return nil, err
	}
	return empty(a.tracking.LogBatch(ctx, id, experiment.Batch{Params: []experiment.Param{p}}))
}

func (a *api) setTag(ctx context.Context, r *request) (any, error) {
	id, t := r.runID(), r.tag()
	if err := r.err(); err != nil {
		return nil, err
	}
	if _, err := experiment.CheckRunTag("key", t); err != nil {
		return nil, err
	}
	return empty(a.tracking.LogBatch(ctx, id, experiment.Batch{Tags: []experiment.Tag{t}}))
}

func (a *api) deleteTag(ctx context.Context, r *request) (any, error) {
	id, key := r.runID(), r.required("key")
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.tracking.DeleteTag(ctx, id, key))
}

// sentMetric is a point as clients send it; the pointers tell what is missing.
type sentMetric struct {
	Key       *string          `json:"key"`
	Value     *mlflowapi.Float `json:"value"`
	Timestamp *mlflowapi.Int   `json:"timestamp"`
	Step      mlflowapi.Int    `json:"step"`
	ModelID   string           `json:"model_id"`
	Dataset   string           `json:"dataset_name"`
	Digest    string           `json:"dataset_digest"`
}

func (r *request) metrics(name string) []experiment.Metric {
	if value, ok := r.raw(name); ok {
		if points, ok := readPoints(value); ok {
			return points
		}
	}
	return r.metricsSlowly(name)
}

// metricsSlowly reads any list of points, and says what is wrong with it.
func (r *request) metricsSlowly(name string) []experiment.Metric {
	sent := list[sentMetric](r, name)
	out := make([]experiment.Metric, len(sent))
	for i, m := range sent {
		switch {
		case m.Key == nil || *m.Key == "":
			r.fail(missingIn(name, i, "key"))
		case m.Value == nil:
			r.fail(missingIn(name, i, "value"))
		case m.Timestamp == nil:
			r.fail(missingIn(name, i, "timestamp"))
		default:
			out[i] = experiment.Metric{
				Key: *m.Key, Value: float64(*m.Value), Timestamp: int64(*m.Timestamp), Step: int64(m.Step), ModelID: m.ModelID,
				Dataset: experiment.DatasetKey{Name: m.Dataset, Digest: m.Digest},
			}
		}
	}
	return out
}

func (a *api) logBatch(ctx context.Context, r *request) (any, error) {
	id := r.runID()
	b := experiment.Batch{Metrics: r.metrics("metrics"), Params: r.params(), Tags: r.tags()}
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.tracking.LogBatch(ctx, id, b))
}

func (a *api) logInputs(ctx context.Context, r *request) (any, error) {
	id := r.runID()
	in := experiment.Inputs{
		Datasets: mlflowapi.Datasets(list[mlflowapi.DatasetInput](r, "datasets")), Models: mlflowapi.ModelInputs(list[mlflowapi.ModelInput](r, "models")),
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return empty(a.tracking.LogInputs(ctx, id, in))
}

func (a *api) logOutputs(ctx context.Context, r *request) (any, error) {
	id, models := r.runID(), list[mlflowapi.ModelOutput](r, "models")
	if !r.has("models") {
		r.required("models")
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	outputs := make([]experiment.ModelOutput, len(models))
	for i, m := range models {
		outputs[i] = experiment.ModelOutput{ModelID: m.ModelID, Step: int64(m.Step)}
	}
	return empty(a.tracking.LogOutputs(ctx, id, outputs))
}

func (a *api) metricHistory(ctx context.Context, r *request) (any, error) {
	id, key, page := r.runID(), r.required("metric_key"), r.page()
	if err := r.err(); err != nil {
		return nil, err
	}
	return pointList(a.tracking.MetricHistory(ctx, id, key, page))
}
