// Package serving is the role that answers predictions: over HTTP, on a page, with the model version that is in production, and
// with every answer recorded before it is given.
package serving

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/config"
	"tasador/pkg/httpserver"
	"tasador/pkg/inference"
	"tasador/pkg/journal"
	"tasador/pkg/lifecycle"
	"tasador/pkg/observability"
	"tasador/pkg/sqlstore/predictionstore"
	"tasador/pkg/trackingclient"
	"tasador/pkg/writable"
	"tasador/web"
)

// modelFolder is where the served model is kept, below the data folder.
const modelFolder = "serving/model"

// How long tracking may take: the follower has time, a page has not.
const (
	followTimeout = 30 * time.Second
	pageTimeout   = 3 * time.Second
)

type role struct {
	cfg        *config.Config
	log        *slog.Logger
	build      observability.Build
	store      *predictionstore.Eventual
	journal    *journal.Journal
	shipper    *journal.Shipper
	writable   *writable.Probe // of the journal
	unrecorded atomic.Bool     // the journal did not take the last answers
	predictor  *inference.Predictor
	resolved   [3]atomic.Pointer[version] // of the versions that answered last, see resolve
	tracking   tracking
	metrics    *metrics
	site       *web.Site
	document   document
	questions  sync.Pool // *question
	spill      *spill
	server     *httpserver.Server
	header     *httpserver.Header
}

// databasePatience is how long the start waits for the predictions database. Who is right or wrong is told by most in milliseconds; what comes later comes beside
// the answers.
const databasePatience = 3 * time.Second

// New opens the journal, and the predictions database behind it, which may also answer later, takes up the model that was served last, and returns the server that
// listens on ln. Codes: Invalid for a wrong setting, Unavailable or FailedPrecondition if the database answers and cannot be used.
func New(ctx context.Context, cfg *config.Config, ln net.Listener, log *slog.Logger, guard *httpserver.Guard) (lifecycle.Service, error) {
	following, err := followOptions(cfg)
	if err != nil {
		return nil, err
	}
	if u := cfg.Serving.Unrecorded; u != unrecordedRefuse && u != unrecordedServe {
		return nil, apperror.New(apperror.Invalid, "--serving.unrecorded=%s is neither %s nor %s", u, unrecordedRefuse, unrecordedServe)
	}
	site, err := web.New()
	if err != nil {
		return nil, err
	}
	store, err := predictionstore.OpenEventually(ctx, cfg.Predictions.URL, databasePatience, log)
	if err != nil {
		return nil, err
	}
	following.Log, following.Registry = log, trackingclient.New(cfg.Tracking.URI, trackingclient.Options{
		Tries: 2, Timeout: followTimeout, S3Endpoint: cfg.Artifacts.Endpoint, Outgoing: cfg.ToTracking(config.RoleServing, log),
	})
	build := observability.ReadBuild()
	metricsRegistry := observability.NewRegistry(build)
	observability.WatchDisk(metricsRegistry, cfg.DataDir)
	r := &role{
		cfg: cfg, log: log, build: build, store: store, site: site,
		tracking:  trackingclient.New(cfg.Tracking.URI, trackingclient.Options{Tries: 1, Timeout: pageTimeout, Outgoing: cfg.ToTracking(config.RoleServing, nil)}),
		predictor: inference.New(following),
		spill:     newSpill(outletsDisk),
	}
	if err := r.openJournal(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	r.writable = writable.NewProbe("the journal", r.journal.Check)
	r.header = httpserver.NewHeader(cfg, config.RoleServing, nil)
	r.metrics = newMetrics(metricsRegistry, r.predictor, r.journal, r.shipper)
	metricsRegistry.MustRegister(&watchCollector{predictor: r.predictor})
	if r.document, err = newDocument(build.Version, cfg.Serving.Model); err != nil {
		return nil, errors.Join(err, r.journal.Close(), store.Close())
	}
	r.server = httpserver.New(httpserver.Options{
		Role:         config.RoleServing,
		Listener:     ln,
		Log:          log,
		Metrics:      metricsRegistry,
		Build:        build,
		AllowedHosts: cfg.HTTP.AllowedHosts, StopDelay: cfg.HTTP.StopDelay,
		Checks: []httpserver.Check{
			{Name: "model", Probe: func(context.Context) error { _, err := r.predictor.Current(); return err }},
			{Name: "journal", Probe: r.probeJournal, Note: r.noteJournal},
			{Name: "predictions", Note: r.noteBacklog},
		},
		WriteError: r.writeError,
		Header:     r.header,
		Guard:      guard,
	})
	r.server.Register(r.routes()...)
	return r, nil
}

// Run follows the registry and serves until ctx ends.
func (r *role) Run(ctx context.Context, ready func()) error {
	err := lifecycle.Group{Services: []lifecycle.Named{
		{Name: "follow", Service: r.predictor},
		{Name: "ship", Service: r.shipper}, // ends after the last answer
		{Name: "http", Service: r.server},
	}}.Run(ctx, ready)
	return errors.Join(err, r.journal.Close(), r.store.Close())
}
