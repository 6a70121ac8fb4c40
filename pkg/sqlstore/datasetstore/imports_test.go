package datasetstore_test

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/dataset"
	"tasador/pkg/sqlstore/datasetstore"
)

// imports opens the part of the fixture's RawData that files are loaded into.
func (f *fixture) imports(t *testing.T) *datasetstore.Imports {
	t.Helper()
	s, err := datasetstore.OpenImports(t.Context(), f.urls["raw"], slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// importAt is an import of /a.csv that has stored so many rows.
func importAt(id string, rows int, finished bool) datasetstore.Import {
	return datasetstore.Import{
		Source: "/a.csv", Fingerprint: "size=1", Finished: finished, Nulls: map[string]int{"bath": rows / 7}, UpdatedAt: fetchedAt.Add(time.Hour),
		Batch: datasetstore.Batch{
			DAGRunID: id, Rows: rows, Columns: []string{"bed"}, Invalid: map[string]int{"price": rows}, Profile: &dataset.Profile{}, FetchedAt: fetchedAt,
		},
	}
}

func TestAnImportGrowsWithItsRows(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		s := f.imports(t)
		_, err := s.Find(t.Context(), "/a.csv")
		require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
		f.collect(t, "manual__1", listings(10))
		require.NoError(t, s.Begin(t.Context(), importAt("import__1", 0, false), nil))
		require.NoError(t, s.Add(t.Context(), importAt("import__1", 0, false), importAt("import__1", 700, false), listings(700)))
		require.NoError(t, s.Add(t.Context(), importAt("import__1", 700, false), importAt("import__1", 700, true), nil))
		found, err := s.Find(t.Context(), "/a.csv")
		require.NoError(t, err)
		want := importAt("import__1", 700, true)
		want.Batch.Profile = found.Batch.Profile
		require.Equal(t, want, *found)
		require.Equal(t, 710, f.rawRows(t))

		rows, err := f.Split(t.Context(), claim("manual__2", "split_data"), silent)
		require.NoError(t, err)
		require.Equal(t, map[dataset.SplitName]int{dataset.Train: 426, dataset.Validation: 142, dataset.Test: 142}, rows)
	})
}

func TestAnImportThatIsNotWhereItWasIsLeftAlone(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		s := f.imports(t)
		first := importAt("import__1", 0, false)
		require.NoError(t, s.Begin(t.Context(), first, nil))
		require.NoError(t, s.Add(t.Context(), first, importAt("import__1", 70, false), listings(70)))
		for _, from := range []datasetstore.Import{first, importAt("import__1", 71, false), importAt("import__1", 70, true), importAt("import__2", 70, false)} {
			err := s.Add(t.Context(), from, importAt("import__1", 140, false), listings(70))
			require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
			require.ErrorContains(t, err, "another process imports /a.csv at this moment")
		}
		err := s.Begin(t.Context(), importAt("import__2", 0, false), nil)
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
		require.Equal(t, 70, f.rawRows(t))
	})
}

func TestANewImportTakesThePlaceOfAnUnfinishedOne(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		s := f.imports(t)
		f.collect(t, "manual__1", listings(10))
		first, cut := importAt("import__1", 0, false), importAt("import__1", 70, false)
		require.NoError(t, s.Begin(t.Context(), first, nil))
		require.NoError(t, s.Add(t.Context(), first, cut, listings(70)))
		second, done := importAt("import__2", 0, false), importAt("import__2", 30, true)
		require.NoError(t, s.Begin(t.Context(), second, &cut))
		require.Equal(t, 10, f.rawRows(t), "what was stored of the first is gone, all else is there")
		require.NoError(t, s.Add(t.Context(), second, done, listings(30)))
		require.NoError(t, s.Begin(t.Context(), importAt("import__3", 0, false), &done))
		require.Equal(t, 40, f.rawRows(t), "what was finished stays")
	})
}

func TestResetForgetsImports(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		s := f.imports(t)
		first, cut := importAt("import__1", 0, false), importAt("import__1", 70, false)
		require.NoError(t, s.Begin(t.Context(), first, nil))
		require.NoError(t, s.Add(t.Context(), first, cut, listings(70)))
		require.NoError(t, f.Reset(t.Context(), claim("manual__1", "reset_data")))
		err := s.Add(t.Context(), cut, importAt("import__1", 140, false), listings(70))
		require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
		require.ErrorContains(t, err, "the tables of listings were emptied while /a.csv was imported")
		require.Zero(t, f.rawRows(t))

		// A reset that ended between two tables leaves an import without a batch, which keeps nobody from another.
		require.NoError(t, s.Begin(t.Context(), first, nil))
		_, err = f.database(t, "raw").Exec("DELETE FROM raw_batches")
		require.NoError(t, err)
		require.NoError(t, s.Begin(t.Context(), importAt("import__2", 0, false), nil))
	})
}

func TestImportsAtTheSameTimeStoreEachChunkOnce(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		stores := []*datasetstore.Imports{f.imports(t), f.imports(t), f.imports(t)}
		first := importAt("import__1", 0, false)
		require.NoError(t, stores[0].Begin(t.Context(), first, nil))
		stored := make([]int, len(stores))
		var wg sync.WaitGroup
		for i, s := range stores {
			wg.Go(func() {
				for n := range 5 {
					if s.Add(t.Context(), importAt("import__1", 50*n, false), importAt("import__1", 50*n+50, false), listings(50)) == nil {
						stored[i]++
					}
				}
			})
		}
		wg.Wait()
		found, err := stores[0].Find(t.Context(), "/a.csv")
		require.NoError(t, err)
		require.Equal(t, found.Batch.Rows, f.rawRows(t))
		require.Equal(t, found.Batch.Rows, 50*(stored[0]+stored[1]+stored[2]))
	})
}
