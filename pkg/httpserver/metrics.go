package httpserver

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	routes   map[routeKey]*routeMetrics // of the registered ones; complete before the first request
}

type routeKey struct{ path, method string }

// routeMetrics are the counters of a route, each looked up once.
type routeMetrics struct {
	label    string
	duration atomic.Pointer[prometheus.Observer]
	requests [600]atomic.Pointer[prometheus.Counter] // by status
}

func newMetrics(r *prometheus.Registry) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tasador_http_requests_total",
			Help: "Requests answered, by route pattern, method and status.",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tasador_http_request_duration_seconds",
			Help:    "Time to answer a request, by route pattern and method.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "method"}),
		routes: map[routeKey]*routeMetrics{},
	}
	r.MustRegister(m.requests, m.duration)
	return m
}

// add prepares a route that is registered. What nobody asked for yet has no metrics.
func (m *metrics) add(path, method string) {
	m.routes[routeKey{path, method}] = &routeMetrics{label: labelOf(path)}
}

// labelOf names a route by its pattern, never by the address itself: labels must stay few.
func labelOf(path string) string {
	if path == "" || path == "/*" {
		return "none"
	}
	return path
}

// methodOf names a method. Clients may invent some, and what they send must not make labels.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// observe counts an answered request.
func (m *metrics) observe(c echo.Context, took time.Duration) {
	method, status := methodOf(c.Request().Method), c.Response().Status
	one := m.routes[routeKey{c.Path(), method}]
	if one == nil || status < 0 || status >= len(one.requests) {
		m.requests.WithLabelValues(labelOf(c.Path()), method, strconv.Itoa(status)).Inc()
		m.duration.WithLabelValues(labelOf(c.Path()), method).Observe(took.Seconds())
		return
	}
	counter, duration := one.requests[status].Load(), one.duration.Load()
	if counter == nil || duration == nil {
		c, d := m.requests.WithLabelValues(one.label, method, strconv.Itoa(status)), m.duration.WithLabelValues(one.label, method)
		counter, duration = &c, &d
		one.requests[status].Store(counter)
		one.duration.Store(duration)
	}
	(*counter).Inc()
	(*duration).Observe(took.Seconds())
}
