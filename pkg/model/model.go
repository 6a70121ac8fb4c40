// Package model is a trained price model as it is kept, moved and served: the numbers of a ridge fit with the recipe that makes
// their features. A folder of a model holds it twice: as tasador.json for tasador, as ONNX behind an MLmodel file for Python.
package model

import (
	"slices"
	"time"

	"tasador/pkg/drift"
	"tasador/pkg/features"
	"tasador/pkg/property"
	"tasador/pkg/training"
)

// Version of the format of tasador.json, and of the recipe that this package can serve. Models of FirstFormat, which lacks Residuals and
// Reference, can be served too.
const (
	Format        = 2
	FirstFormat   = 1
	RecipeVersion = 1
)

// AsOfRequest is the rule by which a served listing is aged: at the instant that the request names, else at its time.
const AsOfRequest = "request"

// Recipe names how a listing becomes features.
type Recipe struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// Model is the content of tasador.json.
type Model struct {
	Format       int             `json:"format"`
	Recipe       Recipe          `json:"recipe"`
	Schema       features.Schema `json:"schema"`
	Coefficients []float64       `json:"coefficients"` // of the features, in the order of the schema; dollars per unit
	Intercept    float64         `json:"intercept"`    // dollars
	AsOfRule     string          `json:"as_of_rule"`
	Training     Training        `json:"training"`

	Residuals *Residuals       `json:"residuals,omitempty"` // on test rows; nil in FirstFormat
	Reference *drift.Reference `json:"reference,omitempty"` // of train rows; nil in FirstFormat
	SelfTest  SelfTest         `json:"self_test"`
}

// Training says what the model was made from and how good it was. RMSEs are in dollars.
type Training struct {
	DAGRunID    string       `json:"dag_run_id"`
	AsOf        time.Time    `json:"as_of"` // the instant that prev_sold_date was counted to
	Rows        Rows         `json:"rows"`
	Statistics  []Statistics `json:"statistics"` // of the features, over train and validation, in the order of the schema
	Target      Statistics   `json:"target"`     // of the price, over the same rows
	BestAlpha   float64      `json:"best_alpha"`
	ValRMSE     []AlphaRMSE  `json:"val_rmse"`
	BestValRMSE Number       `json:"best_val_rmse"`
	TestRMSE    Number       `json:"test_rmse"`
}

// Rows counts the rows of every split.
type Rows struct {
	Train      int `json:"train"`
	Validation int `json:"validation"`
	Test       int `json:"test"`
}

// Statistics describes one column of the training rows. StdDev is over n, not n−1.
type Statistics struct {
	Name   string `json:"name"`
	Mean   Number `json:"mean"`
	StdDev Number `json:"std_dev"`
	Min    Number `json:"min"`
	Max    Number `json:"max"`
}

// AlphaRMSE is the error on validation for one alpha.
type AlphaRMSE struct {
	Alpha float64 `json:"alpha"`
	RMSE  Number  `json:"rmse"`
}

// SelfTest is one row of features and the price that the model gave for it when it was made, with its interval at DefaultLevel if it had one:
// who reads the model must get the same.
type SelfTest struct {
	Features   []float64 `json:"features"`
	Prediction float64   `json:"prediction"`
	Interval   *Interval `json:"interval,omitempty"`
}

// New makes a model of what training found in a DAG run with that as-of instant. Codes: FailedPrecondition if the coefficients are
// not finite.
func New(r training.Result, dagRunID string, asOf time.Time) (*Model, error) {
	m := &Model{
		Format:       Format,
		Recipe:       Recipe{Name: features.Recipe, Version: RecipeVersion},
		Schema:       features.Schema{Features: slices.Clone(r.Features)},
		Coefficients: slices.Clone(r.Coefficients),
		Intercept:    r.Intercept,
		AsOfRule:     AsOfRequest,
		Training: Training{
			DAGRunID:    dagRunID,
			AsOf:        asOf.UTC(),
			Rows:        Rows(r.Rows),
			Target:      statisticsOf(r.Target),
			BestAlpha:   r.BestAlpha,
			BestValRMSE: Number(r.BestValRMSE),
			TestRMSE:    Number(r.TestRMSE),
		},
	}
	for _, s := range r.Stats {
		m.Training.Statistics = append(m.Training.Statistics, statisticsOf(s))
	}
	for _, v := range r.ValRMSE {
		m.Training.ValRMSE = append(m.Training.ValRMSE, AlphaRMSE{Alpha: v.Alpha, RMSE: Number(v.RMSE)})
	}
	if err := m.checkNumbers(); err != nil {
		return nil, err
	}
	x, err := m.Schema.Encode(Example(), asOf)
	if err != nil {
		return nil, err
	}
	m.Residuals, m.Reference = m.residualsOf(r.TrainSample, r.TestSample), m.referenceOf(r.TrainSample)
	m.SelfTest = SelfTest{Features: x, Prediction: m.price(x)}
	if interval, err := m.Interval(m.SelfTest.Prediction, DefaultLevel); err == nil {
		m.SelfTest.Interval = &interval
	}
	return m, m.Check()
}

func statisticsOf(s training.FeatureStats) Statistics {
	return Statistics{Name: s.Name, Mean: Number(s.Mean), StdDev: Number(s.StdDev), Min: Number(s.Min), Max: Number(s.Max)}
}

// Example is the listing that forms are prefilled with and examples show.
func Example() property.Listing {
	return property.Listing{
		BrokeredBy:   74802,
		Status:       property.NewText("for_sale"),
		Price:        394900,
		Bed:          3,
		Bath:         2,
		AcreLot:      1.17,
		Street:       1589662,
		City:         property.NewText("Crossville"),
		State:        property.NewText("Tennessee"),
		ZipCode:      property.NewText("38571"),
		HouseSize:    2056,
		PrevSoldDate: property.NewText("2021-12-01"),
	}
}

// Prediction is the price of one listing, with what it was computed from.
type Prediction struct {
	Price    float64   // dollars
	Features []float64 // in the order of the schema
}

// Predict returns the price of a listing at an instant. Codes: Invalid if the listing's numbers are too large to compute with,
// FailedPrecondition if the model asks for a feature that this tasador does not make.
func (m *Model) Predict(listing property.Listing, asOf time.Time) (Prediction, error) {
	x, err := m.Schema.Encode(listing, asOf)
	if err != nil {
		return Prediction{}, err
	}
	price, err := m.PriceOf(x)
	if err != nil {
		return Prediction{}, err
	}
	return Prediction{Price: price, Features: x}, nil
}

// price is the one place where features become dollars.
func (m *Model) price(x []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += v * m.Coefficients[i]
	}
	return sum + m.Intercept
}
