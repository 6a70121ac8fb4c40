package serving

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tasador/pkg/inference"
	"tasador/pkg/journal"
)

// outcome is how a request for predictions ended.
type outcome uint8

const (
	outcomeOK          outcome = iota
	outcomeInvalid             // the request is wrong
	outcomeUnavailable         // no model, or the answer cannot be recorded
	outcomeCount
)

func (o outcome) String() string { return [outcomeCount]string{"ok", "invalid", "unavailable"}[o] }

// protocol is the way that a request for predictions came.
type protocol uint8

const (
	protocolREST   protocol = iota // POST /predict
	protocolForm                   // the page
	protocolBatch                  // POST /predict/batch
	protocolMLflow                 // POST /invocations
	protocolOIP                    // the Open Inference Protocol
	protocolCount
)

func (p protocol) String() string {
	return [protocolCount]string{"rest", "form", "batch", "mlflow", "oip"}[p]
}

// outcomes are the counters of one version.
type outcomes [protocolCount][outcomeCount]prometheus.Counter

// maxVersions bounds the values of the label version. Beyond it, versions are counted together.
const maxVersions = 100

// metrics counts predictions. The first two keep the names and the form that the original's dashboards read.
type metrics struct {
	requests   prometheus.Counter
	latency    prometheus.Histogram
	outcomes   *prometheus.CounterVec
	durations  [protocolCount][outcomeCount]prometheus.Observer
	listings   prometheus.Counter
	rows       *prometheus.CounterVec // of batches
	unrecorded prometheus.Counter

	mu       sync.Mutex
	versions map[string]*outcomes
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
			Help: "Requests for a prediction, by protocol, model version (empty before the first) and outcome: ok, invalid (the request is wrong) or unavailable (no model, or it cannot be recorded).",
		}, []string{"protocol", "version", "outcome"}),
		listings: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tasador_listings_priced_total",
			Help: "Listings that were given a price; a request may hold many.",
		}),
		unrecorded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tasador_predictions_unrecorded_total",
			Help: "Predictions that were given although the journal could not take them (--serving.unrecorded=serve).",
		}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tasador_batch_rows_total",
			Help: "Rows of batches, by outcome: ok, or failed (the row says why).",
		}, []string{"outcome"}),
		versions: map[string]*outcomes{},
	}
	m.batchRows(0, 0)
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "tasador_prediction_duration_seconds",
		Help: "Time to answer a request for a prediction, by protocol and outcome; fine buckets from 50 µs, and a native histogram.",
		Buckets: []float64{
			.00005, .0001, .0002, .0003, .0005, .00075, .001, .0015, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5,
		},
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
	}, []string{"protocol", "outcome"})
	for p := range protocolCount {
		for o := range outcomeCount {
			m.durations[p][o] = durations.WithLabelValues(p.String(), o.String())
		}
	}
	m.outcomesOf("")
	version := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tasador_served_model_version",
		Help: "Model version that answers; 0 before the first promotion.",
	}, func() float64 { return versionNumber(p) })
	swaps := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "tasador_model_swaps_total",
		Help: "How often another model version was put in place.",
	}, func() float64 { return float64(p.Swaps()) })
	registry.MustRegister(m.requests, m.latency, m.outcomes, durations, m.listings, m.rows, m.unrecorded, version, swaps)
	registry.MustRegister(journalMetrics(j, s)...)
	return m
}

// outcomesOf returns the counters of a version, which then are shown, also those that are 0.
func (m *metrics) outcomesOf(version string) *outcomes {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.versions[version] == nil && len(m.versions) >= maxVersions {
		version = "other"
	}
	of := m.versions[version]
	if of == nil {
		of = &outcomes{}
		for p := range protocolCount {
			for o := range outcomeCount {
				of[p][o] = m.outcomes.WithLabelValues(p.String(), version, o.String())
			}
		}
		m.versions[version] = of
	}
	return of
}

// answered counts a request that was answered, and how long that took. v may be nil if the request came to none.
func (r *role) answered(p protocol, v *version, o outcome, listings int, begin time.Time) {
	m, took := r.metrics, time.Since(begin).Seconds()
	if v == nil {
		v, _ = r.version() // also without a model there is one to count
	}
	m.requests.Inc()
	m.latency.Observe(took)
	m.durations[p][o].Observe(took)
	v.outcomes[p][o].Inc()
	if o == outcomeOK {
		m.listings.Add(float64(listings))
	}
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
					return max(0, time.Since(oldest).Seconds()) // a clock may be set back
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
			Name: "tasador_journal_damaged_total", Help: "Requests in the journal that were damaged or removed on the disk before they were in the predictions database.",
		}, func() float64 { return float64(j.Backlog().Damaged) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "tasador_journal_refused_total", Help: "Requests in the journal that the predictions database did not take; they are tried again at the next start.",
		}, func() float64 { return float64(j.Backlog().Refused) }),
	}
}

func versionNumber(p *inference.Predictor) float64 {
	served, err := p.Current()
	if err != nil {
		return 0
	}
	return numberOf(served)
}

// numberOf returns the number of a version, 0 if there is none.
func numberOf(served *inference.Served) float64 {
	if served == nil {
		return 0
	}
	n, err := strconv.ParseFloat(served.Version, 64)
	if err != nil {
		return 0
	}
	return n
}

// batchRows counts rows of a batch.
func (m *metrics) batchRows(ok, failed int) {
	m.rows.WithLabelValues(outcomeOK.String()).Add(float64(ok))
	m.rows.WithLabelValues("failed").Add(float64(failed))
}
