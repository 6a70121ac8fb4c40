package datasetstore_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dataset"
	"tasador/pkg/property"
)

// part reads a clean table as training does.
func (f *fixture) part(t testing.TB, run string, split dataset.SplitName) (columns []string, rows [][]float64) {
	t.Helper()
	p, err := f.Part(t.Context(), run, split)
	require.NoError(t, err)
	require.NoError(t, p.Each(t.Context(), func(x []float64, price float64) error {
		rows = append(rows, append(append([]float64{}, x...), price))
		return nil
	}))
	require.Equal(t, p.Len(), len(rows))
	return p.Columns(), rows
}

// made splits and cleans what was collected.
func (f *fixture) made(t testing.TB, run string) {
	t.Helper()
	_, err := f.Split(t.Context(), claim(run, "split_data"), silent)
	require.NoError(t, err)
	_, err = f.Clean(t.Context(), claim(run, "preprocess_data"), asOf, silent)
	require.NoError(t, err)
}

func TestCleanRowsAreThoseOfTheRecipe(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		null := property.Null()
		row := func(status string, price, bed float64, date string) property.Listing {
			return property.Listing{Status: property.NewText(status), Price: price, Bed: bed, Bath: 1, AcreLot: 0.5, HouseSize: 900, PrevSoldDate: property.NewText(date), BrokeredBy: null, Street: null}
		}
		// In shuffled order these ten are the rows 8 1 5 0 7 2 | 9 4 | 3 6 (see the test of the splits).
		rows := []property.Listing{
			0: row("sold", 100, 4, "2025-12-31"), 1: row("for_sale", 110, null, "2025-12-01"), 2: row("", 120, null, "soon"),
			3: row("sold", null, 7, "2025-12-31"), 4: row("sold", 140, 8, "2025-12-31"), 5: row("to_build", 150, 2, "2026-01-02"),
			6: row("sold", 160, null, "2025-12-31"), 7: row("sold", null, 3, "2024-01-01T12:00:00"), 8: row("for_sale", 180, null, "2025-12-31"),
			9: row("for_sale", 190, 9, "2025-12-31"),
		}
		rows[7].Status = property.Text{}
		f.collect(t, "manual__1", rows)
		f.made(t, "manual__1")

		columns, got := f.part(t, "manual__1", dataset.Train)
		require.Equal(t, []string{"bed", "bath", "acre_lot", "house_size", "days_since_last_sale", "status_sold", "status_to_build"}, columns)
		require.Equal(t, [][]float64{
			{0, 1, 0.5, 900, 1, 0, 0, 180},   // 8: nothing before it to fill from
			{0, 1, 0.5, 900, 31, 0, 0, 110},  // 1
			{2, 1, 0.5, 900, -1, 0, 1, 150},  // 5: tomorrow is minus one day
			{4, 1, 0.5, 900, 1, 1, 0, 100},   // 0
			{3, 1, 0.5, 900, 730, 0, 0, 100}, // 7: no status; 730.5 days; the price before it
			{3, 1, 0.5, 900, -1, 0, 0, 120},  // 2: the empty status is none; no date
		}, got)
		columns, got = f.part(t, "manual__1", dataset.Validation)
		require.Equal(t, []string{"bed", "bath", "acre_lot", "house_size", "days_since_last_sale", "status_sold"}, columns)
		require.Equal(t, [][]float64{{9, 1, 0.5, 900, 1, 0, 190}, {8, 1, 0.5, 900, 1, 1, 140}}, got)
		columns, got = f.part(t, "manual__1", dataset.Test)
		require.Equal(t, []string{"bed", "bath", "acre_lot", "house_size", "days_since_last_sale"}, columns, "the only status is the first one")
		require.Equal(t, [][]float64{{7, 1, 0.5, 900, 1, 0}, {7, 1, 0.5, 900, 1, 160}}, got, "every split is filled from itself")
	})
}

