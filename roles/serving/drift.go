package serving

import (
	"math"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/drift"
)

// Drift is the body of GET /drift.
type Drift struct {
	Versions []DriftOfVersion `json:"versions" nullable:"false" doc:"Versions that answered lately, the newest first."`
}

// DriftOfVersion is how far what a version is asked and answers is from what it was trained on.
type DriftOfVersion struct {
	Version string          `json:"version"`
	Windows []DriftOfWindow `json:"windows" nullable:"false"`
}

// DriftOfWindow is that over one window. Numbers that cannot be computed are missing.
type DriftOfWindow struct {
	Window      string         `json:"window" enum:"1h,24h,7d"`
	Predictions uint64         `json:"predictions"`
	Fields      []DriftOfField `json:"fields" nullable:"false" doc:"Empty for a version that was made before distributions were kept."`
	Errors      FeedbackErrors `json:"errors"`
}

// DriftOfField is that of one field.
type DriftOfField struct {
	Field       string     `json:"field" doc:"A feature, status or prediction."`
	State       string     `json:"state" enum:"few,stable,moderate,significant" doc:"By psi: below 0.1 stable, from 0.25 on significant; few while there are too few predictions to tell."`
	PSI         *float64   `json:"psi,omitempty" doc:"Population stability index over the deciles of training."`
	KS          *float64   `json:"ks,omitempty" doc:"Two-sample Kolmogorov-Smirnov statistic."`
	KSP         *float64   `json:"ks_p,omitempty" doc:"Its asymptotic probability if nothing has changed."`
	Wasserstein *float64   `json:"wasserstein,omitempty" doc:"1-Wasserstein distance in standard deviations of training."`
	Bins        []DriftBin `json:"bins" nullable:"false"`
}

// DriftBin is a range of values or a category, with its share among the training rows and in the window.
type DriftBin struct {
	Above     *float64 `json:"above,omitempty" doc:"Values are larger; missing in the first bin and for a category."`
	UpTo      *float64 `json:"up_to,omitempty" doc:"Values are at most this; missing in the last bin and for a category."`
	Category  string   `json:"category,omitempty"`
	Reference *float64 `json:"reference,omitempty"`
	Window    *float64 `json:"window,omitempty"`
}

// FeedbackErrors is how wrong predictions were whose sale price is known.
type FeedbackErrors struct {
	Count    uint64   `json:"count"`
	MAE      *float64 `json:"mae,omitempty" doc:"Mean absolute error, dollars."`
	RMSE     *float64 `json:"rmse,omitempty" doc:"Dollars."`
	Bias     *float64 `json:"bias,omitempty" doc:"Mean of prediction minus price, dollars."`
	Coverage *float64 `json:"coverage,omitempty" doc:"Share of the prices that lay within their interval."`
}

// drift is GET /drift.
func (r *role) drift(c echo.Context) error { return c.JSON(http.StatusOK, r.driftNow(time.Now())) }

// driftNow is what was seen of the versions that answered lately, for programs and for pages.
func (r *role) driftNow(now time.Time) Drift {
	out := Drift{Versions: []DriftOfVersion{}}
	for _, w := range r.predictor.Watched() {
		v := DriftOfVersion{Version: w.Version}
		for _, window := range drift.Windows() {
			v.Windows = append(v.Windows, windowOf(w.Monitor.Report(window, now)))
		}
		out.Versions = append(out.Versions, v)
	}
	return out
}

func windowOf(r drift.Report) DriftOfWindow {
	e := r.Errors
	out := DriftOfWindow{
		Window: string(r.Window), Predictions: r.Predictions, Fields: []DriftOfField{},
		Errors: FeedbackErrors{Count: e.Count, MAE: known(e.MAE), RMSE: known(e.RMSE), Bias: known(e.Bias), Coverage: known(e.Coverage)},
	}
	for _, f := range r.Fields {
		field := DriftOfField{
			Field: f.Name, State: string(f.State), PSI: known(f.PSI), KS: known(f.KS), KSP: known(f.KSP), Wasserstein: known(f.Wasserstein), Bins: []DriftBin{},
		}
		for _, b := range f.Bins {
			field.Bins = append(field.Bins, DriftBin{Above: known(b.Low), UpTo: known(b.High), Category: b.Category, Reference: known(b.Reference), Window: known(b.Window)})
		}
		out.Fields = append(out.Fields, field)
	}
	return out
}

// known returns a number that JSON can hold, nil for others.
func known(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
