package pricemodel_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/experiment"
	"tasador/pkg/registry"
)

var (
	trainPath   = []string{"extract_data", "branch_on_exhaustion", "decide_to_train", "split_data", "preprocess_data", "train_and_register", "end"}
	noTrainPath = []string{"extract_data", "branch_on_exhaustion", "decide_to_train", "end_no_train", "end"}
	resetPath   = []string{"extract_data", "branch_on_exhaustion", "reset_data", "end_after_reset", "end"}
)

func (w *world) succeeds(t *testing.T, id, conf string, path []string) *dagRun {
	t.Helper()
	run := w.runner.trigger(t, id, conf)
	require.Empty(t, run.errs)
	require.Equal(t, dag.RunSuccess, run.run.State)
	require.Equal(t, path, w.runner.path(run))
	return run
}

func TestEveryPathOfTheDAG(t *testing.T) {
	w := newWorld(t, generatedSource(t, "400,0,50,300:nulls=bath,300:missing=bed,350:rows=array"))

	run := w.succeeds(t, "manual__1", "", trainPath)
	require.Equal(t, "400", run.xcoms.value("extract_data", "new_records"))
	require.Equal(t, "false", run.xcoms.value("extract_data", "finished"))
	// 400 rows are cut at 240 and 320.
	require.JSONEq(t, `{"in": {"payload": 400}, "out": {"realtor_raw": 400}}`, run.xcoms.value("extract_data", "rows"))
	require.JSONEq(t, `{"in": {"realtor_raw": 400}}`, run.xcoms.value("decide_to_train", "rows"))
	require.JSONEq(t, `{"in": {"realtor_raw": 400}, "out": {"train": 240, "validation": 80, "test": 80}}`, run.xcoms.value("split_data", "rows"))
	require.JSONEq(t, `{"in": {"train": 240, "validation": 80, "test": 80}, "out": {"train_clean": 240, "validation_clean": 80, "test_clean": 80}}`, run.xcoms.value("preprocess_data", "rows"))
	require.JSONEq(t, `{"in": {"train_clean": 240, "validation_clean": 80, "test_clean": 80}}`, run.xcoms.value("train_and_register", "rows"))
	decision, reason := w.decision(t, "manual__1")
	require.Equal(t, "split_data", decision)
	require.Equal(t, "400 nuevos > 100", reason)
	decided := w.runs(t, "manual__1")["decision"]
	require.Equal(t, 400.0, metric(t, decided, "new_records"))
	require.Equal(t, "2026-01-01T10:00:00+00:00", tag(t, decided, "execution_date"))
	require.Equal(t, "2026-01-01T10:00:00.123456+00:00", tag(t, decided, "as_of"))
	require.Equal(t, map[string]registry.Stage{"1": registry.Production}, w.versions(t))
	trained := w.runs(t, "manual__1")["train__manual__1"]
	require.Equal(t, experiment.Finished, trained.Status)
	require.Equal(t, "true", tag(t, trained, "promoted"))
	require.Equal(t, "None", tag(t, trained, "previous_best_rmse"))
	require.Equal(t, experiment.FormatFloat(metric(t, trained, "test_rmse")), tag(t, trained, "current_rmse"))
	require.Equal(t, "2026-01-01T10:00:00+00:00", tag(t, trained, "execution_date"))
	require.Equal(t, []experiment.Param{{Key: "best_alpha", Value: tag(t, trained, "best_alpha")}}, trained.Params)
	best := metric(t, trained, "val_rmse_alpha_"+tag(t, trained, "best_alpha"))
	require.Equal(t, best, metric(t, trained, "best_val_rmse"))
	for _, alpha := range []string{"0.01", "0.1", "1.0", "10.0", "100.0"} {
		require.LessOrEqual(t, best, metric(t, trained, "val_rmse_alpha_"+alpha)*(1+1e-12))
	}
	require.Len(t, trained.Metrics, 10)
	require.Len(t, trained.ModelOutputs, 1)

	for _, none := range []struct{ id, reason string }{
		{"manual__2", "0 new records"},
		{"manual__3", "50 nuevos ≤ 100"},
		{"manual__4", "Nulos en: ['bath'] (bath: 30)"},
		{"manual__5", "Faltan columnas: ['bed']"},
	} {
		w.succeeds(t, none.id, "", noTrainPath)
		decision, reason = w.decision(t, none.id)
		require.Equal(t, "end_no_train", decision)
		require.Equal(t, none.reason, reason)
	}
	require.Len(t, w.versions(t), 1)

	w.succeeds(t, "manual__6", "", trainPath)
	require.Equal(t, 1400, w.rows(t, "rawdata.db", "realtor_raw"))
	require.Equal(t, 840, w.rows(t, "rawdata.db", "train"))
	require.Equal(t, 280, w.rows(t, "cleandata.db", "test_clean"))
	require.Len(t, w.versions(t), 2)

	run = w.succeeds(t, "manual__7", "", resetPath)
	require.Equal(t, "true", run.xcoms.value("extract_data", "finished"))
	decision, reason = w.decision(t, "manual__7")
	require.Equal(t, "reset_data", decision)
	require.Equal(t, "fuente agotada", reason)
	for _, table := range []string{"realtor_raw", "train", "validation", "test"} {
		require.Zero(t, w.rows(t, "rawdata.db", table), table)
	}
	for _, table := range []string{"train_clean", "validation_clean", "test_clean"} {
		require.Zero(t, w.rows(t, "cleandata.db", table), table)
	}

	w.succeeds(t, "manual__8", "", trainPath)
	require.Equal(t, 400, w.rows(t, "rawdata.db", "realtor_raw"), "the source began again")
}

