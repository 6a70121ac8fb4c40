package serving

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/realtor"
	"tasador/pkg/registry"
)

// records is a tracking server that answers what a test put in it.
type records struct {
	runs     []experiment.Run
	versions []registry.Version
	err      error
	token    string
}

func (r records) ExperimentByName(context.Context, string) (*experiment.Experiment, error) {
	return &experiment.Experiment{ID: "1"}, r.err
}

func (r records) SearchRuns(context.Context, experiment.RunSearch) (experiment.Page[experiment.Run], error) {
	return experiment.Page[experiment.Run]{Items: r.runs, NextPageToken: r.token}, nil
}

func (r records) SearchVersions(context.Context, experiment.Search) (experiment.Page[registry.Version], error) {
	return experiment.Page[registry.Version]{Items: r.versions}, nil
}

func run(id, name string, start int64, tags ...string) experiment.Run {
	r := experiment.Run{ID: id, Name: name, StartTime: start}
	for i := 0; i < len(tags); i += 2 {
		r.Tags = append(r.Tags, experiment.Tag{Key: tags[i], Value: tags[i+1]})
	}
	return r
}

func TestHistoryJoinsDecisionsAndTrainings(t *testing.T) {
	from := records{
		runs: []experiment.Run{ // newest first, as the search was asked for
			run("r7", "a notebook", 90, realtor.TagDAGRunID, "mine"),
			run("r6", realtor.DecisionRun, 80),
			run("r5", "train__b", 70, realtor.TagDAGRunID, "b", realtor.TagPromoted, "false", realtor.TagCurrentRMSE, "nan", realtor.TagPreviousRMSE, "200.5"),
			run("r4", realtor.DecisionRun, 60, realtor.TagDAGRunID, "c", realtor.TagDecision, "end_no_train", realtor.TagReason, "0 new records"),
			run("r3", realtor.DecisionRun, 50, realtor.TagDAGRunID, "b", realtor.TagDecision, "split_data", realtor.TagReason, "15000 nuevos > 10000"),
			run("r2", "train__a", 40, realtor.TagDAGRunID, "a", realtor.TagPromoted, "true", realtor.TagCurrentRMSE, "200.5", realtor.TagPreviousRMSE, "None"),
			run("r1", realtor.DecisionRun, 31, realtor.TagDAGRunID, "a", realtor.TagDecision, "split_data", realtor.TagReason, "the second try"),
			run("r0", realtor.DecisionRun, 30, realtor.TagDAGRunID, "a", realtor.TagDecision, "split_data", realtor.TagReason, "the first try"),
		},
		versions: []registry.Version{{Version: "1", RunID: "r2"}, {Version: "2", RunID: "r5"}},
	}
	rows, more, err := history(t.Context(), from, "RealtorPriceModel", historyFilter{})
	require.NoError(t, err)
	require.False(t, more)
	require.Len(t, rows, 3)

	require.Equal(t, "c", rows[0].DAGRunID, "by the decision, not by the end of the training")
	require.Equal(t, historyRow{DAGRunID: "c", Decision: "end_no_train", Reason: "0 new records", DecisionRun: "r4", started: 60}, rows[0])

	require.Equal(t, "b", rows[1].DAGRunID)
	require.Equal(t, "RealtorPriceModel", rows[1].ModelName)
	require.Empty(t, rows[1].ModelVersion, "it was not promoted")
	require.True(t, math.IsNaN(*rows[1].Current), "an error that is not finite is shown as it is")
	require.InDelta(t, 200.5, *rows[1].Previous, 0)

	require.Equal(t, "a", rows[2].DAGRunID)
	require.Equal(t, "the second try", rows[2].Reason)
	require.Equal(t, "1", rows[2].ModelVersion)
	require.InDelta(t, 200.5, *rows[2].Current, 0)
	require.Nil(t, rows[2].Previous)
	require.Equal(t, "true", rows[2].Promoted)
}

func TestHistoryIsBounded(t *testing.T) {
	var from records
	for i := range int64(historyRows + 5) {
		id := string(rune('0' + i))
		from.runs = append(from.runs, run(id, realtor.DecisionRun, 1000-i, realtor.TagDAGRunID, id))
	}
	rows, more, err := history(t.Context(), from, "m", historyFilter{})
	require.NoError(t, err)
	require.True(t, more)
	require.Len(t, rows, historyRows)
	require.Equal(t, "0", rows[0].DAGRunID)
}

func TestNoExperimentIsAnEmptyHistory(t *testing.T) {
	rows, more, err := history(t.Context(), records{err: apperror.New(apperror.NotFound, "none")}, "m", historyFilter{})
	require.NoError(t, err)
	require.False(t, more)
	require.Empty(t, rows)
	_, _, err = history(t.Context(), records{err: apperror.New(apperror.Unavailable, "away")}, "m", historyFilter{})
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
}

func TestHistoryIsFilteredBeyondTheFirstPage(t *testing.T) {
	from := paged{
		{
			run("r5", realtor.DecisionRun, 50, realtor.TagDAGRunID, "manual__b", realtor.TagDecision, "end_no_train", realtor.TagReason, "Nulos en: ['bath'] (bath: 3)"),
			run("r4", "train__a", 40, realtor.TagDAGRunID, "manual__a", realtor.TagPromoted, "true"),
		},
		{
			run("r3", realtor.DecisionRun, 30, realtor.TagDAGRunID, "manual__a", realtor.TagDecision, "split_data", realtor.TagReason, "15000 nuevos > 10000"),
			run("r2", realtor.DecisionRun, 20, realtor.TagDAGRunID, "scheduled__z", realtor.TagDecision, "reset_data", realtor.TagReason, "fuente agotada"),
		},
	}
	for _, c := range []struct {
		filter historyFilter
		want   []string
	}{
		{historyFilter{}, []string{"manual__b", "manual__a", "scheduled__z"}},
		{historyFilter{Text: "NULOS"}, []string{"manual__b"}},
		{historyFilter{Text: "scheduled"}, []string{"scheduled__z"}},
		{historyFilter{Decision: "split_data"}, []string{"manual__a"}},
		{historyFilter{Promoted: "true"}, []string{"manual__a"}},
		{historyFilter{Promoted: "true", Decision: "reset_data"}, nil},
	} {
		rows, more, err := history(t.Context(), from, "m", c.filter)
		require.NoError(t, err)
		require.False(t, more)
		var ids []string
		for _, row := range rows {
			ids = append(ids, row.DAGRunID)
		}
		require.Equal(t, c.want, ids, "%+v", c.filter)
	}
}

// paged is a tracking server whose search has several pages.
type paged [][]experiment.Run

func (p paged) ExperimentByName(context.Context, string) (*experiment.Experiment, error) {
	return &experiment.Experiment{ID: "1"}, nil
}

func (p paged) SearchRuns(_ context.Context, q experiment.RunSearch) (experiment.Page[experiment.Run], error) {
	i := len(q.PageToken) // the token of page n has n letters
	page := experiment.Page[experiment.Run]{Items: p[i]}
	if i+1 < len(p) {
		page.NextPageToken = q.PageToken + "x"
	}
	return page, nil
}

func (p paged) SearchVersions(context.Context, experiment.Search) (experiment.Page[registry.Version], error) {
	return experiment.Page[registry.Version]{}, nil
}
