package pricemodel_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/dataset"
	"tasador/pkg/experiment"
)

// artifact reads a JSON file of a run.
func (w *world) artifact(t *testing.T, run experiment.Run, name string, into any) {
	t.Helper()
	file, _, err := w.tracking.OpenArtifact(t.Context(), run.ArtifactURI, name)
	require.NoError(t, err, name)
	defer func() { require.NoError(t, file.Close()) }()
	require.NoError(t, json.NewDecoder(file).Decode(into))
}

// requireProfiles looks at what a DAG run that trained on the rows that it collected has left in tracking.
func (w *world) requireProfiles(t *testing.T, id string, rows int) {
	t.Helper()
	runs := w.runs(t, id)
	decided, trained := runs["decision"], runs["train__"+id]
	var batch dataset.Profile
	w.artifact(t, decided, "profile/batch.json", &batch)
	require.Equal(t, rows, batch.Rows())
	require.Equal(t, float64(rows), metric(t, decided, "rows"))
	require.Equal(t, 0.0, metric(t, decided, "null_ratio_bath"))
	require.InDelta(t, batch.Of("price").Numbers.Mean, metric(t, decided, "mean_price"), 0)
	var splits map[string]*dataset.Profile
	w.artifact(t, trained, "profile/splits.json", &splits)
	require.Len(t, splits, 3)
	require.Equal(t, rows*6/10, splits["train"].Rows())
	require.Equal(t, float64(rows*6/10), metric(t, trained, "rows_train"))
	require.Equal(t, float64(rows*2/10), metric(t, trained, "rows_test"))
	for _, run := range []experiment.Run{decided, trained} {
		for _, m := range run.Metrics {
			history, err := w.tracking.MetricHistory(t.Context(), run.ID, m.Key, experiment.PageRequest{})
			require.NoError(t, err)
			require.Len(t, history.Items, 1, "%s of %s", m.Key, run.Name)
		}
	}
}

func TestProfilesAreLoggedOnce(t *testing.T) {
	w := newWorld(t, generatedSource(t, "400,0"))
	run := w.succeeds(t, "manual__1", "", trainPath)
	w.requireProfiles(t, "manual__1", 400)
	run.states = map[string]dag.Instance{} // as clearing the whole DAG run does
	w.restart(t)
	w.succeeds(t, "manual__1", "", trainPath)
	w.requireProfiles(t, "manual__1", 400)
	require.Equal(t, 0.0, metric(t, w.runs(t, "manual__1")["decision"], "rows_seen_before"), "rows are not seen before because they are there")
}

// TestRowsThatComeAgainWereSeenBefore collects three batches: 150 equal rows, 3 of them and one new, and after a reset the same again.
func TestRowsThatComeAgainWereSeenBefore(t *testing.T) {
	changed := strings.Replace(goodRow, `"price": 100000.0`, `"price": 100001.0`, 1)
	bad := strings.Replace(goodRow, `"bath": 2.0`, `"bath": null`, 1)
	again := "[" + strings.Repeat(goodRow+",", 3) + changed + "," + bad + "]"
	uri, _ := answers(t, "["+strings.Repeat(goodRow+",", 149)+goodRow+"]", again, `{"detail": "Ya se recolecto toda la informacion minima necesaria"}`, `{"ok": true}`, again)
	w := newWorld(t, uri)
	w.succeeds(t, "manual__1", "", trainPath)
	w.succeeds(t, "manual__2", "", noTrainPath)
	decided := w.runs(t, "manual__2")["decision"]
	require.Equal(t, 3.0, metric(t, decided, "rows_seen_before"))
	require.Equal(t, 0.2, metric(t, decided, "null_ratio_bath"))
	require.Equal(t, 0.2, metric(t, decided, "invalid_ratio"))
	require.Equal(t, "Nulos en: ['bath'] (bath: 1)", tag(t, decided, "reason"))
	require.Equal(t, 2.0, metric(t, decided, "median_bath"))
	var p dataset.Profile
	w.artifact(t, decided, "profile/batch.json", &p)
	require.Equal(t, 150, p.SeenBefore.ComparedWith)
	require.Equal(t, tag(t, decided, "reason"), dataset.Gate{MinNewRecords: minNewRecords}.Decide(&p).Reason, "the reason comes from the profile")

	w.succeeds(t, "manual__3", "", resetPath)
	w.succeeds(t, "manual__4", "", noTrainPath)
	require.Equal(t, 0.0, metric(t, w.runs(t, "manual__4")["decision"], "rows_seen_before"), "reset_data forgets")
}
