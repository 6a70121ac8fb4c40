package trackingstore_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore/trackingstore"
)

// checkPages reads a list at once, and then page by page while add puts more elements into it: the pages hold what was there before, each once
// and in the same order.
func checkPages[E any](t *testing.T, id func(E) string, add func(), read func(experiment.PageRequest) (experiment.Page[E], error)) {
	t.Helper()
	all, err := read(experiment.PageRequest{MaxResults: 1000})
	require.NoError(t, err)
	require.Empty(t, all.NextPageToken)
	var want, got []string
	for _, e := range all.Items {
		want = append(want, id(e))
	}
	require.GreaterOrEqual(t, len(want), 8, "enough for some pages")
	pages := 0
	for q := (experiment.PageRequest{MaxResults: 3}); ; pages++ {
		page, err := read(q)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Items), 3)
		for _, e := range page.Items {
			if slices.Contains(want, id(e)) {
				got = append(got, id(e))
			}
		}
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			break
		}
		if pages < 4 {
			add()
		}
	}
	require.Equal(t, want, got)
}

// TestPagesOfRuns pages through values, NaN, missing values and ties in both directions.
func TestPagesOfRuns(t *testing.T) { onEach(t, testPagesOfRuns) }

func testPagesOfRuns(t *testing.T, store *trackingstore.Store) {
	created := 0
	for _, order := range [][]string{
		nil, {"metrics.m"}, {"metrics.m DESC"}, {"params.p", "metrics.m DESC"}, {"tags.t DESC"}, {"end_time"}, {"end_time DESC", "metrics.m"},
		{"start_time ASC"}, {"attributes.run_name DESC"}, {"run_id"},
	} {
		id, err := store.CreateExperiment(t.Context(), experiment.NewExperiment{Name: fmt.Sprint(order)})
		require.NoError(t, err)
		add := func() {
			created++
			addRun(t, store, id, created)
		}
		for range 12 {
			add()
		}
		checkPages(t, func(r experiment.Run) string { return r.ID }, add, func(q experiment.PageRequest) (experiment.Page[experiment.Run], error) {
			return store.SearchRuns(t.Context(), experiment.RunSearch{Search: experiment.Search{PageRequest: q, OrderBy: order}, ExperimentIDs: []string{id}})
		})
	}
}

// addRun makes run number n: every few have the same value of something, NaN, or nothing.
func addRun(t *testing.T, store *trackingstore.Store, experimentID string, n int) {
	t.Helper()
	run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: experimentID, Name: fmt.Sprint("run ", n%5), StartTime: int64(1000 + n*7%4)})
	require.NoError(t, err)
	batch := experiment.Batch{Params: []experiment.Param{{Key: "p", Value: fmt.Sprint(n % 2)}}}
	if value := []float64{1, 2, 2, math.NaN(), -0.1, math.Inf(1)}; n%7 < len(value) {
		batch.Metrics = []experiment.Metric{{Key: "m", Value: value[n%7]}}
	}
	if n%3 > 0 {
		batch.Tags = []experiment.Tag{{Key: "t", Value: fmt.Sprint("ñ", n%3)}}
		end := int64(n % 3)
		_, err := store.UpdateRun(t.Context(), run.ID, experiment.RunUpdate{EndTime: &end})
		require.NoError(t, err)
	}
	require.NoError(t, store.LogBatch(t.Context(), run.ID, batch))
}

// TestPagesOfTheRest pages through experiments, logged models, registered models, their versions and points of a metric.
func TestPagesOfTheRest(t *testing.T) { onEach(t, testPagesOfTheRest) }

func testPagesOfTheRest(t *testing.T, store *trackingstore.Store) {
	n := 0
	add := func() {
		n++
		addOfEach(t, store, n)
	}
	for range 9 {
		add()
	}
	for _, order := range [][]string{nil, {"name DESC"}, {"creation_time"}, {"experiment_id DESC"}, {"last_update_time DESC", "name"}} {
		checkPages(t, func(e experiment.Experiment) string { return e.ID }, add, searchBy(t, order, store.SearchExperiments))
	}
	for _, order := range [][]string{nil, {"metrics.m DESC"}, {"name"}, {"model_type DESC"}, {"source_run_id"}, {"creation_timestamp"}} {
		search := func(ctx context.Context, q experiment.Search) (experiment.Page[experiment.LoggedModel], error) {
			return store.SearchLoggedModels(ctx, experiment.RunSearch{Search: q, ExperimentIDs: []string{"0"}})
		}
		checkPages(t, func(m experiment.LoggedModel) string { return m.ID }, add, searchBy(t, order, search))
	}
	for _, order := range [][]string{nil, {"name DESC"}, {"timestamp"}} {
		checkPages(t, func(m registry.Model) string { return m.Name }, add, searchBy(t, order, store.SearchModels))
	}
	for _, order := range [][]string{{"version_number"}, {"name", "version_number DESC"}, {"creation_timestamp"}} {
		checkPages(t, func(v registry.Version) string { return v.Name + v.Version }, add, searchBy(t, order, store.SearchVersions))
	}
	points := func(q experiment.PageRequest) (experiment.Page[experiment.Metric], error) {
		return store.MetricHistory(t.Context(), busyRun(t, store), "m", q)
	}
	checkPages(t, func(m experiment.Metric) string { return fmt.Sprint(m) }, add, points)
}

