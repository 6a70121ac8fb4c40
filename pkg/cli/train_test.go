package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/cli"
)

// goldenCase says how a file of testdata/train was made into a result by scripts/reference.py.
type goldenCase struct {
	AsOf    string `json:"as_of"`
	Refused string `json:"refused"`
	Scales  map[string]map[string]struct {
		Max float64 `json:"max"`
		Sum float64 `json:"sum"`
	} `json:"scales"`
}

// golden is a result, of either side.
type golden struct {
	Rows  int    `json:"rows"`
	AsOf  string `json:"as_of"`
	Split map[string]struct {
		Rows           int    `json:"rows"`
		FirstPositions []int  `json:"first_raw_positions"`
		SHA256         string `json:"sha256_of_positions"`
	} `json:"split"`
	Clean map[string]struct {
		Columns []string           `json:"columns"`
		Sums    map[string]float64 `json:"column_sums"`
	} `json:"clean"`
	Features        []string           `json:"features"`
	ValRMSE         map[string]float64 `json:"val_rmse_alpha"`
	BestAlpha       float64            `json:"best_alpha"`
	BestValRMSE     float64            `json:"best_val_rmse"`
	Coefficients    map[string]float64 `json:"coefficients"`
	Intercept       float64            `json:"intercept"`
	TestRMSE        float64            `json:"test_rmse"`
	ScaledCondition float64            `json:"scaled_condition"`
}

const (
	tolerance    = 1e-9 // relative to the value or, near zero, to its scale
	maxCondition = 1e6  // coefficients of files that are worse conditioned mean nothing
)

func TestTrainGivesTheReferencesResults(t *testing.T) {
	var cases map[string]goldenCase
	readJSON(t, filepath.Join("testdata", "train", "cases.json"), &cases)
	require.Greater(t, len(cases), 70)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := train(t, filepath.Join("testdata", "train", name+".csv"), c.AsOf)
			if c.Refused != "" {
				require.ErrorContains(t, err, c.Refused)
				return
			}
			require.NoError(t, err)
			var ours, theirs golden
			require.NoError(t, json.Unmarshal(out, &ours))
			readJSON(t, filepath.Join("testdata", "train", name+".json"), &theirs)
			compareGolden(t, c, ours, theirs)
		})
	}
}

func compareGolden(t *testing.T, c goldenCase, ours, theirs golden) {
	require.Equal(t, theirs.Rows, ours.Rows)
	require.Equal(t, theirs.AsOf, ours.AsOf)
	require.Equal(t, theirs.Split, ours.Split)
	require.Equal(t, theirs.Features, ours.Features)
	price := 0.0
	for split, clean := range theirs.Clean {
		require.Equal(t, clean.Columns, ours.Clean[split].Columns, split)
		for column, sum := range clean.Sums {
			requireNear(t, sum, ours.Clean[split].Sums[column], c.Scales[split][column].Sum, split+" sum of "+column)
		}
		price = max(price, c.Scales[split]["price"].Max)
	}
	require.Len(t, ours.ValRMSE, len(theirs.ValRMSE))
	for alpha, v := range theirs.ValRMSE {
		require.Contains(t, ours.ValRMSE, alpha)
		requireNear(t, v, ours.ValRMSE[alpha], price, "val_rmse_alpha "+alpha)
	}
	require.Equal(t, theirs.BestAlpha, ours.BestAlpha)
	requireNear(t, theirs.BestValRMSE, ours.BestValRMSE, price, "best_val_rmse")
	requireNear(t, theirs.TestRMSE, ours.TestRMSE, price, "test_rmse")
	if theirs.ScaledCondition >= maxCondition {
		return
	}
	require.Len(t, ours.Coefficients, len(theirs.Coefficients))
	for column, v := range theirs.Coefficients {
		size := 0.0
		for _, columns := range c.Scales {
			size = max(size, columns[column].Max)
		}
		scale := price
		if size > 0 {
			scale = price / size
		}
		requireNear(t, v, ours.Coefficients[column], scale, "coefficient of "+column)
	}
	requireNear(t, theirs.Intercept, ours.Intercept, price, "intercept")
}

func requireNear(t *testing.T, want, got, scale float64, what string) {
	t.Helper()
	require.LessOrEqual(t, math.Abs(got-want), tolerance*max(math.Abs(want), scale), "%s: %v, the reference has %v", what, got, want)
}

