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
			datasetstore.Batch{DAGRunID: "manual__1", FetchedAt: fetchedAt}, feed(listings(3)))
		require.NoError(t, err)
		require.Equal(t, 70, stored.Rows)
		require.Equal(t, 70, f.rawRows(t))
	})
}

func TestABatchThatFailsHalfwayLeavesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		broken := errors.New("the disk is gone")
		_, err := f.StoreBatch(t.Context(), claim("manual__1", "extract_data"),
			datasetstore.Batch{DAGRunID: "manual__1", FetchedAt: fetchedAt}, func(b *datasetstore.Batch, insert func(property.Listing) error) error {
				if err := feed(listings(300))(b, insert); err != nil {
					return err
				}
				return broken
			})
		require.ErrorIs(t, err, broken)
		require.Zero(t, f.rawRows(t))
		_, err = f.Batch(t.Context(), "manual__1")
		require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
	})
}

// A payload may say its number before its rows or after them.
func TestRowsHaveTheNumberOfTheirBatchWhereverItStands(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		f.collect(t, "manual__1", listings(5)) // batch 4
		for run, before := range map[string]bool{"manual__2": true, "manual__3": false} {
			stored, err := f.StoreBatch(t.Context(), claim(run, "extract_data"), datasetstore.Batch{DAGRunID: run, FetchedAt: fetchedAt},
				func(b *datasetstore.Batch, insert func(property.Listing) error) error {
					if before {
						b.Number = 7
					}
					if err := feed(listings(30))(b, insert); err != nil {
						return err
					}
					b.Number = 7
					return nil
				})
			require.NoError(t, err)
			require.Equal(t, 7, stored.Number)
			require.Equal(t, 30, stored.Rows)
		}
		var fours, sevens int
		f.look(t, "raw", "SELECT sum(CASE batch_number WHEN 4 THEN 1 ELSE 0 END), sum(CASE batch_number WHEN 7 THEN 1 ELSE 0 END) FROM realtor_raw", &fours, &sevens)
		require.Equal(t, 5, fours)
		require.Equal(t, 60, sevens)
	})
}

func TestALostClaimWritesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		newer := datasetstore.Claim{DAGRunID: "manual__1", TaskID: "extract_data", Fence: 7}
		older := datasetstore.Claim{DAGRunID: "manual__1", TaskID: "extract_data", Fence: 6}
		require.NoError(t, f.Hold(t.Context(), older))
		require.NoError(t, f.Hold(t.Context(), newer))
		require.NoError(t, f.Hold(t.Context(), newer), "a claim may write as often as it likes")

		_, err := f.StoreBatch(t.Context(), older, datasetstore.Batch{DAGRunID: "manual__1", FetchedAt: fetchedAt}, feed(listings(9)))
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
		require.ErrorContains(t, err, "task extract_data of DAG run manual__1 was taken over by a later try")
		_, err = f.Batch(t.Context(), "manual__1")
		require.Equal(t, apperror.NotFound, apperror.CodeOf(err))

		require.NoError(t, f.Hold(t.Context(), datasetstore.Claim{DAGRunID: "manual__1", TaskID: "split_data", Fence: 1}), "another task")
		require.NoError(t, f.Hold(t.Context(), datasetstore.Claim{DAGRunID: "manual__2", TaskID: "extract_data", Fence: 1}), "another run")
	})
}
