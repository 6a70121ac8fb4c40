// Package pipeline is the role that runs the DAG: it triggers runs by a schedule or on request, runs their tasks durably, and answers in the shapes of
// Airflow's REST API v2.
package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"slices"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/dag"
	"tasador/pkg/dispatch"
	"tasador/pkg/httpserver"
	"tasador/pkg/lifecycle"
	"tasador/pkg/observability"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/roles/pipeline/pricemodel"
)

// job is a DAG with what it stands on.
type job struct {
	definition   dag.Definition
	validateConf func(json.RawMessage) error     // of a run; the conf is a JSON object
	ready        func(ctx context.Context) error // whether what the tasks call answers
	close        func() error
	batches      batches // what its runs collected; nil if they collect nothing
}

// New returns the role with the DAG of the price model. Codes: FailedPrecondition if another process runs the tasks of the same database, Invalid for
// settings that are not understood, Unavailable when a database or folder cannot be used.
func New(ctx context.Context, cfg *config.Config, ln net.Listener, log *slog.Logger, guard *httpserver.Guard) (lifecycle.Service, error) {
	return open(ctx, cfg, ln, log, guard, priceModel)
}

func priceModel(ctx context.Context, cfg *config.Config, log *slog.Logger) (job, error) {
	deps, err := pricemodel.NewDeps(ctx, cfg, log)
	if err != nil {
		return job{}, err
	}
	return job{definition: pricemodel.Definition(deps), validateConf: pricemodel.ValidateConf, ready: deps.Ready, close: deps.Close, batches: deps.Data()}, nil
}

type role struct {
	plan      *dag.Plan
	job       job
	schedule  *dag.Schedule
	maxActive int
	store     *dagrunstore.Store
	engine    *dispatch.Engine
	scheduler *dispatch.Scheduler
	build     observability.Build
	log       *slog.Logger
}

// open builds the role around a job. What it has opened is closed again if it fails.
func open(ctx context.Context, cfg *config.Config, ln net.Listener, log *slog.Logger, guard *httpserver.Guard,
	makeJob func(context.Context, *config.Config, *slog.Logger) (job, error)) (_ lifecycle.Service, err error) {
	var closers []func() error
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(closers))
		}
	}()
	r := &role{maxActive: cfg.Schedule.MaxActiveRuns, build: observability.ReadBuild(), log: log}
	if r.schedule, err = dag.ParseSchedule(cfg.Schedule.Cron, cfg.Schedule.Start, cfg.Schedule.Timezone, cfg.Schedule.Catchup); err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "--schedule.cron=%s with --schedule.start=%s cannot be used", cfg.Schedule.Cron, cfg.Schedule.Start)
	}
	db, err := sqlstore.Open(ctx, cfg.Pipeline.DB, log)
	if err != nil {
		return nil, err
	}
	closers = append(closers, func() error { return sqlstore.Close(db) })
	// The lock comes before everything that changes something: a second process must not disturb the first.
	lock, err := dagrunstore.Acquire(ctx, cfg.Pipeline.DB)
	if err != nil {
		return nil, err
	}
	closers = append(closers, lock.Release)
	if r.store, err = dagrunstore.Open(ctx, db); err != nil {
		return nil, err
	}
	if r.job, err = makeJob(ctx, cfg, log); err != nil {
		return nil, err
	}
	closers = append(closers, r.job.close)
	if r.plan, err = dag.NewPlan(r.job.definition); err != nil {
		return nil, err
	}
	pages, err := newPages(r, cfg)
	if err != nil {
		return nil, err
	}
	registry := observability.NewRegistry(r.build)
	observability.WatchDisk(registry, cfg.DataDir)
	r.engine, err = dispatch.Open(ctx, dispatch.Options{
		Store: r.store, Lock: lock, Plans: []*dag.Plan{r.plan}, Database: cfg.Pipeline.DB, JobsSchema: cfg.Pipeline.JobsSchema, Log: log,
		MaxActive: r.maxActive, KeepRuns: cfg.Schedule.KeepRuns, Observer: newMetrics(registry, r.plan, r.store, log),
	})
	if err != nil {
		return nil, err
	}
	r.scheduler = dispatch.NewScheduler(r.store, r.plan, r.schedule, r.engine.Wake, log, nil)
	registry.MustRegister(&scheduleCollector{
		store: r.store, dagID: r.plan.Definition().ID, schedule: r.schedule, ticks: map[string]ticker{"scheduler": r.scheduler, "engine": r.engine}, log: log,
	})
	group := r.services(cfg, ln, registry, pages, guard)
	return lifecycle.Func(func(ctx context.Context, ready func()) error {
		return errors.Join(group.Run(ctx, ready), closeAll(closers))
	}), nil
}

// services start in this order and stop in the reverse one, so that nothing is triggered any more while the last tasks end.
func (r *role) services(cfg *config.Config, ln net.Listener, registry *prometheus.Registry, pages *pages, guard *httpserver.Guard) lifecycle.Group {
	server := httpserver.New(httpserver.Options{
		Role: config.RolePipeline, Listener: ln, Log: r.log, Metrics: registry, Build: r.build, AllowedHosts: cfg.HTTP.AllowedHosts, StopDelay: cfg.HTTP.StopDelay, WriteError: pages.writeError, Header: pages.header, Guard: guard,
		Checks: []httpserver.Check{{Name: "database", Probe: r.store.Ping}, {Name: "runs", Probe: r.engine.Ready}, {Name: "listings", Probe: r.job.ready}},
	})
	server.Register(guard.TokenRoutes()...)
	server.Register(r.routes()...)
	server.Register(pages.routes()...)
	return lifecycle.Group{Services: []lifecycle.Named{
		{Name: "dispatch", Service: r.engine},
		{Name: "scheduler", Service: r.scheduler},
		{Name: "http", Service: server},
		{Name: "events", Service: pages.feeds.service()},
	}}
}

// closeAll closes in reverse order.
func closeAll(closers []func() error) error {
	var errs []error
	for _, c := range slices.Backward(closers) {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// writeError answers as Airflow does: {"detail": …}.
func writeError(c echo.Context, err error) error {
	return c.JSON(httpserver.StatusOf(err), map[string]string{"detail": apperror.MessageOf(err)})
}
