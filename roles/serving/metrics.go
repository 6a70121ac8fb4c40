package serving

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tasador/pkg/inference"
)

// Outcomes of a request for a prediction.
const (
	outcomeOK          = "ok"
	outcomeInvalid     = "invalid"
	outcomeUnavailable = "unavailable"
)

// metrics counts predictions. The first two keep the names and the form that the original's dashboards read.
type metrics struct {
	requests prometheus.Counter
	latency  prometheus.Histogram
	outcomes *prometheus.CounterVec
}

func newMetrics(registry *prometheus.Registry, p *inference.Predictor) *metrics {
	m := &metrics{
		requests: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "inference_requests_total",
			Help: "Requests for a prediction.",
		}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "inference_request_latency_seconds",
			Help:    "Time to answer a request for a prediction.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tasador_predictions_total",
			Help: "Requests for a prediction, by outcome: ok, invalid (the request is wrong) or unavailable (no model, or it cannot be recorded).",
		}, []string{"outcome"}),
	}
	for _, o := range []string{outcomeOK, outcomeInvalid, outcomeUnavailable} {
		m.outcomes.WithLabelValues(o)
	}
	version := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tasador_served_model_version",
		Help: "Model version that answers; 0 before the first promotion.",
	}, func() float64 { return versionNumber(p) })
	swaps := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "tasador_model_swaps_total",
		Help: "How often another model version was put in place.",
	}, func() float64 { return float64(p.Swaps()) })
	registry.MustRegister(m.requests, m.latency, m.outcomes, version, swaps)
	return m
}

// begin counts a request; what it returns is called at its end.
func (m *metrics) begin() (end func()) {
	m.requests.Inc()
	start := time.Now()
	return func() { m.latency.Observe(time.Since(start).Seconds()) }
}

func (m *metrics) outcome(name string) { m.outcomes.WithLabelValues(name).Inc() }

func versionNumber(p *inference.Predictor) float64 {
	served, err := p.Current()
	if err != nil {
		return 0
	}
	n, err := strconv.ParseFloat(served.Version, 64)
	if err != nil {
		return 0
	}
	return n
}
