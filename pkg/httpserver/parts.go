package httpserver

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

var descPart = prometheus.NewDesc("tasador_part_ready",
	"1 if a part that the server needs is ready, else 0; /readyz says what is missing.", []string{"part"}, nil)

// partsCollector asks what /readyz asks when Prometheus does, so that an alert can name the part that is away.
type partsCollector struct{ checks []Check }

// Describe implements prometheus.Collector.
func (p partsCollector) Describe(out chan<- *prometheus.Desc) { out <- descPart }

// Collect asks all parts at the same time, so that one that hangs does not make others look away too.
func (p partsCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	var asked sync.WaitGroup
	for _, check := range p.checks {
		if check.Probe == nil {
			continue
		}
		asked.Go(func() {
			ready := 1.0
			if check.Probe(ctx) != nil {
				ready = 0
			}
			out <- prometheus.MustNewConstMetric(descPart, prometheus.GaugeValue, ready, check.Name)
		})
	}
	asked.Wait()
}