func TestOnlyABetterModelIsPromoted(t *testing.T) {
	const conf = `{"as_of": "2026-01-01"}`
	w := newWorld(t, generatedSource(t, "400"))
	w.succeeds(t, "manual__1", conf, trainPath)
	w.succeeds(t, "manual__2", conf, resetPath)
	w.succeeds(t, "manual__3", conf, trainPath)
	first, second := w.runs(t, "manual__1")["train__manual__1"], w.runs(t, "manual__3")["train__manual__3"]
	require.Equal(t, metric(t, first, "test_rmse"), metric(t, second, "test_rmse"), "the same rows as of the same day")
	require.Equal(t, "false", tag(t, second, "promoted"), "as good is not better")
	require.Equal(t, tag(t, first, "current_rmse"), tag(t, second, "previous_best_rmse"))
	require.Equal(t, map[string]registry.Stage{"1": registry.Production, "2": registry.None}, w.versions(t))
	require.Equal(t, "2026-01-01T00:00:00+00:00", tag(t, second, "as_of"))

	// Once the first run is deleted, nothing is better than the third model.
	require.NoError(t, w.tracking.DeleteRun(t.Context(), first.ID))
	require.NoError(t, w.tracking.DeleteRun(t.Context(), second.ID))
	w.succeeds(t, "manual__4", conf, resetPath)
	w.succeeds(t, "manual__5", conf, trainPath)
	third := w.runs(t, "manual__5")["train__manual__5"]
	require.Equal(t, "true", tag(t, third, "promoted"))
	require.Equal(t, "None", tag(t, third, "previous_best_rmse"))
	require.Equal(t, map[string]registry.Stage{"1": registry.Archived, "2": registry.None, "3": registry.Production}, w.versions(t))
}

func TestConfChangesTheGateOfOneRun(t *testing.T) {
	w := newWorld(t, generatedSource(t, "400:nulls=bath,400:nulls=bath,400:nulls=bath"))
	w.succeeds(t, "manual__1", `{"gate": {"max_invalid_ratio": 0.09}}`, noTrainPath)
	w.succeeds(t, "manual__2", `{"gate": {"nullable": ["bath"], "min_new_records": 400}}`, noTrainPath)
	_, reason := w.decision(t, "manual__2")
	require.Equal(t, "400 nuevos ≤ 400", reason)
	w.succeeds(t, "manual__3", `{"gate": {"nullable": ["bath"], "min_new_records": 399}}`, trainPath)
}
