package serving

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tasador/pkg/drift"
	"tasador/pkg/inference"
)

// watchCollector computes what the monitors and the shadow saw when Prometheus asks.
type watchCollector struct{ predictor *inference.Predictor }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tasador_"+name, help, labels, nil)
}

// Descriptions of the metrics. Those of drift are of the versions that answer now, over the windows 1h, 24h and 7d.
var (
	descPredictions = describe("watched_predictions", "Predictions in the window.", "version", "window")
	descPSI         = describe("drift_psi", "Population stability index of a feature or of the prediction against training: from 0.1 on moderate, from 0.25 on significant.", "version", "window", "field")
	descKS          = describe("drift_ks", "Kolmogorov-Smirnov statistic against training.", "version", "window", "field")
	descWasserstein = describe("drift_wasserstein", "1-Wasserstein distance from training, in standard deviations of training.", "version", "window", "field")
	descFeedback    = describe("feedback_predictions", "Predictions in the window whose sale price is known.", "version", "window")
	descMAE         = describe("feedback_mean_absolute_error_dollars", "Mean absolute error of predictions whose sale price is known.", "version", "window")
	descRMSE        = describe("feedback_rmse_dollars", "Root of the mean squared error of predictions whose sale price is known.", "version", "window")
	descBias        = describe("feedback_bias_dollars", "Mean of prediction minus sale price.", "version", "window")
	descCoverage    = describe("feedback_interval_coverage_ratio", "Share of the sale prices that lay within the interval of their prediction.", "version", "window")

	descTrained  = describe("model_trained_timestamp_seconds", "Instant as of which a version that answers was trained.", "version")
	descTestRMSE = describe("model_test_rmse_dollars", "Root of the mean squared error of a version on its own test rows.", "version")

	descFollowed = describe("model_followed", "1 if tracking named a version for a role the last time and it can be served, else 0.", "role")
	descRole     = describe("model_role_version", "Model version that answers in a role: champion, challenger or shadow; 0 if there is none.", "role")
	descShare    = describe("challenger_share_ratio", "Share of the requests that the challenger answers.")
	descCompared = describe("shadow_compared_total", "Answers that the shadow was compared with.")
	descDropped  = describe("shadow_dropped_total", "Answers that the shadow was not asked about because too many waited.")
	descFailed   = describe("shadow_failed_total", "Answers for which the shadow had no price.")
	descHangs    = describe("shadow_hangs", "1 if the shadow does not come to an end with one price, else 0.")
	descAbsolute = describe("shadow_absolute_difference_dollars", "Absolute difference between the prices of the shadow and those given, of the two versions that answer now.")
	descRelative = describe("shadow_relative_difference_ratio", "Absolute difference between the prices of the shadow and those given, as a share of the price given.")
)

// Describe implements prometheus.Collector.
func (w *watchCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descPredictions, descPSI, descKS, descWasserstein, descFeedback, descMAE, descRMSE, descBias, descCoverage, descTrained,
		descTestRMSE, descFollowed, descRole, descShare, descCompared,
		descDropped, descFailed, descHangs, descAbsolute, descRelative,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (w *watchCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		if !math.IsNaN(value) && !math.IsInf(value, 0) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
		}
	}
	seen := map[string]bool{}
	for _, f := range w.predictor.Followed() {
		gauge(descRole, numberOf(f.Served), string(f.Role))
		gauge(descFollowed, map[bool]float64{true: 1}[f.Problem == nil], string(f.Role))
		if f.Role == inference.Shadow {
			w.shadow(out, gauge)
			continue // it is asked what the champion is asked, and nobody hears it
		}
		if f.Role == inference.Challenger {
			gauge(descShare, w.predictor.Share())
		}
		if f.Served == nil || seen[f.Served.Version] {
			continue
		}
		seen[f.Served.Version] = true
		training := f.Served.Model.Training
		gauge(descTrained, float64(training.AsOf.Unix()), f.Served.Version)
		gauge(descTestRMSE, float64(training.TestRMSE), f.Served.Version)
		for _, window := range drift.Windows() {
			watchedMetrics(gauge, f.Served.Version, f.Served.Watch.Report(window, time.Now()))
		}
	}
}

func watchedMetrics(gauge func(*prometheus.Desc, float64, ...string), version string, r drift.Report) {
	window := string(r.Window)
	gauge(descPredictions, float64(r.Predictions), version, window)
	gauge(descFeedback, float64(r.Errors.Count), version, window)
	gauge(descMAE, r.Errors.MAE, version, window)
	gauge(descRMSE, r.Errors.RMSE, version, window)
	gauge(descBias, r.Errors.Bias, version, window)
	gauge(descCoverage, r.Errors.Coverage, version, window)
	for _, f := range r.Fields {
		if f.State == drift.Few {
			continue // what few predictions say is chance, and would ring alarms
		}
		gauge(descPSI, f.PSI, version, window, f.Name)
		gauge(descKS, f.KS, version, window, f.Name)
		gauge(descWasserstein, f.Wasserstein, version, window, f.Name)
	}
}

func (w *watchCollector) shadow(out chan<- prometheus.Metric, gauge func(*prometheus.Desc, float64, ...string)) {
	s := shadowState(w.predictor.ShadowReport())
	for d, value := range map[*prometheus.Desc]uint64{descCompared: s.Compared, descDropped: s.Dropped, descFailed: s.Failed} {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value))
	}
	hangs := 0.0
	if s.Hangs {
		hangs = 1
	}
	gauge(descHangs, hangs)
	absolute, relative := map[float64]float64{}, map[float64]float64{}
	for _, q := range s.Quantiles {
		absolute[q.Quantile], relative[q.Quantile] = q.Absolute, q.Relative
	}
	n := float64(s.Count)
	out <- prometheus.MustNewConstSummary(descAbsolute, s.Count, n*s.Absolute, absolute)
	out <- prometheus.MustNewConstSummary(descRelative, s.Count, n*s.Relative, relative)
}
