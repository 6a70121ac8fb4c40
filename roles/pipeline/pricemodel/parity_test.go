package pricemodel_test

import (
	"bytes"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/cli"
	"tasador/pkg/property"
)

// exportRaw writes realtor_raw as a CSV file, in insertion order.
func (w *world) exportRaw(t *testing.T) string {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.cfg.DataDir, "rawdata.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	rows, err := db.QueryContext(t.Context(), `SELECT brokered_by, status, price, bed, bath, acre_lot, street, city, state, zip_code,
		house_size, prev_sold_date FROM realtor_raw ORDER BY id`)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	path := filepath.Join(t.TempDir(), "realtor_raw.csv")
	file, err := os.Create(path)
	require.NoError(t, err)
	out := csv.NewWriter(file)
	require.NoError(t, out.Write(property.Columns()))
	values := make([]sql.NullString, len(property.Columns()))
	dests := make([]any, len(values))
	for i := range values {
		dests[i] = &values[i]
	}
	for rows.Next() {
		require.NoError(t, rows.Scan(dests...))
		record := make([]string, len(values))
		for i, v := range values {
			record[i] = v.String
		}
		require.NoError(t, out.Write(record))
	}
	require.NoError(t, rows.Err())
	out.Flush()
	require.NoError(t, out.Error())
	require.NoError(t, file.Close())
	return path
}

// TestTheDAGTrainsAsTheOfflineCommand runs both on the same rows with gaps.
func TestTheDAGTrainsAsTheOfflineCommand(t *testing.T) {
	w := newWorld(t, generatedSource(t, "700:gaps,10,1800:gaps"))
	const conf = `{"as_of": "2026-01-31T18:00:00+00:00", "gate": {"max_invalid_ratio": 1}}`
	w.succeeds(t, "manual__1", conf, trainPath)
	w.succeeds(t, "manual__2", conf, noTrainPath)
	w.succeeds(t, "manual__3", conf, trainPath)

	var out bytes.Buffer
	offline := cli.Train{CSV: w.exportRaw(t), AsOf: "2026-01-31T18:00:00", JSON: "-"}
	require.NoError(t, offline.Run(t.Context(), cli.IO{Out: &out, Err: io.Discard}))
	var want struct {
		Rows        int                `json:"rows"`
		ValRMSE     map[string]float64 `json:"val_rmse_alpha"`
		BestValRMSE float64            `json:"best_val_rmse"`
		TestRMSE    float64            `json:"test_rmse"`
		Clean       map[string]struct {
			Columns    []string           `json:"columns"`
			ColumnSums map[string]float64 `json:"column_sums"`
		} `json:"clean"`
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &want))
	require.Equal(t, 2510, want.Rows)

	run := w.runs(t, "manual__3")["train__manual__3"]
	same := func(want, got float64) { t.Helper(); require.InEpsilon(t, want, got, 1e-12) }
	same(want.TestRMSE, metric(t, run, "test_rmse"))
	same(want.BestValRMSE, metric(t, run, "best_val_rmse"))
	require.Len(t, want.ValRMSE, 5)
	for alpha, rmse := range want.ValRMSE {
		same(rmse, metric(t, run, "val_rmse_alpha_"+alpha))
	}
	for _, split := range []string{"train", "validation", "test"} {
		require.NotEmpty(t, want.Clean[split].ColumnSums)
		for column, sum := range want.Clean[split].ColumnSums {
			var got float64
			w.look(t, "cleandata.db", `SELECT total("`+column+`") FROM `+split+`_clean`, &got)
			require.InDelta(t, sum, got, 1e-9*max(1, sum), "%s of %s", column, split)
		}
	}
}
