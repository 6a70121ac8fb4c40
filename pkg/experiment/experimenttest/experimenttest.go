// Package experimenttest is the conformance suite of experiment.Store and registry.Store. It runs on the database and on the HTTP client
// alike, and asks only for what a stock MLflow server gives too.
package experimenttest

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/registry"
)

// Stores are what is tested. They may be shared and hold other things: every test makes names of its own.
type Stores struct {
	Tracking experiment.Store
	Models   registry.Store
}

type suite struct {
	Stores
	*testing.T
	ctx context.Context
}

// Run runs the suite on what open returns.
func Run(t *testing.T, open func(t *testing.T) Stores) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*suite)
	}{
		{"experiments", experiments}, {"experiment search", experimentSearch}, {"deleting an experiment takes its runs", cascade},
		{"runs", runs}, {"run names", runNames}, {"params never change", params}, {"latest metrics", latestMetrics},
		{"metric history", metricHistory}, {"NaN and infinity", specialNumbers}, {"log batch is all or nothing", batchLimits},
		{"datasets", datasets},
		{"run filters", runFilters}, {"run order", runOrder}, {"run pages", runPages}, {"logged models", loggedModels}, {"logged models by dataset", loggedModelsByDataset},
		{"registered models", registeredModels}, {"model versions", modelVersions}, {"stages", stages}, {"aliases", aliases},
		{"version sources", sources}, {"version search", versionSearch},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.run(&suite{Stores: open(t), T: t, ctx: t.Context()})
		})
	}
}

// name makes a name that no other test uses.
func (s *suite) name(what string) string {
	return fmt.Sprintf("%s %s %s", what, strings.ReplaceAll(s.Name(), "/", " "), experiment.RandomName())
}

func (s *suite) code(want apperror.Code, err error) {
	s.Helper()
	require.Error(s, err)
	require.Equal(s, want, apperror.CodeOf(err), "%v", err)
}

func (s *suite) experiment() string {
	s.Helper()
	id, err := s.Tracking.CreateExperiment(s.ctx, experiment.NewExperiment{Name: s.name("experiment")})
	require.NoError(s, err)
	return id
}

func (s *suite) run(experimentID string, r experiment.NewRun) *experiment.Run {
	s.Helper()
	r.ExperimentID = experimentID
	run, err := s.Tracking.CreateRun(s.ctx, r)
	require.NoError(s, err)
	return run
}

func (s *suite) log(runID string, b experiment.Batch) {
	s.Helper()
	require.NoError(s, s.Tracking.LogBatch(s.ctx, runID, b))
}

func (s *suite) get(runID string) *experiment.Run {
	s.Helper()
	run, err := s.Tracking.Run(s.ctx, runID)
	require.NoError(s, err)
	return run
}

func metric(key string, value float64) []experiment.Metric {
	return []experiment.Metric{{Key: key, Value: value, Timestamp: 1}}
}

func experiments(s *suite) {
	name := s.name("first")
	id, err := s.Tracking.CreateExperiment(s.ctx, experiment.NewExperiment{Name: name, Tags: []experiment.Tag{{Key: "team", Value: "prices"}}})
	require.NoError(s, err)
	_, err = s.Tracking.CreateExperiment(s.ctx, experiment.NewExperiment{Name: name})
	s.code(apperror.AlreadyExists, err)

	e, err := s.Tracking.Experiment(s.ctx, id)
	require.NoError(s, err)
	require.Equal(s, name, e.Name)
	require.Equal(s, experiment.Active, e.LifecycleStage)
	require.Equal(s, []experiment.Tag{{Key: "team", Value: "prices"}}, e.Tags)
	require.True(s, strings.HasSuffix(e.ArtifactLocation, "/"+id), e.ArtifactLocation)
	byName, err := s.Tracking.ExperimentByName(s.ctx, name)
	require.NoError(s, err)
	require.Equal(s, id, byName.ID)

	_, err = s.Tracking.ExperimentByName(s.ctx, s.name("missing"))
	s.code(apperror.NotFound, err)
	_, err = s.Tracking.Experiment(s.ctx, "987654321")
	s.code(apperror.NotFound, err)
	_, err = s.Tracking.CreateExperiment(s.ctx, experiment.NewExperiment{Name: strings.Repeat("n", 501)})
	s.code(apperror.Invalid, err)
	_, err = s.Tracking.CreateExperiment(s.ctx, experiment.NewExperiment{Name: s.name("away"), ArtifactLocation: "mlflow-artifacts:/1#x"})
	s.code(apperror.Invalid, err)

	require.NoError(s, s.Tracking.SetExperimentTag(s.ctx, id, experiment.Tag{Key: "team", Value: "models"}))
	renamed := s.name("second")
	require.NoError(s, s.Tracking.RenameExperiment(s.ctx, id, renamed))
	e, err = s.Tracking.Experiment(s.ctx, id)
	require.NoError(s, err)
	require.Equal(s, renamed, e.Name)
	require.Equal(s, []experiment.Tag{{Key: "team", Value: "models"}}, e.Tags)
	require.NoError(s, s.Tracking.DeleteExperimentTag(s.ctx, id, "team"))
	s.code(apperror.NotFound, s.Tracking.DeleteExperimentTag(s.ctx, id, "team"))

	zero, err := s.Tracking.Experiment(s.ctx, experiment.DefaultID)
	require.NoError(s, err)
	require.Equal(s, "Default", zero.Name)
}

