package roles

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact/s3store"
	"tasador/pkg/config"
	"tasador/pkg/httpserver"
	"tasador/pkg/lifecycle"
	"tasador/pkg/observability"
	"tasador/pkg/sqlstore"
)

// How long to wait before what was away is tried again: at first, and at most.
const (
	firstPause   = 200 * time.Millisecond
	longestPause = 5 * time.Second
)

// patient builds a role again, until a time, as long as what it stands on is away. So servers that are started together need no order: each waits
// for those that it needs. What answers and refuses is an error at once, since waiting would not change it.
func patient(build constructor, name string, at *door, until time.Time) constructor {
	return func(ctx context.Context, cfg *config.Config, ln net.Listener, log *slog.Logger, guard *httpserver.Guard) (lifecycle.Service, error) {
		open := func(missing error) []*desk { return []*desk{openDesk(ctx, cfg, name, at, ln, log, missing)} }
		return keepTrying(ctx, until, log, open, func() (lifecycle.Service, error) { return build(ctx, cfg, ln, log, guard) })
	}
}

// openGuard opens the database of users, which all roles wait for.
func openGuard(ctx context.Context, cfg *config.Config, names []string, doors, listeners []net.Listener, log *slog.Logger, until time.Time) (*httpserver.Guard, error) {
	open := func(missing error) (desks []*desk) {
		for i, name := range names {
			desks = append(desks, openDesk(ctx, cfg, name, doors[i].(*door), listeners[i], log.With("role", name), missing))
		}
		return desks
	}
	return keepTrying(ctx, until, log, open, func() (*httpserver.Guard, error) { return httpserver.OpenGuard(ctx, cfg, log) })
}

// keepTrying tries something again, until a time, as long as what it stands on is away. Meanwhile the desks answer that open returns.
func keepTrying[T any](ctx context.Context, until time.Time, log *slog.Logger, open func(missing error) []*desk, try func() (T, error)) (T, error) {
	var desks []*desk
	defer func() {
		for _, d := range desks {
			d.close()
		}
	}()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		got, err := try()
		away := sqlstore.IsAway(err) || s3store.IsAway(err)
		if !away || ctx.Err() != nil || time.Until(until) < pause {
			return got, err
		}
		log.WarnContext(ctx, "the start waits", "for", apperror.MessageOf(err), "again_in", pause, "until", until.UTC().Format(time.RFC3339))
		if desks == nil {
			desks = open(err)
		}
		for _, d := range desks {
			d.missing.Store(&err)
		}
		next := time.NewTimer(pause)
		select {
		case <-next.C:
		case <-ctx.Done():
			next.Stop()
			return got, ctx.Err()
		}
	}
}

// desk answers in place of a role that cannot start yet: alive, not ready, and everything else as unavailable, so that nobody is left hanging on a
// connection that nobody takes. ln is what the role will listen on, through the door.
type desk struct {
	missing atomic.Pointer[error]
	at      *door
	log     *slog.Logger
	cancel  context.CancelFunc
	done    chan struct{}
}

func openDesk(ctx context.Context, cfg *config.Config, name string, at *door, ln net.Listener, log *slog.Logger, missing error) *desk {
	d := &desk{at: at, log: log, done: make(chan struct{})}
	at.lend()
	d.missing.Store(&missing)
	ctx, d.cancel = context.WithCancel(ctx)
	build := observability.ReadBuild()
	server := httpserver.New(httpserver.Options{
		Role: name, Listener: ln, Log: log, Metrics: observability.NewRegistry(build), Build: build, AllowedHosts: cfg.HTTP.AllowedHosts, HealthOnly: cfg.Auth.Enabled,
		Checks: []httpserver.Check{{Name: "start", Probe: func(context.Context) error { return *d.missing.Load() }}},
	})
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		server.Register(httpserver.Route{Method: method, Path: "/*", Right: httpserver.Read, Handler: func(echo.Context) error {
			return apperror.New(apperror.Unavailable, "%s has not started yet: %s", name, apperror.MessageOf(*d.missing.Load()))
		}})
	}
	go func() {
		defer close(d.done)
		if err := server.Run(ctx, func() {}); err != nil {
			log.Warn("requests could not be answered while the start waited", "error", err)
		}
	}()
	return d
}

// close ends the answers and gives the listener back.
func (d *desk) close() {
	d.cancel()
	<-d.done
	if err := d.at.giveBack(); err != nil {
		d.log.Warn("the listener cannot be used again", "error", err)
	}
}

// door is the listener of a role, which may be lent to somebody for a while: then Close only ends the Accept under way.
type door struct {
	*net.TCPListener
	lent, closed atomic.Bool
}

func (d *door) lend() { d.lent.Store(true) }

// giveBack lets Accept wait for connections again, and Close close. Nobody is in Accept any more.
func (d *door) giveBack() error {
	d.lent.Store(false)
	d.closed.Store(false)
	return d.SetDeadline(time.Time{})
}

// Accept returns net.ErrClosed once a door that is lent was closed.
func (d *door) Accept() (net.Conn, error) {
	conn, err := d.TCPListener.Accept()
	if err != nil && d.closed.Load() {
		return nil, net.ErrClosed
	}
	return conn, err
}

// Close closes the door, or ends the Accept under way while it is lent.
func (d *door) Close() error {
	if !d.lent.Load() {
		return d.TCPListener.Close()
	}
	d.closed.Store(true)
	return d.SetDeadline(time.Now())
}
