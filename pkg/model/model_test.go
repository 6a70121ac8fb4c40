package model_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/model"
	"tasador/pkg/property"
	"tasador/pkg/testkit/modeltest"
	"tasador/pkg/training"
)

// handmade is a result of training whose prices can be computed by hand.
func handmade() training.Result {
	names := []string{"acre_lot", "bath", "bed", "days_since_last_sale", "house_size", "status_sold"}
	r := training.Result{
		Features:     names,
		Coefficients: []float64{1000, 200, 30, -4, 0.5, 7},
		Intercept:    100000,
		BestAlpha:    1,
		ValRMSE:      []training.AlphaRMSE{{Alpha: 1, RMSE: 5}, {Alpha: 10, RMSE: 6}},
		BestValRMSE:  5,
		TestRMSE:     7,
		Rows:         training.Rows{Train: 60, Validation: 20, Test: 20},
	}
	for _, name := range names {
		r.Stats = append(r.Stats, training.FeatureStats{Name: name, Mean: 1, StdDev: 2, Min: 0, Max: 3})
	}
	return r
}

func TestAPriceIsTheSumOfItsParts(t *testing.T) {
	m, err := model.New(handmade(), "run", modeltest.AsOf())
	require.NoError(t, err)
	listing := property.Listing{
		Status: property.NewText("sold"), Bed: 3, Bath: 2, AcreLot: 1.5, HouseSize: 2000,
		PrevSoldDate: property.NewText("2025-12-22"), Price: 1,
	}
	asOf := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) // ten whole days after the sale

	p, err := m.Predict(listing, asOf)
	require.NoError(t, err)
	require.InDelta(t, 100000+1.5*1000+2*200+3*30-10*4+2000*0.5+7, p.Price, 1e-9)
	require.Equal(t, []float64{1.5, 2, 3, 10, 2000, 1}, p.Features)

	listing.Price = 900000
	dearer, err := m.Predict(listing, asOf)
	require.NoError(t, err)
	require.Equal(t, p, dearer, "the asking price must not matter")

	listing.PrevSoldDate, listing.Status = property.Text{}, property.NewText("unheard_of")
	unknown, err := m.Predict(listing, asOf)
	require.NoError(t, err)
	require.InDelta(t, 100000+1.5*1000+2*200+3*30+4+2000*0.5, unknown.Price, 1e-9)

	listing.AcreLot = math.MaxFloat64
	_, err = m.Predict(listing, asOf)
	require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
}

func TestAFolderGivesTheModelBack(t *testing.T) {
	m := modeltest.Train(t, 5)
	dir := modeltest.Folder(t, m)
	again, err := model.LoadFolder(dir)
	require.NoError(t, err)
	require.Equal(t, m, again)

	// Whole numbers are doubles to pandas only with a point.
	example, err := os.ReadFile(filepath.Join(dir, "input_example.json"))
	require.NoError(t, err)
	require.Contains(t, string(example), "2056.0")
}

func TestANonFiniteErrorSurvivesTheFile(t *testing.T) {
	r := handmade()
	r.TestRMSE = math.Inf(1)
	m, err := model.New(r, "run", modeltest.AsOf())
	require.NoError(t, err)
	again, err := model.LoadFolder(modeltest.Folder(t, m))
	require.NoError(t, err)
	require.True(t, math.IsNaN(float64(again.Training.TestRMSE)))
}

func TestAFitThatIsNotFiniteIsNoModel(t *testing.T) {
	for name, spoil := range map[string]func(*training.Result){
		"coefficient": func(r *training.Result) { r.Coefficients[2] = math.NaN() },
		"intercept":   func(r *training.Result) { r.Intercept = math.Inf(-1) },
	} {
		t.Run(name, func(t *testing.T) {
			r := handmade()
			spoil(&r)
			_, err := model.New(r, "run", modeltest.AsOf())
			require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
			require.ErrorContains(t, err, name)
		})
	}
}