func TestAnyTextMakesAStatusColumn(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		statuses := []string{"!first", "Sold", "sold", "SOLD", `"weird"`, "a.b", "de'pt; DROP TABLE train", "vendido ✓", "_6", "a very long status " + fmt.Sprintf("%080d", 7), "tab\there"}
		rows := listings(400)
		for i := range rows {
			rows[i].Status = property.NewText(statuses[i%len(statuses)])
		}
		f.collect(t, "manual__1", rows)
		f.made(t, "manual__1")
		columns, got := f.part(t, "manual__1", dataset.Train)
		require.Len(t, columns, 5+len(statuses)-1)
		column := make(map[string]int)
		for i, name := range columns {
			column[name] = i
		}
		raw, _ := f.splitOrder(t, "train")
		for i, place := range raw {
			for _, status := range statuses[1:] {
				at, ok := column["status_"+status]
				require.True(t, ok, status)
				require.Equal(t, status == statuses[place%len(statuses)], got[i][at] == 1, "row %d, status %s", i, status)
			}
		}
		var weird, known int
		f.look(t, "clean", `SELECT sum("status_""weird""") FROM train_clean`, &weird)
		require.Positive(t, weird)
		f.look(t, "clean", `SELECT count(DISTINCT lower(column_name)) FROM clean_columns WHERE table_name = 'train_clean'`, &known)
		require.Equal(t, len(columns)+1, known)
	})
}

func TestTooManyStatusesAreRefused(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		rows := listings(1000)
		for i := range rows {
			rows[i].Status = property.NewText(fmt.Sprintf("lot %d", i))
		}
		f.collect(t, "manual__1", rows)
		_, err := f.Split(t.Context(), claim("manual__1", "split_data"), silent)
		require.NoError(t, err)
		_, err = f.Clean(t.Context(), claim("manual__1", "preprocess_data"), asOf, silent)
		require.EqualError(t, err, "status has more than 101 values in train, which would make more than 100 columns; check that the column holds statuses")
	})
}

func TestAHundredStatusColumnsAreTaken(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		rows := listings(4000)
		for i := range rows {
			rows[i].Status = property.NewText(fmt.Sprintf("s%d", i%101))
		}
		f.collect(t, "manual__1", rows)
		f.made(t, "manual__1")
		columns, _ := f.part(t, "manual__1", dataset.Train)
		require.Len(t, columns, 105)
	})
}

func TestCleanTablesBelongToTheirDAGRun(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		_, err := f.Part(t.Context(), "manual__1", dataset.Train)
		require.EqualError(t, err, "there are no clean tables; run the task preprocess_data first")
		f.collect(t, "manual__1", listings(50))
		f.made(t, "manual__1")
		p, err := f.Part(t.Context(), "manual__1", dataset.Train)
		require.NoError(t, err)
		f.made(t, "manual__2")
		err = p.Each(t.Context(), func([]float64, float64) error { return nil })
		require.EqualError(t, err, "the clean tables hold the rows of DAG run manual__2 by now; run the task preprocess_data of this DAG run again")
	})
}

func TestBothMayBeOneDatabase(t *testing.T) {
	for name, database := range engines() {
		t.Run(name, func(t *testing.T) {
			url := database(t)
			testBothInOne(t, openURLs(t, url, url))
		})
	}
}

func testBothInOne(t *testing.T, f *fixture) {
	f.collect(t, "manual__1", listings(40_000)) // more than one chunk, so that reading and writing meet
	f.made(t, "manual__1")
	_, rows := f.part(t, "manual__1", dataset.Train)
	require.Len(t, rows, 24_000)
	require.NoError(t, f.Ready(t.Context()))
	require.NoError(t, f.Reset(t.Context(), claim("manual__2", "reset_data")))
	var left int
	f.look(t, "raw", "SELECT (SELECT count(*) FROM realtor_raw) + (SELECT count(*) FROM train) + (SELECT count(*) FROM train_clean)", &left)
	require.Zero(t, left)
}

func TestResetEmptiesEverything(t *testing.T) {
	onEach(t, func(t *testing.T, f *fixture) {
		require.NoError(t, f.Reset(t.Context(), claim("manual__0", "reset_data")), "nothing is there yet")
		f.collect(t, "manual__1", listings(50))
		f.made(t, "manual__1")
		for range 2 {
			require.NoError(t, f.Reset(t.Context(), claim("manual__2", "reset_data")))
		}
		var raw, batches, splits, clean int
		f.look(t, "raw", "SELECT (SELECT count(*) FROM realtor_raw), (SELECT count(*) FROM raw_batches)", &raw, &batches)
		f.look(t, "raw", "SELECT (SELECT count(*) FROM train) + (SELECT count(*) FROM validation) + (SELECT count(*) FROM test)", &splits)
		f.look(t, "clean", "SELECT (SELECT count(*) FROM train_clean) + (SELECT count(*) FROM validation_clean) + (SELECT count(*) FROM test_clean)", &clean)
		require.Zero(t, raw+batches+splits+clean)
		f.collect(t, "manual__1", listings(5))
		require.Equal(t, 5, f.rawRows(t))
	})
}