func experimentSearch(s *suite) {
	prefix := s.name("searched")
	var ids []string
	for _, end := range []string{"a", "b", "c"} {
		id, err := s.Tracking.CreateExperiment(s.ctx, experiment.NewExperiment{
			Name: prefix + end, Tags: []experiment.Tag{{Key: "mark.er", Value: prefix + end}},
		})
		require.NoError(s, err)
		ids = append(ids, id)
	}
	found := func(q experiment.Search) (out []string) {
		page, err := s.Tracking.SearchExperiments(s.ctx, q)
		require.NoError(s, err)
		for _, e := range page.Items {
			out = append(out, e.ID)
		}
		return out
	}
	mine := "name LIKE '" + prefix + "%'"
	require.Equal(s, []string{ids[2], ids[1], ids[0]}, found(experiment.Search{Filter: mine, OrderBy: []string{"name DESC"}}))
	require.Equal(s, []string{ids[1]}, found(experiment.Search{Filter: "tags.`mark.er` = '" + prefix + "b'"}))
	require.Equal(s, []string{ids[0]}, found(experiment.Search{Filter: mine, OrderBy: []string{"name"}, PageRequest: experiment.PageRequest{MaxResults: 1}}))
	require.NoError(s, s.Tracking.DeleteExperiment(s.ctx, ids[0]))
	require.Equal(s, []string{ids[0]}, found(experiment.Search{Filter: mine, View: experiment.DeletedOnly}))
	require.Len(s, found(experiment.Search{Filter: mine, View: experiment.All}), 3)
	_, err := s.Tracking.SearchExperiments(s.ctx, experiment.Search{Filter: "colour = 'red'"})
	s.code(apperror.Invalid, err)
}

func cascade(s *suite) {
	id := s.experiment()
	run := s.run(id, experiment.NewRun{})
	require.NoError(s, s.Tracking.DeleteExperiment(s.ctx, id))
	require.Equal(s, experiment.Deleted, s.get(run.ID).LifecycleStage)
	_, err := s.Tracking.CreateRun(s.ctx, experiment.NewRun{ExperimentID: id})
	s.code(apperror.Invalid, err)
	s.code(apperror.Invalid, s.Tracking.LogBatch(s.ctx, run.ID, experiment.Batch{Metrics: metric("m", 1)}))
	require.NoError(s, s.Tracking.RestoreExperiment(s.ctx, id))
	require.Equal(s, experiment.Active, s.get(run.ID).LifecycleStage)
	s.log(run.ID, experiment.Batch{Metrics: metric("m", 1)})
}

