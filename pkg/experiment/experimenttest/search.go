package experimenttest

import (
	"math"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
)

// names returns the names of the runs that a search finds, in its order.
func (s *suite) names(experimentID, filter string, order ...string) []string {
	s.Helper()
	page, err := s.Tracking.SearchRuns(s.ctx, experiment.RunSearch{
		Search: experiment.Search{Filter: filter, OrderBy: order}, ExperimentIDs: []string{experimentID},
	})
	require.NoError(s, err, filter)
	out := []string{}
	for _, r := range page.Items {
		out = append(out, r.Name)
	}
	return out
}

func runFilters(s *suite) {
	id := s.experiment()
	a := s.run(id, experiment.NewRun{Name: "a", StartTime: 100, UserID: "ana"})
	b := s.run(id, experiment.NewRun{Name: "b", StartTime: 200})
	s.run(id, experiment.NewRun{Name: "C", StartTime: 300})
	s.log(a.ID, experiment.Batch{
		Metrics: metric("test_rmse", 5), Params: []experiment.Param{{Key: "best alpha", Value: "1.0"}},
		Tags: []experiment.Tag{{Key: "dag_run_id", Value: "manual__1"}, {Key: "decision", Value: "Train_Model"}},
	})
	s.log(b.ID, experiment.Batch{
		Metrics: append(metric("test_rmse", 7.5), metric("nan", math.NaN())...), Params: []experiment.Param{{Key: "best alpha", Value: "0.1"}},
		Tags: []experiment.Tag{{Key: "dag_run_id", Value: "scheduled__2"}},
	})
	for _, test := range []struct {
		filter string
		want   []string // newest first
	}{
		{"", []string{"C", "b", "a"}},
		{"attributes.run_id != '" + a.ID + "'", []string{"C", "b"}},
		{"attributes.run_id IN ('" + a.ID + "', '" + b.ID + "')", []string{"b", "a"}},
		{"run_id NOT IN ('" + a.ID + "')", []string{"C", "b"}},
		{"metrics.test_rmse > 5", []string{"b"}},
		{"metrics.test_rmse >= 5 and metrics.test_rmse<7.5", []string{"a"}},
		{"metric.test_rmse != 5e0", []string{"b"}},
		{"params.`best alpha` = '1.0'", []string{"a"}},
		{`param."best alpha" != "1.0"`, []string{"b"}},
		{"tags.dag_run_id LIKE 'manual%'", []string{"a"}},
		{"tags.decision LIKE 'train%'", nil},
		{"tags.decision ILIKE 'train%'", []string{"a"}},
		{"tags.decision LIKE 'Train_Model'", []string{"a"}},
		{"tags.decision IS NULL", []string{"C", "b"}},
		{"tag.decision IS NOT NULL AND tag.dag_run_id='manual__1'", []string{"a"}},
		{"attributes.run_name = 'C'", []string{"C"}},
		{"tags.mlflow.runName = 'b'", []string{"b"}},
		{"start_time > 100 AND attributes.start_time < 300", []string{"b"}},
		{"attributes.status = 'RUNNING' AND user_id = 'ana'", []string{"a"}},
		{"tags.x = '%' AND tags.x = ''' OR 1=1'", nil},
		{"tags.dag_run_id = 'manual__1'' OR ''a''=''a'", nil},
	} {
		if test.want == nil {
			test.want = []string{}
		}
		require.Equal(s, test.want, s.names(id, test.filter), test.filter)
	}
	for _, bad := range []string{
		"metrics.test_rmse > '5'", "tags.x = 5", "attributes.colour = 'red'", "a = 'b' OR c = 'd'", "(run_id = 'x')", "metrics.m LIKE 'x'",
		"nonsense", "tags.x =", "= 'x'", "colour.x = 'y'", "tags.x = y", "run_id IN ()", "run_id IN (1)",
		"metrics.m IS NULL", "status IN ('a')", "tags.x > 'a'", "tags.x = 'unclosed",
	} {
		_, err := s.Tracking.SearchRuns(s.ctx, experiment.RunSearch{Search: experiment.Search{Filter: bad}, ExperimentIDs: []string{id}})
		require.Error(s, err, bad)
		require.Equal(s, apperror.Invalid, apperror.CodeOf(err), "%s: %v", bad, err)
	}
}

func runOrder(s *suite) {
	id := s.experiment()
	for _, r := range []struct {
		name  string
		value []float64
		start int64
	}{
		{"low", []float64{1}, 10}, {"none old", nil, 20}, {"nan", []float64{math.NaN()}, 30}, {"high", []float64{2}, 40},
		{"none new", nil, 50}, {"negative", []float64{-1}, 60}, {"low too", []float64{1}, 70},
	} {
		run := s.run(id, experiment.NewRun{Name: r.name, StartTime: r.start})
		for _, v := range r.value {
			s.log(run.ID, experiment.Batch{Metrics: metric("test_rmse", v)})
		}
	}
	require.Equal(s, []string{"negative", "low too", "low", "high", "nan", "none new", "none old"}, s.names(id, "", "metrics.test_rmse ASC"))
	require.Equal(s, []string{"high", "low too", "low", "negative", "nan", "none new", "none old"}, s.names(id, "", "metrics.`test_rmse` desc"))
	require.Equal(s, []string{"low", "low too", "high"}, s.names(id, "metrics.test_rmse > 0", "metrics.test_rmse", "attributes.start_time ASC"))
	require.Equal(s, []string{"none old", "none new", "negative", "nan", "low too", "low", "high"}, s.names(id, "", "tags.mlflow.runName DESC"))
	require.Equal(s, []string{"low", "none old"}, s.names(id, "start_time <= 20", "created"))
	for _, bad := range []string{"metrics.m SIDEWAYS", "colour", "colour.x ASC", "", "metrics.a ASC, metrics.b"} {
		_, err := s.Tracking.SearchRuns(s.ctx, experiment.RunSearch{Search: experiment.Search{OrderBy: []string{bad}}, ExperimentIDs: []string{id}})
		require.Error(s, err, bad)
		require.Equal(s, apperror.Invalid, apperror.CodeOf(err), "%s: %v", bad, err)
	}
}

func runPages(s *suite) {
	id := s.experiment()
	want := []string{}
	for i := range 7 {
		name := string(rune('a' + i))
		s.run(id, experiment.NewRun{Name: name, StartTime: int64(100 - i)})
		want = append(want, name)
	}
	q := experiment.RunSearch{Search: experiment.Search{PageRequest: experiment.PageRequest{MaxResults: 3}}, ExperimentIDs: []string{id}}
	var got []string
	pages := 0
	for {
		page, err := s.Tracking.SearchRuns(s.ctx, q)
		require.NoError(s, err)
		for _, r := range page.Items {
			got = append(got, r.Name)
		}
		pages++
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			break
		}
	}
	require.Equal(s, want, got)
	require.Equal(s, 3, pages)
	q.MaxResults = 7
	page, err := s.Tracking.SearchRuns(s.ctx, q)
	require.NoError(s, err)
	require.Len(s, page.Items, 7)
	require.Empty(s, page.NextPageToken, "a full last page has none after it")
	q.PageToken = "nonsense!"
	_, err = s.Tracking.SearchRuns(s.ctx, q)
	s.code(apperror.Invalid, err)
	q.PageToken, q.MaxResults = "", 50_001
	_, err = s.Tracking.SearchRuns(s.ctx, q)
	s.code(apperror.Invalid, err)
}