// train runs the command and returns its JSON.
func train(t *testing.T, csv, asOf string) ([]byte, error) {
	t.Helper()
	var out, progress bytes.Buffer
	command := cli.Train{CSV: csv, AsOf: asOf, JSON: "-"}
	err := command.Run(context.Background(), cli.IO{Out: &out, Err: &progress})
	return out.Bytes(), err
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err, "make golden writes it")
	text = bytes.ReplaceAll(text, []byte(": Infinity"), []byte(": 1e308")) // as Python writes what JSON does not have
	require.NoError(t, json.Unmarshal(text, v))
}

// writeCSV writes a file of rows under the header of all required columns.
func writeCSV(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "listings.csv")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

const header = "status,bed,bath,acre_lot,house_size,prev_sold_date,price\n"

func rowsOf(n int) string {
	return header + strings.Repeat("for_sale,3,2,0.1,900,2020-01-01,100000\n", n)
}

func TestTrainSummarizesAndWritesJSONToAFile(t *testing.T) {
	result := filepath.Join(t.TempDir(), "result.json")
	var out, progress bytes.Buffer
	command := cli.Train{CSV: writeCSV(t, rowsOf(10)), AsOf: "2026-01-01", JSON: result}
	require.NoError(t, command.Run(context.Background(), cli.IO{Out: &out, Err: &progress}))
	require.Contains(t, out.String(), "10 (train 6, validation 2, test 2)")
	require.Contains(t, out.String(), "best_alpha")
	require.Contains(t, progress.String(), "reading")
	require.Contains(t, progress.String(), "training")
	text, err := os.ReadFile(result) // #nosec G304 -- the test's own file
	require.NoError(t, err)
	var keys map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &keys))
	for _, key := range []string{"rows", "as_of", "split", "clean", "features", "val_rmse_alpha", "best_alpha", "best_val_rmse",
		"coefficients", "intercept", "test_rmse", "seconds"} {
		require.Contains(t, keys, key)
	}
	require.Len(t, keys, 12)
	require.Contains(t, string(text), `"best_alpha": 0.01`)
	require.Contains(t, string(text), `"100.0":`, "alphas as Python writes them")
	for _, stage := range []string{"read", "split", "preprocess", "train"} {
		require.Contains(t, string(keys["seconds"]), stage)
	}
}

func TestTrainRefusesWithOneSentence(t *testing.T) {
	folder := t.TempDir()
	manyStatuses := header
	for i := range 300 {
		manyStatuses += "s" + strings.Repeat("x", i) + ",3,2,0.1,900,2020-01-01,100000\n"
	}
	cases := map[string]struct {
		csv, asOf, json string
		says            []string
		code            apperror.Code
	}{
		"two rows":        {csv: writeCSV(t, rowsOf(2)), says: []string{"2 rows are too few: train, validation and test each need one"}},
		"no rows":         {csv: writeCSV(t, header), says: []string{"0 rows are too few"}},
		"empty file":      {csv: writeCSV(t, ""), says: []string{"listings.csv", "empty"}, code: apperror.Invalid},
		"missing columns": {csv: writeCSV(t, "price,bed\n1,2\n1,2\n1,2\n"), says: []string{"status, bath, acre_lot, house_size, prev_sold_date"}},
		"no such file":    {csv: filepath.Join(folder, "absent.csv"), says: []string{"absent.csv", "--csv"}, code: apperror.NotFound},
		"a folder":        {csv: folder, says: []string{"is a folder"}},
		"long row":        {csv: writeCSV(t, rowsOf(5)+"for_sale,3,2,0.1,900,2020-01-01,100000,7\n"), says: []string{"listings.csv", "line 7"}},
		"bare quote":      {csv: writeCSV(t, rowsOf(5)+`for "sale",3,2,0.1,900,2020-01-01,100000`+"\n"), says: []string{"line 7", "quote"}},
		"huge field":      {csv: writeCSV(t, rowsOf(5)+strings.Repeat("x", 10<<20)+",3,2,0.1,900,2020-01-01,1\n"), says: []string{"line 7", "longer"}},
		"not text":        {csv: writeCSV(t, rowsOf(5)+"for\xff,3,2,0.1,900,2020-01-01,1\n"), says: []string{"line 7", "UTF-8"}},
		"no name":         {csv: "", says: []string{"--csv is empty"}, code: apperror.Invalid},
		"odd as-of":       {csv: writeCSV(t, rowsOf(5)), asOf: "tomorrow", says: []string{"--as-of", "tomorrow"}, code: apperror.Invalid},
		"huge numbers":    {csv: writeCSV(t, header+strings.Repeat("sold,1e308,2,0.1,900,2020-01-01,1\nsold,-1e308,2,0.1,900,2020-01-01,-1e308\n", 9)), says: []string{"too large"}},
		"many statuses":   {csv: writeCSV(t, manyStatuses), says: []string{"status has", "at most 100"}},
		"unwritable JSON": {csv: writeCSV(t, rowsOf(5)), json: filepath.Join(folder, "absent", "x.json"), says: []string{"x.json", "--json"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var out, progress bytes.Buffer
			command := cli.Train{CSV: c.csv, AsOf: "2026-01-01", JSON: c.json}
			if c.asOf != "" {
				command.AsOf = c.asOf
			}
			err := command.Run(context.Background(), cli.IO{Out: &out, Err: &progress})
			require.Error(t, err)
			for _, part := range c.says {
				require.ErrorContains(t, err, part)
			}
			require.NotContains(t, err.Error(), "\n", "one sentence")
			require.NotEqual(t, apperror.Internal, apperror.CodeOf(err))
			if c.code != "" {
				require.Equal(t, c.code, apperror.CodeOf(err))
			}
			require.Empty(t, out.String())
		})
	}
}

