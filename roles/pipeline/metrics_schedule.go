package pipeline

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
)

// ticker is something that looks again and again, and tells when it last did.
type ticker interface{ LastTick() time.Time }

// scheduleCollector tells when runs of the DAG ended and are due, and when those who start them last looked.
type scheduleCollector struct {
	store    *dagrunstore.Store
	dagID    string
	schedule *dag.Schedule
	ticks    map[string]ticker // by component
	log      *slog.Logger
}

var (
	descHeartbeat = prometheus.NewDesc("tasador_scheduler_heartbeat_timestamp_seconds",
		"When the component last looked whether there is something to do; 0 before the first time.", []string{"component"}, nil)
	descPaused   = prometheus.NewDesc("tasador_dag_paused", "1 if the DAG is paused, else 0.", []string{"dag_id"}, nil)
	descInterval = prometheus.NewDesc("tasador_dag_schedule_interval_seconds",
		"Time between the next two scheduled runs; 0 without a schedule.", []string{"dag_id"}, nil)
	descNextRun = prometheus.NewDesc("tasador_dag_next_run_timestamp_seconds",
		"When the next scheduled run is due; 0 without a schedule.", []string{"dag_id"}, nil)
	descFirstRun = prometheus.NewDesc("tasador_dag_first_run_timestamp_seconds",
		"When the first run that is stored was queued; 0 if there is none.", []string{"dag_id"}, nil)
	descLastEnd = prometheus.NewDesc("tasador_dag_last_run_timestamp_seconds",
		"When the last run in a final state ended; 0 if there is none.", []string{"dag_id", "state"}, nil)
)

// Describe names the metrics.
func (s *scheduleCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descHeartbeat, descPaused, descInterval, descNextRun, descFirstRun, descLastEnd} {
		ch <- d
	}
}

// Collect reads the times from the database, so that they are right after a restart.
func (s *scheduleCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for component, t := range s.ticks {
		gauge(descHeartbeat, unixSeconds(t.LastTick()), component)
	}
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	stored, err := s.store.DAG(ctx, s.dagID)
	if err != nil {
		s.log.WarnContext(ctx, "cannot read the state of the DAG", "error", err)
		return
	}
	times, err := s.store.RunTimes(ctx, s.dagID)
	if err != nil {
		s.log.WarnContext(ctx, "cannot read when DAG runs ended", "error", err)
		return
	}
	gauge(descPaused, map[bool]float64{true: 1}[stored.Paused], s.dagID)
	var interval time.Duration
	var next time.Time
	if s.schedule != nil && !stored.NextRun.IsZero() {
		next = s.schedule.Upcoming(stored.NextRun).End
		interval = s.schedule.Upcoming(next).End.Sub(next)
	}
	gauge(descInterval, interval.Seconds(), s.dagID)
	gauge(descNextRun, unixSeconds(next), s.dagID)
	gauge(descFirstRun, unixSeconds(times.FirstQueued), s.dagID)
	gauge(descLastEnd, unixSeconds(times.LastSuccess), s.dagID, string(dag.RunSuccess))
	gauge(descLastEnd, unixSeconds(times.LastFailure), s.dagID, string(dag.RunFailed))
}

// unixSeconds are the seconds since 1970, 0 for no time.
func unixSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