func runs(s *suite) {
	id := s.experiment()
	run := s.run(id, experiment.NewRun{Name: "named", UserID: "ana", StartTime: 1234, Tags: []experiment.Tag{{Key: "dag_run_id", Value: "d1"}}})
	require.Regexp(s, `^[0-9a-f]{32}$`, run.ID)
	require.Equal(s, experiment.Running, run.Status)
	require.True(s, strings.HasSuffix(run.ArtifactURI, "/"+run.ID+"/artifacts"), run.ArtifactURI)
	got := s.get(run.ID)
	require.Equal(s, "ana", got.UserID)
	require.EqualValues(s, 1234, got.StartTime)
	require.Zero(s, got.EndTime)
	tag, ok := got.Tag("dag_run_id")
	require.True(s, ok)
	require.Equal(s, "d1", tag)

	status, end := experiment.Finished, int64(5678)
	updated, err := s.Tracking.UpdateRun(s.ctx, run.ID, experiment.RunUpdate{Status: &status, EndTime: &end})
	require.NoError(s, err)
	require.Equal(s, experiment.Finished, updated.Status)
	require.EqualValues(s, 5678, updated.EndTime)

	s.log(run.ID, experiment.Batch{Tags: []experiment.Tag{{Key: "colour", Value: "red"}}})
	require.NoError(s, s.Tracking.DeleteTag(s.ctx, run.ID, "colour"))
	s.code(apperror.NotFound, s.Tracking.DeleteTag(s.ctx, run.ID, "colour"))

	require.NoError(s, s.Tracking.DeleteRun(s.ctx, run.ID))
	require.NoError(s, s.Tracking.DeleteRun(s.ctx, run.ID))
	_, err = s.Tracking.UpdateRun(s.ctx, run.ID, experiment.RunUpdate{Status: &status})
	s.code(apperror.Invalid, err)
	require.NoError(s, s.Tracking.RestoreRun(s.ctx, run.ID))
	_, err = s.Tracking.Run(s.ctx, strings.Repeat("0", 32))
	s.code(apperror.NotFound, err)
	_, err = s.Tracking.CreateRun(s.ctx, experiment.NewRun{ExperimentID: "987654321"})
	s.code(apperror.NotFound, err)
}

func runNames(s *suite) {
	id := s.experiment()
	require.NotEmpty(s, s.run(id, experiment.NewRun{}).Name)
	run := s.run(id, experiment.NewRun{Tags: []experiment.Tag{{Key: experiment.TagRunName, Value: "by tag"}}})
	require.Equal(s, "by tag", s.get(run.ID).Name)
	s.log(run.ID, experiment.Batch{Tags: []experiment.Tag{{Key: experiment.TagRunName, Value: "again"}}})
	require.Equal(s, "again", s.get(run.ID).Name)
	name := "by update"
	_, err := s.Tracking.UpdateRun(s.ctx, run.ID, experiment.RunUpdate{Name: &name})
	require.NoError(s, err)
	tag, _ := s.get(run.ID).Tag(experiment.TagRunName)
	require.Equal(s, "by update", tag)
	none := ""
	_, err = s.Tracking.UpdateRun(s.ctx, run.ID, experiment.RunUpdate{Name: &none})
	require.NoError(s, err)
	require.Equal(s, "by update", s.get(run.ID).Name)
	_, err = s.Tracking.CreateRun(s.ctx, experiment.NewRun{
		ExperimentID: id, Name: "one", Tags: []experiment.Tag{{Key: experiment.TagRunName, Value: "two"}},
	})
	s.code(apperror.Invalid, err)
}

func params(s *suite) {
	run := s.run(s.experiment(), experiment.NewRun{})
	s.log(run.ID, experiment.Batch{Params: []experiment.Param{{Key: "alpha", Value: "1.0"}}})
	s.log(run.ID, experiment.Batch{Params: []experiment.Param{{Key: "alpha", Value: "1.0"}}})
	s.code(apperror.Invalid, s.Tracking.LogBatch(s.ctx, run.ID, experiment.Batch{Params: []experiment.Param{{Key: "alpha", Value: "2.0"}}}))
	s.code(apperror.Invalid, s.Tracking.LogBatch(s.ctx, run.ID, experiment.Batch{Params: []experiment.Param{{Key: "b", Value: "1"}, {Key: "b", Value: "1"}}}))
	require.Equal(s, []experiment.Param{{Key: "alpha", Value: "1.0"}}, s.get(run.ID).Params)
	s.log(run.ID, experiment.Batch{Params: []experiment.Param{{Key: "long", Value: strings.Repeat("ä", 6001)}}})
	for _, p := range s.get(run.ID).Params {
		if p.Key == "long" {
			require.Equal(s, strings.Repeat("ä", 6000), p.Value)
		}
	}
}

