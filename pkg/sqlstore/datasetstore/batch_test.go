package datasetstore_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore/datasetstore"
)

func TestABatchKeepsWhatCameAndWhen(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		rows := listings(150)
		rows[2].Status = property.NewText(`ünder "offer"; --`)
		f.collect(t, "manual__1", rows)

		b, err := f.Batch(t.Context(), "manual__1")
		require.NoError(t, err)
		require.Equal(t, 150, b.Rows)
		require.Equal(t, 4, b.Number)
		require.Equal(t, property.Columns(), b.Columns)
		require.Equal(t, fetchedAt, b.FetchedAt)
		// 21 of the rows 0…149 leave 3 when divided by 7, so their bath is missing.
		decision := dataset.Gate{Nullable: []string{"prev_sold_date", "bath"}, MaxInvalidRatio: 0.01, MinNewRecords: 149}.Decide(b.Profile)
		require.Equal(t, "150 nuevos > 149", decision.Reason)

		var count, noBath int
		var at, run, status string
		f.look(t, "raw", "SELECT count(*), sum(CASE WHEN bath IS NULL THEN 1 ELSE 0 END), min(fetched_at), max(dag_run_id) FROM realtor_raw WHERE batch_number = 4", &count, &noBath, &at, &run)
		require.Equal(t, 150, count)
		require.Equal(t, 21, noBath)
		require.Equal(t, "2026-01-02T03:04:05.000678Z", at)
		require.Equal(t, "manual__1", run)
		f.look(t, "raw", "SELECT status FROM realtor_raw ORDER BY id LIMIT 1 OFFSET 2", &status)
		require.Equal(t, `ünder "offer"; --`, status)
	})
}

func TestTheSameDAGRunStoresItsRowsOnce(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		f.collect(t, "manual__1", listings(70))
		stored, err := f.StoreBatch(t.Context(), claim("manual__1", "extract_data"),
			datasetstore.Batch{DAGRunID: "manual__1", Rows: 3, FetchedAt: fetchedAt}, feed(listings(3)))
		require.NoError(t, err)
		require.Equal(t, 70, stored.Rows)
		require.Equal(t, 70, f.rawRows(t))
	})
}

func TestABatchThatFailsHalfwayLeavesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		broken := errors.New("the disk is gone")
		_, err := f.StoreBatch(t.Context(), claim("manual__1", "extract_data"),
			datasetstore.Batch{DAGRunID: "manual__1", Rows: 500, FetchedAt: fetchedAt}, func(insert func(property.Listing) error) error {
				if err := feed(listings(300))(insert); err != nil {
					return err
				}
				return broken
			})
		require.ErrorIs(t, err, broken)
		require.Zero(t, f.rawRows(t))
		_, err = f.Batch(t.Context(), "manual__1")
		require.Equal(t, apperror.NotFound, apperror.CodeOf(err))

		_, err = f.StoreBatch(t.Context(), claim("manual__1", "extract_data"),
			datasetstore.Batch{DAGRunID: "manual__1", Rows: 500, FetchedAt: fetchedAt}, feed(listings(499)))
		require.ErrorContains(t, err, "had 500 rows and now has 499")
		require.Zero(t, f.rawRows(t))
	})
}

func TestALostClaimWritesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		newer := datasetstore.Claim{DAGRunID: "manual__1", TaskID: "extract_data", Fence: 7}
		older := datasetstore.Claim{DAGRunID: "manual__1", TaskID: "extract_data", Fence: 6}
		require.NoError(t, f.Hold(t.Context(), older))
		require.NoError(t, f.Hold(t.Context(), newer))
		require.NoError(t, f.Hold(t.Context(), newer), "a claim may write as often as it likes")

		_, err := f.StoreBatch(t.Context(), older, datasetstore.Batch{DAGRunID: "manual__1", Rows: 9, FetchedAt: fetchedAt}, feed(listings(9)))
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
		require.ErrorContains(t, err, "task extract_data of DAG run manual__1 was taken over by a later try")
		_, err = f.Batch(t.Context(), "manual__1")
		require.Equal(t, apperror.NotFound, apperror.CodeOf(err))

		require.NoError(t, f.Hold(t.Context(), datasetstore.Claim{DAGRunID: "manual__1", TaskID: "split_data", Fence: 1}), "another task")
		require.NoError(t, f.Hold(t.Context(), datasetstore.Claim{DAGRunID: "manual__2", TaskID: "extract_data", Fence: 1}), "another run")
	})
}
