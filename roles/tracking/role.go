package tracking

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"tasador/pkg/artifact/places"
	"tasador/pkg/config"
	"tasador/pkg/httpserver"
	"tasador/pkg/lifecycle"
	"tasador/pkg/observability"
	"tasador/pkg/sqlstore/trackingstore"
	"tasador/web"
)

// New opens the database and the artifact stores and returns the role, which serves on ln. Codes: Invalid, Unavailable,
// FailedPrecondition (the database belongs to a newer version).
func New(ctx context.Context, cfg *config.Config, ln net.Listener, log *slog.Logger, guard *httpserver.Guard) (lifecycle.Service, error) {
	files, err := places.Open(ctx, cfg.Artifacts)
	if err != nil {
		return nil, err
	}
	store, err := trackingstore.Open(ctx, cfg.Tracking.DB, files.Root(), log)
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	build := observability.ReadBuild()
	site, err := web.New()
	if err != nil {
		return nil, errors.Join(err, store.Close(), files.Close())
	}
	calls := &api{tracking: store, models: store, overview: store, files: files}
	header := httpserver.NewHeader(cfg, config.RoleTracking, store)
	views := &pages{api: calls, store: store, site: site, cfg: cfg, build: build, header: header}
	metrics := observability.NewRegistry(build)
	observability.WatchDisk(metrics, cfg.DataDir)
	server := httpserver.New(httpserver.Options{
		Role: config.RoleTracking, Listener: ln, Log: log, Metrics: metrics, Build: build,
		AllowedHosts: cfg.HTTP.AllowedHosts, StopDelay: cfg.HTTP.StopDelay, WriteError: views.writeError, Header: header, Guard: guard,
		Checks: []httpserver.Check{{Name: "database", Probe: store.Ping}, {Name: "artifacts", Probe: files.Ping}},
	})
	server.Register(plainAddresses(calls.routes())...)
	server.Register(plainAddresses(views.routes())...)
	return lifecycle.Func(func(ctx context.Context, ready func()) error {
		return errors.Join(server.Run(ctx, ready), store.Close(), files.Close())
	}), nil
}
