package model_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/property"
	"tasador/pkg/testkit"
	"tasador/pkg/testkit/modeltest"
)

type pythonPrices struct {
	Columns     []string
	Types       []string
	RunID       string `json:"run_id"`
	ModelID     string `json:"model_id"`
	Ordered     []float64
	Shuffled    []float64
	Small       []float64
	SmallFloats []float64 `json:"small_floats"`
	Example     []float64
}

func askPython(t *testing.T, folder, csvFile string, asOf time.Time) pythonPrices {
	t.Helper()
	cmd := exec.Command(testkit.Venv(t, "python"), "pkg/model/testdata/predict.py", folder, csvFile, asOf.Format(time.DateTime)) // #nosec G204 -- a test
	cmd.Dir = testkit.ModuleRoot(t)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	var prices pythonPrices
	require.NoError(t, json.Unmarshal(out, &prices), string(out))
	return prices
}

// TestPythonGivesTheSamePrices trains, writes the folder and lets MLflow price every listing: generated ones, or those of the file
// that TEST_CSV names.
func TestPythonGivesTheSamePrices(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the Python packages")
	}
	file := modeltest.File(t, 11, 4000)
	listings := readListings(t, file)
	m := modeltest.TrainOn(t, listings, "manual__2026-01-01T00:00:00+00:00")
	asOf := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) // another instant than the training's

	python := askPython(t, modeltest.Folder(t, m), file, asOf)

	require.Equal(t, m.Schema.Features, python.Columns)
	require.Equal(t, []string{"DataType.double"}, python.Types)
	require.Equal(t, "0123456789abcdef0123456789abcdef", python.RunID)
	require.Equal(t, "m-fedcba9876543210fedcba9876543210", python.ModelID)
	require.Len(t, python.Ordered, len(listings))
	for i, l := range listings {
		ours, err := m.Predict(l, asOf)
		require.NoError(t, err)
		require.InEpsilonf(t, python.Ordered[i], ours.Price, 1e-9, "row %d: %+v", i, l)
	}
	require.Equal(t, python.Ordered, python.Shuffled, "a frame with its columns in another order has other prices")
	require.Equal(t, python.SmallFloats, python.Small, "whole numbers have other prices than the same as doubles")
	require.Len(t, python.Example, 1)
	require.InEpsilon(t, m.SelfTest.Prediction, python.Example[0], 1e-9)
}

// readListings reads a CSV with a header as the documentation says: an empty field is missing, as is a number that does not parse.
func readListings(t *testing.T, file string) []property.Listing {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	records, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	place := map[string]int{}
	for i, name := range records[0] {
		place[name] = i
	}
	var listings []property.Listing
	for _, record := range records[1:] {
		text := func(name string) property.Text {
			s := record[place[name]]
			return property.Text{Value: s, Valid: s != ""}
		}
		number := func(name string) float64 {
			v, err := strconv.ParseFloat(record[place[name]], 64)
			if err != nil {
				return math.NaN()
			}
			return v
		}
		listings = append(listings, property.Listing{
			Status: text(property.Status), PrevSoldDate: text(property.PrevSoldDate), Price: number(property.Price),
			Bed: number(property.Bed), Bath: number(property.Bath), AcreLot: number(property.AcreLot), HouseSize: number(property.HouseSize),
		})
	}
	return listings
}