func TestAChangedFileIsNoticed(t *testing.T) {
	dir := modeltest.Folder(t, modeltest.Train(t, 5))
	file := filepath.Join(dir, model.FileName)
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, append(content, ' '), 0o600))
	_, err = model.LoadFolder(dir)
	require.ErrorContains(t, err, "not what MLmodel recorded")

	require.NoError(t, os.Remove(file))
	_, err = model.LoadFolder(dir)
	require.Equal(t, apperror.NotFound, apperror.CodeOf(err))
	require.ErrorContains(t, err, "tasador did not train it")
}

func TestAnUnwritableFolderIsNamed(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(parent, nil, 0o600))
	err := model.WriteFolder(filepath.Join(parent, "model"), modeltest.Train(t, 5), model.Meta{})
	require.Equal(t, apperror.Unavailable, apperror.CodeOf(err))
	require.ErrorContains(t, err, parent)
}

func TestLoadRefusesWhatItCannotServe(t *testing.T) {
	m, err := model.New(handmade(), "run", modeltest.AsOf())
	require.NoError(t, err)
	good, err := json.Marshal(m)
	require.NoError(t, err)
	_, err = model.Load(bytes.NewReader(good))
	require.NoError(t, err)

	for _, c := range []struct{ name, old, new, says string }{
		{"empty", string(good), "", "not JSON"},
		{"cut off", `"self_test"`, "", "not JSON"},
		{"no format", `"format":2,`, ``, "does not name its format"},
		{"newer format", `"format":2,`, `"format":3,`, "format 3"},
		{"an older format than it is", `"format":2,`, `"format":1,`, "format 1, which knows no residuals"},
		{"no residuals", `"residuals":{"rows":0,"edges":[],"groups":[{"rows":0,"low":[],"high":[]}]},`, ``, "lacks the residuals"},
		{"too few groups of residuals", `"edges":[]`, `"edges":[1]`, "do not fit their edges"},
		{"residuals without rows", `"residuals":{"rows":0`, `"residuals":{"rows":3`, "another number of rows"},
		{"an end too few", `"low":[]`, `"low":[1]`, "do not fit the levels"},
		{"counts for no bin", `"counts":[0,0]`, `"counts":[0]`, "do not fit its bins"},
		{"an interval from nowhere", `"prediction":96720}`, `"prediction":96720,"interval":{"level":0.9,"low":1,"high":2}}`, "does not agree"},
		{"unknown field", `"format":2,`, `"format":2,"more":1,`, "not JSON of the expected shape"},
		{"unknown recipe", `"name":"classic"`, `"name":"modern"`, `recipe is "modern"`},
		{"newer recipe", `"classic","version":1`, `"classic","version":7`, "version 7"},
		{"unknown as-of rule", `"as_of_rule":"request"`, `"as_of_rule":"never"`, `"never"`},
		{"a coefficient too few", `[1000,200,`, `[1000,`, "6 features but 5 coefficients"},
		{"no features", `"features":["acre_lot","bath","bed","days_since_last_sale","house_size","status_sold"]`, `"features":[]`, "no features"},
		{"an unknown feature", `"bed"`, `"pool"`, "cannot make"},
		{"a feature twice", `,"bed",`, `,"bath",`, "twice"},
		{"the price as a feature", `"bed"`, `"price"`, "cannot make"},
		{"a number too large", `"intercept":100000`, `"intercept":1e999`, "not JSON of the expected shape"},
		{"a wrong coefficient", `[1000,200,`, `[1000,201,`, "self-test"},
		{"a second document", `}}`, `}}{}`, "not JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			content := strings.ReplaceAll(string(good), c.old, c.new)
			require.NotEqual(t, string(good), content, "the case changes nothing")
			_, err := model.Load(strings.NewReader(content))
			require.Error(t, err)
			require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(err))
			require.Contains(t, err.Error(), c.says)
		})
	}
}