func latestMetrics(s *suite) {
	run := s.run(s.experiment(), experiment.NewRun{})
	for _, point := range []struct {
		step, timestamp int64
		value, latest   float64
	}{
		{0, 10, 1, 1}, {0, 9, 5, 1}, {0, 10, 2, 2}, {0, 10, 1.5, 2}, {-1, 99, 7, 2}, {3, 1, 0.5, 0.5}, {2, 500, 8, 0.5},
	} {
		s.log(run.ID, experiment.Batch{Metrics: []experiment.Metric{{Key: "m", Value: point.value, Timestamp: point.timestamp, Step: point.step}}})
		latest, _ := s.get(run.ID).Metric("m")
		require.Equal(s, point.latest, latest, "%+v", point) //nolint:testifylint // exact
	}
	// The same rule inside one batch.
	s.log(run.ID, experiment.Batch{Metrics: []experiment.Metric{
		{Key: "n", Value: 1, Timestamp: 2, Step: 9}, {Key: "n", Value: 3, Timestamp: 1, Step: 9}, {Key: "n", Value: 9, Timestamp: 9, Step: 0},
	}})
	latest, _ := s.get(run.ID).Metric("n")
	require.Equal(s, 1.0, latest) //nolint:testifylint // exact
}

func metricHistory(s *suite) {
	run := s.run(s.experiment(), experiment.NewRun{})
	points := []experiment.Metric{
		{Key: "m", Value: 3, Timestamp: 2, Step: 0}, {Key: "m", Value: 1, Timestamp: 1, Step: 5}, {Key: "m", Value: 2, Timestamp: 1, Step: 1},
		{Key: "m", Value: 1, Timestamp: 1, Step: 1}, {Key: "m", Value: 1, Timestamp: 1, Step: 1},
	}
	s.log(run.ID, experiment.Batch{Metrics: points})
	s.log(run.ID, experiment.Batch{Metrics: points})
	var got []experiment.Metric
	request := experiment.PageRequest{MaxResults: 3}
	for range 3 {
		page, err := s.Tracking.MetricHistory(s.ctx, run.ID, "m", request)
		require.NoError(s, err)
		for _, p := range page.Items {
			got = append(got, experiment.Metric{Key: p.Key, Value: p.Value, Timestamp: p.Timestamp, Step: p.Step})
		}
		if request.PageToken = page.NextPageToken; request.PageToken == "" {
			break
		}
	}
	require.Equal(s, []experiment.Metric{points[3], points[2], points[1], points[0]}, got)
	page, err := s.Tracking.MetricHistory(s.ctx, run.ID, "other", experiment.PageRequest{})
	require.NoError(s, err)
	require.Empty(s, page.Items)
}

func specialNumbers(s *suite) {
	run := s.run(s.experiment(), experiment.NewRun{})
	s.log(run.ID, experiment.Batch{Metrics: []experiment.Metric{
		{Key: "nan", Value: math.NaN()}, {Key: "inf", Value: math.Inf(1)}, {Key: "ninf", Value: math.Inf(-1)},
		{Key: "small", Value: math.SmallestNonzeroFloat64}, {Key: "large", Value: math.MaxFloat64}, {Key: "third", Value: 1.0 / 3},
	}})
	got := s.get(run.ID)
	for key, want := range map[string]float64{
		"inf": math.MaxFloat64, "ninf": -math.MaxFloat64, "small": math.SmallestNonzeroFloat64, "large": math.MaxFloat64, "third": 1.0 / 3,
	} {
		value, _ := got.Metric(key)
		require.Equal(s, want, value, key) //nolint:testifylint // exact
	}
	value, ok := got.Metric("nan")
	require.True(s, ok)
	require.True(s, math.IsNaN(value))
}

