package experimenttest

import (
	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
)

// loggedModelsByDataset: three models with the metric rmse on datasets. Model a has it on two digests of "homes" and without a dataset, model
// b on "homes" in two steps and on "flats", model c only without one.
func loggedModelsByDataset(s *suite) {
	id := s.experiment()
	run := s.run(id, experiment.NewRun{})
	named := map[string]string{}
	var a, b, c string
	for name, to := range map[string]*string{"a": &a, "b": &b, "c": &c} {
		m, err := s.Tracking.CreateLoggedModel(s.ctx, experiment.NewLoggedModel{ExperimentID: id, Name: name, SourceRunID: run.ID})
		require.NoError(s, err)
		*to, named[m.ID] = m.ID, name
	}
	point := func(model string, value float64, step int64, name, digest string) experiment.Metric {
		return experiment.Metric{
			Key: "rmse", Value: value, Timestamp: 7, Step: step, ModelID: model, Dataset: experiment.DatasetKey{Name: name, Digest: digest},
		}
	}
	points := []experiment.Metric{
		point(a, 1, 0, "homes", "1"), point(a, 1, 1, "homes", "2"), point(a, 9, 2, "", ""),
		point(b, 5, 0, "homes", "1"), point(b, 0.5, 1, "homes", "1"), point(b, 4, 2, "flats", "1"),
		point(c, 3, 0, "", ""),
	}
	s.log(run.ID, experiment.Batch{Metrics: points})
	s.log(run.ID, experiment.Batch{Metrics: points}) // changes nothing

	m, err := s.Tracking.LoggedModel(s.ctx, a)
	require.NoError(s, err)
	for i := range points {
		points[i].RunID = run.ID
	}
	require.ElementsMatch(s, points[:3], m.Metrics)
	for _, latest := range s.get(run.ID).Metrics {
		require.Equal(s, experiment.DatasetKey{}, latest.Dataset, "metrics of a run have none")
	}

	type keys = []experiment.DatasetKey
	search := func(filter string, on keys, order []string, orderOn keys) (out []string) {
		page, err := s.Tracking.SearchLoggedModels(s.ctx, experiment.RunSearch{
			Search: experiment.Search{Filter: filter, OrderBy: order}, ExperimentIDs: []string{id}, Datasets: on, OrderDatasets: orderOn,
		})
		require.NoError(s, err, filter)
		for _, m := range page.Items {
			out = append(out, named[m.ID])
		}
		return out
	}
	homes, second := experiment.DatasetKey{Name: "homes", Digest: "1"}, experiment.DatasetKey{Name: "homes", Digest: "2"}
	flats := experiment.DatasetKey{Name: "flats", Digest: "1"}
	for _, test := range []struct {
		filter string
		on     keys
		want   []string
	}{
		{"metrics.rmse > 2", nil, []string{"a", "b", "c"}},
		{"metrics.rmse > 2", keys{homes}, []string{"b"}},
		{"metrics.rmse > 2 AND metrics.rmse < 1", keys{homes}, []string{"b"}},
		{"metrics.rmse < 2", keys{second}, []string{"a"}},
		{"metrics.rmse < 2", keys{flats}, nil},
		{"metrics.rmse > 0", keys{flats, second}, []string{"a", "b"}},
		{"", keys{homes}, []string{"a", "b"}},
		{"name != 'a'", keys{homes}, []string{"b"}},
		{"", keys{{Name: "homes", Digest: "9"}}, nil},
	} {
		require.ElementsMatch(s, test.want, search(test.filter, test.on, nil, nil), "%s on %v", test.filter, test.on)
	}
	one := []string{"metrics.rmse ASC", "name ASC"}
	require.Equal(s, []string{"c", "b", "a"}, search("", nil, one, nil), "the newest point: 3, 4, 9")
	require.Equal(s, []string{"b", "a", "c"}, search("", nil, one, keys{homes}), "0.5, 1, none")
	require.Equal(s, []string{"a", "b", "c"}, search("", nil, one, keys{second}), "1, none, none")
	require.Equal(s, []string{"b", "a", "c"}, search("", nil, one, keys{flats}), "4, none, none")
	require.Equal(s, []string{"a", "b", "c"}, search("", nil, []string{"metrics.rmse DESC", "name ASC"}, keys{homes}))
	two := []string{"metrics.rmse ASC", "metrics.rmse DESC", "name ASC"}
	require.Equal(s, []string{"b", "a", "c"}, search("", nil, two, keys{flats}), "of those without flats the newest of all, downwards: 9, 3")
	_, err = s.Tracking.SearchLoggedModels(s.ctx, experiment.RunSearch{ExperimentIDs: []string{id}, Datasets: keys{{Digest: "1"}}})
	s.code(apperror.Invalid, err)
}
