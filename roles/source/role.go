// Package source is the data API for demonstrations and tests: it hands out generated listings, or those of a CSV file, in the
// batches of a plan, by the protocol that pkg/listingapi speaks.
package source

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/httpserver"
	"tasador/pkg/lifecycle"
	"tasador/pkg/observability"
)

// stateFile is the file under the data folder that remembers which batches were handed out.
const stateFile = "source.json"

type role struct {
	log     *slog.Logger
	stock   stock
	cursor  *cursor
	batches *prometheus.CounterVec
	rows    prometheus.Counter
}

// New reads the plan and the CSV file, if there is one, and what was handed out before, and returns the server that listens on ln.
// Errors: Invalid if the plan, the file or the state cannot be used.
func New(ctx context.Context, cfg *config.Config, ln net.Listener, log *slog.Logger, guard *httpserver.Guard) (lifecycle.Service, error) {
	stock, err := openStock(ctx, cfg.Source)
	if err != nil {
		return nil, err
	}
	cursor, err := openCursor(filepath.Join(cfg.DataDir, stateFile), stock.fingerprint(), log)
	if err != nil {
		return nil, err
	}
	build := observability.ReadBuild()
	header := httpserver.NewHeader(cfg, config.RoleSource, nil)
	first, err := httpserver.LandingRoutes(header, landing(build.Version))
	if err != nil {
		return nil, err
	}
	registry := observability.NewRegistry(build)
	r := &role{log: log, stock: stock, cursor: cursor}
	r.register(registry)
	server := httpserver.New(httpserver.Options{
		Role:         config.RoleSource,
		Listener:     ln,
		Log:          log,
		Metrics:      registry,
		Build:        build,
		AllowedHosts: cfg.HTTP.AllowedHosts, StopDelay: cfg.HTTP.StopDelay,
		WriteError: writeError,
		Header:     header,
		Guard:      guard,
	})
	server.Register(first...)
	server.Register(r.routes()...)
	return server, nil
}

func (r *role) register(registry *prometheus.Registry) {
	r.batches = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tasador_source_answers_total",
		Help: "Answers of the data API, by what they were: batch, replay (the same batch again), exhausted or restart.",
	}, []string{"kind"})
	r.rows = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tasador_source_rows_total",
		Help: "Listings that were handed out.",
	})
	registry.MustRegister(r.batches, r.rows)
}

// writeError answers as data APIs do: {"detail": …}.
func writeError(c echo.Context, err error) error {
	return detail(c, httpserver.StatusOf(err), apperror.MessageOf(err))
}

func detail(c echo.Context, status int, text string) error {
	if c.Request().Method == http.MethodHead {
		return c.NoContent(status)
	}
	return c.JSON(status, map[string]string{"detail": text})
}