func datasets(s *suite) {
	id := s.experiment()
	train := experiment.Dataset{Name: "train", Digest: "d1", SourceType: "local", Source: "{}", Schema: `{"a":"double"}`, Profile: `{"rows":3}`}
	test := experiment.Dataset{Name: "test", Digest: "d2", SourceType: "local", Source: "{}"}
	context := func(value string) []experiment.Tag {
		return []experiment.Tag{{Key: experiment.TagDataContext, Value: value}}
	}
	first, second, third := s.run(id, experiment.NewRun{Name: "first"}), s.run(id, experiment.NewRun{Name: "second"}), s.run(id, experiment.NewRun{Name: "third"})
	for _, run := range []*experiment.Run{first, first, second} { // logging twice changes nothing
		require.NoError(s, s.Tracking.LogInputs(s.ctx, run.ID, experiment.Inputs{
			Datasets: []experiment.DatasetInput{{Dataset: train, Tags: context("training")}},
		}))
	}
	require.NoError(s, s.Tracking.LogInputs(s.ctx, second.ID, experiment.Inputs{
		Datasets: []experiment.DatasetInput{{Dataset: test, Tags: context("eval")}}, Models: []experiment.ModelInput{{ModelID: "m-" + strings.Repeat("1", 32)}},
	}))
	require.Equal(s, []experiment.DatasetInput{{Dataset: train, Tags: context("training")}}, s.get(first.ID).DatasetInputs)
	got := s.get(second.ID)
	require.ElementsMatch(s, []experiment.DatasetInput{{Dataset: train, Tags: context("training")}, {Dataset: test, Tags: context("eval")}}, got.DatasetInputs)
	require.Equal(s, []experiment.ModelInput{{ModelID: "m-" + strings.Repeat("1", 32)}}, got.ModelInputs)
	for filter, want := range map[string][]string{
		"datasets.name = 'train'": {"first", "second"}, "dataset.digest IN ('d2')": {"second"}, "datasets.context LIKE 'ev%'": {"second"},
		"datasets.name = 'none'": {},
	} {
		require.ElementsMatch(s, want, s.names(id, filter), filter)
	}
	for _, bad := range []experiment.Dataset{{Name: "n", Digest: strings.Repeat("d", 37), SourceType: "t", Source: "s"}, {Name: strings.Repeat("n", 501), Digest: "d", SourceType: "t", Source: "s"}} {
		s.code(apperror.Invalid, s.Tracking.LogInputs(s.ctx, third.ID, experiment.Inputs{Datasets: []experiment.DatasetInput{{Dataset: train}, {Dataset: bad}}}))
	}
	require.Empty(s, s.get(third.ID).DatasetInputs)
}

func batchLimits(s *suite) {
	run := s.run(s.experiment(), experiment.NewRun{})
	many := make([]experiment.Param, 101)
	for i := range many {
		many[i] = experiment.Param{Key: fmt.Sprintf("p%d", i)}
	}
	s.code(apperror.Invalid, s.Tracking.LogBatch(s.ctx, run.ID, experiment.Batch{Params: many}))
	for _, key := range []string{"", "a//b", "../up", "/root", "semi;colon", strings.Repeat("k", 251), "new\nline", "."} {
		s.code(apperror.Invalid, s.Tracking.LogBatch(s.ctx, run.ID, experiment.Batch{Metrics: metric("good", 1), Tags: []experiment.Tag{{Key: key}}}))
		s.code(apperror.Invalid, s.Tracking.LogBatch(s.ctx, run.ID, experiment.Batch{Metrics: append(metric("good", 1), metric(key, 1)...)}))
		s.code(apperror.Invalid, s.Tracking.LogBatch(s.ctx, run.ID, experiment.Batch{Metrics: metric("good", 1), Params: []experiment.Param{{Key: key}}}))
	}
	require.Empty(s, s.get(run.ID).Metrics)
	require.Empty(s, s.get(run.ID).Params)
	thousand := make([]experiment.Metric, 1000)
	for i := range thousand {
		thousand[i] = experiment.Metric{Key: "deep", Value: float64(i), Timestamp: int64(i), Step: int64(i)}
	}
	s.log(run.ID, experiment.Batch{Metrics: thousand})
	latest, _ := s.get(run.ID).Metric("deep")
	require.Equal(s, 999.0, latest) //nolint:testifylint // exact
}
