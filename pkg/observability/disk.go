package observability

import "github.com/prometheus/client_golang/prometheus"

// WatchDisk adds the size of the file system that holds a folder, and what is free of it, where the operating system tells.
func WatchDisk(r *prometheus.Registry, dir string) {
	r.MustRegister(&diskCollector{
		dir:  dir,
		free: prometheus.NewDesc("tasador_disk_free_bytes", "Space on the file system of the data folder that this user may still use.", nil, nil),
		size: prometheus.NewDesc("tasador_disk_size_bytes", "Size of the file system of the data folder.", nil, nil),
	})
}

type diskCollector struct {
	dir        string
	free, size *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (d *diskCollector) Describe(out chan<- *prometheus.Desc) {
	out <- d.free
	out <- d.size
}

// Collect asks the file system. What cannot be told is left out.
func (d *diskCollector) Collect(out chan<- prometheus.Metric) {
	free, size, ok := diskSpace(d.dir)
	if !ok {
		return
	}
	out <- prometheus.MustNewConstMetric(d.free, prometheus.GaugeValue, free)
	out <- prometheus.MustNewConstMetric(d.size, prometheus.GaugeValue, size)
}
