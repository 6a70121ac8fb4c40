package upgrade_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/dataset"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/pkg/sqlstore/datasetstore"
	"tasador/pkg/testkit"
)

func openDAGRuns(t *testing.T, d *database) *dagrunstore.Store {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), d.url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	store, err := dagrunstore.Open(t.Context(), db)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func checkDAGRuns(t *testing.T, d *database) {
	store := openDAGRuns(t, d)
	known, err := store.DAG(t.Context(), "prices")
	require.NoError(t, err)
	require.True(t, known.Paused)
	require.Equal(t, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), known.NextRun)
	run, err := store.Run(t.Context(), "prices", "scheduled__1")
	require.NoError(t, err)
	require.Equal(t, dag.RunSuccess, run.State)
	require.JSONEq(t, `{"as_of": "2026-01-01"}`, string(run.Conf))
	require.Equal(t, "fine", run.Note)
	task, err := store.Instance(t.Context(), "prices", "scheduled__1", "extract_data")
	require.NoError(t, err)
	require.Equal(t, dag.StateSuccess, task.State)
	require.Equal(t, 2, task.Try)
	tries, err := store.Tries(t.Context(), task.Key)
	require.NoError(t, err)
	require.Len(t, tries, 2)
	require.Equal(t, "no answer", tries[0].Error)
	lines, err := store.Log(t.Context(), task.Key, 2, 0, 10)
	require.NoError(t, err)
	require.Len(t, lines, 1)
	require.Equal(t, "rows are stored", lines[0].Message)
	xcom, err := store.XComOf(t.Context(), run.Key, "extract_data", "new_records")
	require.NoError(t, err)
	require.JSONEq(t, "9", string(xcom.Value))

	running, err := store.Running(t.Context(), "prices")
	require.NoError(t, err)
	require.Len(t, running, 1)
	require.Equal(t, int64(42), running[0].Fence)
	job, ok, err := store.Requeue(t.Context(), running[0], "the process ended", time.Now())
	require.NoError(t, err)
	require.True(t, ok)
	claim, ok, err := store.Claim(t.Context(), job, time.Now().Add(time.Minute), time.Now())
	require.NoError(t, err)
	require.True(t, ok, "what was under way goes on")
	require.Greater(t, claim.Fence, int64(42))
}

func checkBackfills(t *testing.T, d *database) {
	store := openDAGRuns(t, d)
	all, n, err := store.Backfills(t.Context(), "prices", 10, 0)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	run, err := store.Run(t.Context(), "prices", "scheduled__1")
	require.NoError(t, err)
	require.Equal(t, all[0].ID, run.Backfill)
}

func checkTriggeringUser(t *testing.T, d *database) {
	run, err := openDAGRuns(t, d).Run(t.Context(), "prices", "scheduled__1")
	require.NoError(t, err)
	require.Equal(t, "ana", run.User)
}

// openData opens a database of listings, beside one of clean rows that is empty, or the other way round.
func openData(t *testing.T, raw, clean string) *datasetstore.Store {
	t.Helper()
	for _, url := range []*string{&raw, &clean} {
		if *url == "" {
			*url = testkit.NewDatabase(t, testkit.SQLiteEngine)
		}
	}
	store, err := datasetstore.Open(t.Context(), datasetstore.Options{RawURL: raw, CleanURL: clean, SpillDir: t.TempDir()}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// checkListings splits what was collected, and cleans it; it comes last, since that replaces the tables.
func checkListings(t *testing.T, d *database) {
	store := openData(t, d.url, "")
	claim := func(task string) datasetstore.Claim {
		return datasetstore.Claim{DAGRunID: "run-2", TaskID: task, Fence: 50}
	}
	split, err := store.Split(t.Context(), claim("split_data"), func(int, int) {})
	require.NoError(t, err)
	require.Equal(t, map[dataset.SplitName]int{dataset.Train: 3, dataset.Validation: 1, dataset.Test: 1}, split)
	clean, err := store.Clean(t.Context(), claim("preprocess_data"), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), func(int, int) {})
	require.NoError(t, err)
	require.Equal(t, split, clean)
	sum := 0.0
	for _, name := range dataset.Splits() {
		part, err := store.Part(t.Context(), "run-2", name)
		require.NoError(t, err)
		require.NoError(t, part.Each(t.Context(), func(_ []float64, price float64) error {
			sum += price
			return nil
		}))
	}
	require.InDelta(t, 1_500_000, sum, 0)
}

func checkBatch(t *testing.T, d *database) {
	batch, err := openData(t, d.url, "").Batch(t.Context(), "run-1")
	require.NoError(t, err)
	require.Equal(t, 5, batch.Rows)
	require.Equal(t, 3, batch.Number)
	require.Equal(t, []string{"status", "price", "bed"}, batch.Columns)
	require.Equal(t, map[string]int{"bed": 1}, batch.Invalid)
	require.Equal(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), batch.FetchedAt)
}

