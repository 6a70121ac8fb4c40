package pipeline

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
)

const countTimeout = 5 * time.Second

// metrics counts what the engine reports. The numbers of runs by state are read from the database when they are asked for, so that they are right after a restart.
type metrics struct {
	tasks *prometheus.HistogramVec
	runs  *prometheus.HistogramVec
}

func newMetrics(registry *prometheus.Registry, plan *dag.Plan, store *dagrunstore.Store, log *slog.Logger) *metrics {
	buckets := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600}
	m := &metrics{
		tasks: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tasador_task_duration_seconds", Help: "Time that a try of a task ran, by how it ended.", Buckets: buckets,
		}, []string{"dag_id", "task_id", "state"}),
		runs: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tasador_dag_run_duration_seconds", Help: "Time from the start of a DAG run to its end, by how it ended.", Buckets: buckets,
		}, []string{"dag_id", "state"}),
	}
	m.showZeros(plan)
	registry.MustRegister(m.tasks, m.runs, &runCounts{store: store, log: log, desc: prometheus.NewDesc(
		"tasador_dag_runs", "DAG runs that are stored, by state.", []string{"dag_id", "state"}, nil)})
	return m
}

// showZeros shows what has not happened yet as 0: a counter that appears with its first failure has no increase that an alert could see.
func (m *metrics) showZeros(plan *dag.Plan) {
	id := plan.Definition().ID
	for _, state := range []dag.RunState{dag.RunSuccess, dag.RunFailed} {
		m.runs.WithLabelValues(id, string(state))
	}
	for _, task := range plan.Definition().Tasks {
		for _, state := range []dag.TaskState{dag.StateSuccess, dag.StateFailed, dag.StateUpForRetry} {
			m.tasks.WithLabelValues(id, task.ID, string(state))
		}
	}
}

// TaskEnded observes a try.
func (m *metrics) TaskEnded(dagID, taskID string, state dag.TaskState, took time.Duration) {
	m.tasks.WithLabelValues(dagID, taskID, string(state)).Observe(took.Seconds())
}

// RunEnded observes a run.
func (m *metrics) RunEnded(dagID string, state dag.RunState, took time.Duration) {
	m.runs.WithLabelValues(dagID, string(state)).Observe(took.Seconds())
}

// runCounts is a collector of the numbers of runs.
type runCounts struct {
	store *dagrunstore.Store
	log   *slog.Logger
	desc  *prometheus.Desc
}

// Describe names the metric.
func (r *runCounts) Describe(ch chan<- *prometheus.Desc) { ch <- r.desc }

// Collect reads the numbers. A state without runs counts 0.
func (r *runCounts) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	counts, err := r.store.RunCounts(ctx)
	if err != nil {
		r.log.WarnContext(ctx, "cannot count the DAG runs", "error", err)
		return
	}
	for dagID, states := range counts {
		for _, s := range []dag.RunState{dag.RunQueued, dag.RunRunning, dag.RunSuccess, dag.RunFailed} {
			ch <- prometheus.MustNewConstMetric(r.desc, prometheus.GaugeValue, float64(states[s]), dagID, string(s))
		}
	}
}
