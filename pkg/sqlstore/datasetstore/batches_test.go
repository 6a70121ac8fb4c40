package datasetstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore/datasetstore"
)

// seenOf counts which of the rows were stored before, as a profile does.
func (f *fixture) seenOf(t testing.TB, rows []property.Listing) dataset.SeenBefore {
	t.Helper()
	filter, err := f.SeenRows(t.Context())
	require.NoError(t, err)
	p := dataset.NewProfiler(filter)
	for i := range rows {
		p.Add(&rows[i])
	}
	return *p.Profile().SeenBefore
}

func TestRowsOfStoredBatchesWereSeen(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		rows := listings(500)
		require.Zero(t, f.seenOf(t, rows).ComparedWith)
		f.collect(t, "manual__1", rows[:300])
		seen := f.seenOf(t, rows)
		require.Equal(t, 300, seen.Rows)
		require.Equal(t, 300, seen.ComparedWith)
		require.Less(t, seen.FalsePositiveRate, 1e-6)

		// A replay of the same DAG run stores nothing twice.
		_, err := f.StoreBatch(t.Context(), claim("manual__1", "extract_data"),
			datasetstore.Batch{DAGRunID: "manual__1", Rows: 300, FetchedAt: fetchedAt}, feed(rows[200:]))
		require.NoError(t, err)
		require.Equal(t, 300, f.seenOf(t, rows).ComparedWith)
		// A batch that breaks off is not seen.
		broken := apperror.New(apperror.Invalid, "the payload was cut off")
		_, err = f.StoreBatch(t.Context(), claim("manual__2", "extract_data"), datasetstore.Batch{DAGRunID: "manual__2", Rows: 300, FetchedAt: fetchedAt},
			func(b *datasetstore.Batch, insert func(property.Listing) error) error {
				return errors.Join(feed(rows[200:])(b, insert), broken)
			})
		require.ErrorIs(t, err, broken)
		require.Equal(t, 300, f.seenOf(t, rows).Rows)

		f.collect(t, "manual__2", rows[250:])
		seen = f.seenOf(t, rows)
		require.Equal(t, 500, seen.Rows)
		require.Equal(t, 550, seen.ComparedWith)
		require.NoError(t, f.Reset(t.Context(), claim("manual__3", "reset_data")))
		require.Zero(t, f.seenOf(t, rows).ComparedWith)
		require.Zero(t, f.seenOf(t, rows).Rows)
		f.collect(t, "manual__4", rows[:10])
		require.Equal(t, 10, f.seenOf(t, rows).Rows)
	})
}

func TestBatchesAreListedNewestFirst(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		for i := range 5 {
			id := fmt.Sprintf("manual__%d", i)
			_, err := f.StoreBatch(t.Context(), claim(id, "extract_data"), datasetstore.Batch{DAGRunID: id, FetchedAt: fetchedAt.Add(time.Duration(i) * time.Hour)}, feed(nil))
			require.NoError(t, err)
		}
		list, total, err := f.Batches(t.Context(), 2, 1)
		require.NoError(t, err)
		require.Equal(t, 5, total)
		require.Len(t, list, 2)
		require.Equal(t, "manual__3", list[0].DAGRunID)
		require.Equal(t, "manual__2", list[1].DAGRunID)
		require.Nil(t, list[0].Verdict)
		require.Nil(t, list[0].Splits)
	})
}

func TestABatchKeepsWhatWasDecidedAndSplit(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		rows := listings(50)
		f.collect(t, "manual__1", rows)
		verdict := datasetstore.Verdict{Decision: "split_data", Reason: "50 nuevos > 10", Gate: dataset.Gate{Nullable: []string{"bath"}, MaxInvalidRatio: 0.25, MinNewRecords: 10}, RunID: "abc"}
		require.NoError(t, f.SetVerdict(t.Context(), claim("manual__1", "decide_to_train"), verdict))

		profilers := map[dataset.SplitName]*dataset.Profiler{}
		for _, s := range dataset.Splits() {
			profilers[s] = dataset.NewProfiler(nil)
		}
		counts, err := f.Split(t.Context(), claim("manual__1", "split_data"), silent, func(split dataset.SplitName, l *property.Listing) { profilers[split].Add(l) })
		require.NoError(t, err)
		splits := datasetstore.SplitProfiles{}
		for s, p := range profilers {
			splits[s] = p.Profile()
			var rows, noBath int
			var least float64
			f.look(t, "raw", fmt.Sprintf("SELECT count(*), sum(CASE WHEN bath IS NULL THEN 1 ELSE 0 END), min(price) FROM %s", s), &rows, &noBath, &least)
			require.Equal(t, counts[s], splits[s].Rows())
			require.Equal(t, rows, splits[s].Rows())
			require.Equal(t, noBath, splits[s].Of("bath").Nulls)
			require.InDelta(t, least, splits[s].Of("price").Numbers.Min, 0)
		}
		require.NoError(t, f.SetSplits(t.Context(), claim("manual__1", "split_data"), splits))
		b, err := f.Batch(t.Context(), "manual__1")
		require.NoError(t, err)
		require.Equal(t, &verdict, b.Verdict)
		require.Equal(t, 30, b.Splits[dataset.Train].Rows())
		require.Equal(t, splits[dataset.Train].Statistics, b.Splits[dataset.Train].Statistics)

		late := claim("manual__1", "split_data")
		late.Fence = 0
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(f.SetSplits(t.Context(), late, nil)), "another try is at work")
		require.NoError(t, f.SetVerdict(t.Context(), claim("manual__9", "decide_to_train"), verdict), "its batch was emptied meanwhile")
	})
}