// checkFence: a try that had lost its lease changes nothing after the upgrade either.
func checkFence(t *testing.T, d *database) {
	err := openData(t, d.url, "").Hold(t.Context(), datasetstore.Claim{DAGRunID: "run-1", TaskID: "split_data", Fence: 39})
	require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
}

// checkMade: the splits are known as those of the DAG run that made them.
func checkMade(t *testing.T, d *database) {
	_, err := openData(t, d.url, "").Clean(t.Context(), datasetstore.Claim{DAGRunID: "run-3", TaskID: "preprocess_data", Fence: 45}, time.Now(), func(int, int) {})
	if apperror.CodeOf(err) == apperror.FailedPrecondition {
		require.ErrorContains(t, err, "the split tables hold the rows of DAG run run-")
		return
	}
	require.NoError(t, err)
}

func checkNotes(t *testing.T, d *database) {
	batch, err := openData(t, d.url, "").Batch(t.Context(), "run-1")
	require.NoError(t, err)
	require.NotNil(t, batch.Verdict)
	require.Equal(t, "5 nuevos", batch.Verdict.Reason)
	require.Equal(t, "44444444444444444444444444444444", batch.Verdict.RunID)
}

func checkSeen(t *testing.T, d *database) {
	seen, err := openData(t, d.url, "").SeenRows(t.Context())
	require.NoError(t, err)
	require.Equal(t, 5, seen.Rows())
	require.True(t, seen.Contains(dataset.RowHash(&property.Listing{})), "all bits are set")
}

func checkFileImports(t *testing.T, d *database) {
	imports, err := datasetstore.OpenImports(t.Context(), d.url, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, imports.Close()) }()
	found, err := imports.Find(t.Context(), "/srv/listings.csv")
	require.NoError(t, err)
	require.False(t, found.Finished)
	require.Equal(t, "run-1", found.Batch.DAGRunID)
	require.Equal(t, map[string]int{"bed": 1}, found.Nulls)
}

// checkPart reads clean rows that were made before.
func checkPart(t *testing.T, d *database) {
	part, err := openData(t, "", d.url).Part(t.Context(), "run-1", dataset.Train)
	require.NoError(t, err)
	require.Equal(t, []string{"bed"}, part.Columns())
	var beds []float64
	require.NoError(t, part.Each(t.Context(), func(x []float64, _ float64) error {
		beds = append(beds, x[0])
		return nil
	}))
	require.Equal(t, []float64{3, 4, 5}, beds)
}

// checkNobodysPart: the first version did not note what the newest has to know, so the clean tables have to be made again.
func checkNobodysPart(t *testing.T, d *database) {
	_, err := openData(t, "", d.url).Part(t.Context(), "run-1", dataset.Train)
	require.ErrorContains(t, err, "there are no clean tables; run the task preprocess_data first")
}

func checkCleanFence(t *testing.T, d *database) {
	url := testkit.NewDatabase(t, testkit.SQLiteEngine)
	raw := &database{url: url, from: 1}
	fill(t, raw, "dataset", []rows{{file: "dataset_rows.sql"}})
	store := openData(t, url, d.url)
	_, err := store.Split(t.Context(), datasetstore.Claim{DAGRunID: "run-1", TaskID: "split_data", Fence: 41}, func(int, int) {})
	require.NoError(t, err)
	_, err = store.Clean(t.Context(), datasetstore.Claim{DAGRunID: "run-1", TaskID: "preprocess_data", Fence: 39}, time.Now(), func(int, int) {})
	require.ErrorContains(t, err, "was taken over by a later try")
}
