package serving

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tasador/pkg/inference"
	"tasador/pkg/journal"
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

	unrecorded prometheus.Counter
}

func newMetrics(registry *prometheus.Registry, p *inference.Predictor, j *journal.Journal, s *journal.Shipper) *metrics {
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
	m.unrecorded = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tasador_predictions_unrecorded_total",
		Help: "Predictions that were given although the journal could not take them (--serving.unrecorded=serve).",
	})
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
	registry.MustRegister(m.requests, m.latency, m.outcomes, m.unrecorded, version, swaps)
	registry.MustRegister(journalMetrics(j, s)...)
	return m
}

// journalMetrics tell what waits for the database.
func journalMetrics(j *journal.Journal, s *journal.Shipper) []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("tasador_journal_backlog_entries", "Requests in the journal that are not in the predictions database yet.",
			func() float64 { return float64(j.Backlog().Entries) }),
		gauge("tasador_journal_backlog_bytes", "Size of the requests in the journal that are not in the predictions database yet.",
			func() float64 { return float64(j.Backlog().Bytes) }),
		gauge("tasador_journal_backlog_age_seconds", "How long the oldest request in the journal waits for the predictions database; 0 if none does.",
			func() float64 {
				if oldest := j.Backlog().Oldest; !oldest.IsZero() {
					return time.Since(oldest).Seconds()
				}
				return 0
			}),
		gauge("tasador_journal_synced", "1 if the disk took what was last written to the journal, 0 if it failed.", func() float64 {
			if j.SyncError() != nil {
				return 0
			}
			return 1
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "tasador_journal_ship_failures_total", Help: "How often a batch of the journal could not be brought to the predictions database.",
		}, func() float64 { return float64(s.Failures()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "tasador_journal_damaged_total", Help: "Requests in the journal that the disk has damaged before they were in the predictions database.",
		}, func() float64 { return float64(j.Backlog().Damaged) }),
	}
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