func TestTrainTakesTheAsOfInstantInUTC(t *testing.T) {
	csv := writeCSV(t, rowsOf(10)) // sold on 2020-01-01
	for asOf, days := range map[string]float64{
		"2020-01-11":                     10,
		"2020-01-11T23:59:59.999":        10,
		"2020-01-11 00:00:00Z":           10,
		"2020-01-11T00:30:00+01:00":      9,
		"2019-12-31T23:30:00-01:00":      0,
		"2019-12-31T23:59:59":            -1,
		"2020-01-11T10:20:30.123456789Z": 10,
	} {
		out, err := train(t, csv, asOf)
		require.NoError(t, err, asOf)
		var result golden
		require.NoError(t, json.Unmarshal(out, &result))
		require.Equal(t, 6*days, result.Clean["train"].Sums["days_since_last_sale"], asOf)
	}
}

func TestTrainStopsWhenItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, progress bytes.Buffer
	command := cli.Train{CSV: writeCSV(t, rowsOf(1000)), AsOf: "2026-01-01"}
	require.ErrorIs(t, command.Run(ctx, cli.IO{Out: &out, Err: &progress}), context.Canceled)
	require.Empty(t, out.String())
}

func TestTrainReadsAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(path, []byte(rowsOf(5000)), 0o600) }()
	out, err := train(t, path, "2026-01-01")
	require.NoError(t, err)
	require.NoError(t, <-written)
	require.Contains(t, string(out), `"rows": 5000`)
}

func TestTrainFindsOutBeforeItWorksWhetherItMayWrite(t *testing.T) {
	listings := rowsOf(5)
	csv := writeCSV(t, listings)
	linked := filepath.Join(t.TempDir(), "linked.json")
	require.NoError(t, os.Symlink(csv, linked))
	for json, says := range map[string]string{
		csv:                                  "is the file of the listings",
		linked:                               "is the file of the listings",
		t.TempDir():                          "choose another file with --json",
		filepath.Join(csv, "x.json"):         "choose another file with --json",
		filepath.Join(t.TempDir(), "a", "b"): "choose another file with --json",
	} {
		var out, progress bytes.Buffer
		command := cli.Train{CSV: csv, AsOf: "2026-01-01", JSON: json}
		err := command.Run(context.Background(), cli.IO{Out: &out, Err: &progress})
		require.ErrorContains(t, err, says)
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
		require.Empty(t, progress.String(), "it must not read first")
	}
	kept, err := os.ReadFile(csv)
	require.NoError(t, err)
	require.Equal(t, listings, string(kept))
}

func TestTrainWritesOverAnOlderResultAndLeavesNoOtherFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "result.json")
	csv := writeCSV(t, rowsOf(5))
	for range 2 {
		var out, progress bytes.Buffer
		command := cli.Train{CSV: csv, AsOf: "2026-01-01", JSON: path}
		require.NoError(t, command.Run(context.Background(), cli.IO{Out: &out, Err: &progress}))
		entries, err := os.ReadDir(folder)
		require.NoError(t, err)
		require.Len(t, entries, 1)
		var result golden
		readJSON(t, path, &result)
	}
}