func searchBy[E any](t *testing.T, order []string, search func(context.Context, experiment.Search) (experiment.Page[E], error)) func(experiment.PageRequest) (experiment.Page[E], error) {
	return func(q experiment.PageRequest) (experiment.Page[E], error) {
		return search(t.Context(), experiment.Search{PageRequest: q, OrderBy: order})
	}
}

// busyRun is a run that gets a point with each addOfEach.
func busyRun(t *testing.T, store *trackingstore.Store) string {
	t.Helper()
	page, err := store.SearchRuns(t.Context(), experiment.RunSearch{ExperimentIDs: []string{"0"}})
	require.NoError(t, err)
	if len(page.Items) > 0 {
		return page.Items[0].ID
	}
	run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)
	return run.ID
}

func addOfEach(t *testing.T, store *trackingstore.Store, n int) {
	t.Helper()
	_, err := store.CreateExperiment(t.Context(), experiment.NewExperiment{Name: fmt.Sprintf("e%d", n*37%1009)})
	require.NoError(t, err)
	m := experiment.NewLoggedModel{ExperimentID: "0", Name: fmt.Sprint("m", n%3)}
	run := busyRun(t, store)
	if n%2 == 0 {
		m.ModelType, m.SourceRunID = fmt.Sprint("t", n%4), run
	}
	model, err := store.CreateLoggedModel(t.Context(), m)
	require.NoError(t, err)
	value := []float64{1, 2, math.NaN()}[n%3]
	require.NoError(t, store.LogBatch(t.Context(), run, experiment.Batch{
		Metrics: []experiment.Metric{{Key: "m", Value: value, Timestamp: int64(n % 4), Step: int64(n), ModelID: model.ID}},
	}))
	name := fmt.Sprintf("model %d", n*37%1009)
	_, err = store.CreateModel(t.Context(), name, "", nil)
	require.NoError(t, err)
	_, err = store.CreateVersion(t.Context(), registry.NewVersion{Name: name, Source: "models:/" + model.ID})
	require.NoError(t, err)
}

// TestForeignTokens: a token of another order, or of nobody's making, is refused whatever it holds.
func TestForeignTokens(t *testing.T) { onEach(t, testForeignTokens) }

func testForeignTokens(t *testing.T, store *trackingstore.Store) {
	for n := range 3 {
		addRun(t, store, "0", n)
	}
	search := func(token string, order ...string) (string, error) {
		page, err := store.SearchRuns(t.Context(), experiment.RunSearch{
			Search: experiment.Search{PageRequest: experiment.PageRequest{MaxResults: 1, PageToken: token}, OrderBy: order}, ExperimentIDs: []string{"0"},
		})
		return page.NextPageToken, err
	}
	token, err := search("", "metrics.m")
	require.NoError(t, err)
	_, err = search(token, "metrics.m")
	require.NoError(t, err)
	body, err := base64.RawURLEncoding.DecodeString(token)
	require.NoError(t, err)
	bent := base64.RawURLEncoding.EncodeToString([]byte(string(body[:len(body)-1]) + `,"a":["x","x","x","x"]}`))
	forged := base64.RawURLEncoding.EncodeToString(bytes.Replace(body, []byte(`["0"`), []byte(`["-9223372036854775808"`), 1))
	_, err = search(forged, "metrics.m")
	require.NoError(t, err, "some page, and soon")
	for _, bad := range []string{token[1:], bent, "eyJvZmZzZXQiOiAyfQ==", "e30", "%"} {
		_, err = search(bad, "metrics.m")
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err), bad)
	}
	_, err = search(token, "metrics.m DESC")
	require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
}
