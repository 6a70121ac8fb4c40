package datasetstore_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/property"
)

// splitOrder reads a split in its order: the places of its rows in realtor_raw, and one column.
func (f *fixture) splitOrder(t testing.TB, table string) (raw []int, brokers []float64) {
	t.Helper()
	db := f.database(t, "raw")
	rows, err := db.Query("WITH r AS (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM realtor_raw) " +
		"SELECT r.place, s.brokered_by FROM \"" + table + "\" s JOIN r ON r.id = s.raw_id ORDER BY s.position")
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var place int
		var broker float64
		require.NoError(t, rows.Scan(&place, &broker))
		raw, brokers = append(raw, place), append(brokers, broker)
	}
	require.NoError(t, rows.Err())
	return raw, brokers
}

func TestSplitsFollowTheSeededShuffleOfAllRows(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		rows := listings(10)
		f.collect(t, "manual__1", rows[:4])
		f.collect(t, "manual__2", rows[4:])
		counts, err := f.Split(t.Context(), claim("manual__2", "split_data"), silent)
		require.NoError(t, err)
		require.Equal(t, map[dataset.SplitName]int{"train": 6, "validation": 2, "test": 2}, counts)

		// pandas: list(pd.DataFrame(index=range(10)).sample(frac=1, random_state=42).index)
		want := []int{8, 1, 5, 0, 7, 2, 9, 4, 3, 6}
		var got []int
		for _, table := range []string{"train", "validation", "test"} {
			raw, brokers := f.splitOrder(t, table)
			for i := range raw {
				require.Equal(t, float64(raw[i]), brokers[i], "the row is the one that raw_id names")
			}
			got = append(got, raw...)
		}
		require.Equal(t, want, got)
	})
}

func TestManyRowsAreSortedThroughSeveralFiles(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		const n = 70_001 // three files, the cut between two splits inside one
		f.collect(t, "manual__1", listings(n))
		var last int
		counts, err := f.Split(t.Context(), claim("manual__1", "split_data"), func(done, total int) {
			require.GreaterOrEqual(t, done, last)
			require.Equal(t, n, total)
			last = done
		})
		require.NoError(t, err)
		require.Equal(t, n, last)
		require.Equal(t, 42_000, counts[dataset.Train])
		positions := dataset.Positions(n, 42)
		at := 0
		for _, table := range []string{"train", "validation", "test"} {
			raw, _ := f.splitOrder(t, table)
			for _, place := range raw {
				require.EqualValues(t, positions[at], place)
				at++
			}
		}
		require.Equal(t, n, at)
		var same int
		f.look(t, "raw", "SELECT count(*) FROM realtor_raw r JOIN train s ON s.raw_id = r.id WHERE "+f.same(append(property.Columns(), "fetched_at")), &same)
		require.Equal(t, 42_000, same)
		left, err := os.ReadDir(filepath.Join(f.folder, "spill"))
		require.NoError(t, err)
		require.Empty(t, left, "temporary files are gone")
	})
}

func TestNoRowsAreSplitToo(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		counts, err := f.Split(t.Context(), claim("manual__1", "split_data"), silent)
		require.NoError(t, err)
		require.Equal(t, map[dataset.SplitName]int{"train": 0, "validation": 0, "test": 0}, counts)
	})
}

func TestASplitThatIsBrokenOffLeavesTheOldOne(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		f.collect(t, "manual__1", listings(20))
		_, err := f.Split(t.Context(), claim("manual__1", "split_data"), silent)
		require.NoError(t, err)
		f.collect(t, "manual__2", listings(40_000))
		ctx, cancel := context.WithCancel(t.Context())
		_, err = f.Split(ctx, claim("manual__2", "split_data"), func(done, total int) {
			if done > total/2 { // some rows are loaded aside
				cancel()
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		raw, _ := f.splitOrder(t, "train")
		require.Len(t, raw, 12)

		again := claim("manual__2", "split_data")
		again.Fence = 2
		counts, err := f.Split(t.Context(), again, silent)
		require.NoError(t, err)
		require.Equal(t, 24_012, counts[dataset.Train])
		raw, _ = f.splitOrder(t, "train")
		require.Len(t, raw, 24_012)
	})
}

func TestALaterLoaderTakesTheTablesOver(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		f.collect(t, "manual__1", listings(1000))
		interrupted := false
		_, err := f.Split(t.Context(), claim("manual__1", "split_data"), func(done, total int) {
			if !interrupted && done == total { // everything is loaded aside, nothing is in place
				interrupted = true
				_, err := f.Split(t.Context(), claim("manual__2", "split_data"), silent)
				require.NoError(t, err)
			}
		})
		require.True(t, interrupted)
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
		require.ErrorContains(t, err, "the split tables are being loaded by another task")
		_, err = f.Clean(t.Context(), claim("manual__1", "preprocess_data"), asOf, silent)
		require.ErrorContains(t, err, "the split tables hold the rows of DAG run manual__2 by now; run the task split_data of this DAG run again")
		_, err = f.Clean(t.Context(), claim("manual__2", "preprocess_data"), asOf, silent)
		require.NoError(t, err)
	})
}

func TestAResetEndsTheLoadingOfAnother(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		f.collect(t, "manual__1", listings(1000))
		reset := false
		_, err := f.Split(t.Context(), claim("manual__1", "split_data"), func(done, total int) {
			if !reset && done == total {
				reset = true
				require.NoError(t, f.Reset(t.Context(), claim("manual__2", "reset_data")))
			}
		})
		require.True(t, reset)
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
		require.ErrorContains(t, err, "the split tables were emptied by another DAG run while this one loaded them")
	})
}
