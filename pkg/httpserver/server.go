// Package httpserver builds the HTTP server of a role on echo: middleware, health, metrics, errors and the graceful stop.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
	"tasador/pkg/observability"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	goodbyeTime       = 250 * time.Millisecond // for requests that are on their way when the server stops
	drainTimeout      = 20 * time.Second
	defaultBodyLimit  = 4 << 20 // bytes
)

// Right is what a caller needs to be allowed for a route.
type Right = auth.Right

// The rights. Where nobody has to log in, everybody who can reach the listener has all of them.
const (
	Public     = auth.Public // see publicPaths
	Read       = auth.Read
	Write      = auth.Write
	Administer = auth.Administer
)

// NoBodyLimit lets a route take a body of any length, because it streams.
const NoBodyLimit = -1

// Route is one entry of a role's routes.go.
type Route struct {
	Method    string
	Path      string
	Right     Right
	Handler   echo.HandlerFunc
	BodyLimit int64 // bytes; 0 means 4 MiB, NoBodyLimit none
	Often     bool  // it is called so often that the audit log counts the calls of a user that are alike
	// NoPage leaves out the headers that only tell browsers how to show a page, but from errors, for answers that are sent so often that 250 bytes count. Without a
	// page's type, and with X-Content-Type-Options, which stays, browsers do not show them.
	NoPage bool
}

// Check is one condition for readiness. Probe returns nil, or a sentence that says what is missing. Note says what is not as it should be although the server is
// ready, nil if there is nothing. Either may be missing.
type Check struct {
	Name  string
	Probe func(ctx context.Context) error
	Note  func(ctx context.Context) *apperror.Sentence
}

// Options say what to serve. Role, Listener, Log, Metrics and Build are required.
type Options struct {
	Role         string
	Listener     net.Listener
	Log          *slog.Logger
	Metrics      *prometheus.Registry
	Build        observability.Build
	AllowedHosts []string // Host names accepted beside loopback's; "*" accepts all
	Checks       []Check
	// StopDelay is how long a stop leaves the listener open once /readyz says that it stops, so that balancers and clients that connect anew for each
	// request go elsewhere before they are refused. 0 closes it at once.
	StopDelay time.Duration
	Header    *Header // of the role's pages, which is stopped with the server; may be nil
	Guard     *Guard  // nil lets everybody do everything
	// HealthOnly leaves out /metrics and /buildinfo, which need a login, while nobody can log in.
	HealthOnly bool
	// WriteError renders an error in the shape that the role's clients expect; nil means WriteJSONError.
	WriteError func(c echo.Context, err error) error
}

// Server is the HTTP server of one role.
type Server struct {
	opts     Options
	echo     *echo.Echo
	leaving  atomic.Bool // a stop was asked for
	stopping atomic.Bool // the listener is closed
	metrics  *metrics
	shared   Common
	often    map[routeKey]bool
	rights   map[routeKey]Right     // of the registered routes; complete before the first request
	lastHost atomic.Pointer[string] // that was allowed
}

// New returns a server with the routes that every role has: /healthz, /readyz, /metrics and /buildinfo.
func New(opts Options) *Server {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	s := &Server{opts: opts, echo: e, rights: map[routeKey]Right{}, often: map[routeKey]bool{}}
	if opts.WriteError == nil {
		s.opts.WriteError = WriteJSONError
	}
	e.HTTPErrorHandler = s.handleError
	s.metrics = newMetrics(opts.Metrics)
	if ln, ok := opts.Listener.(common); ok {
		s.shared = ln.Common
		s.opts.Checks = append(slices.Clip(opts.Checks), s.shared.register(opts.Metrics)...)
	}
	opts.Metrics.MustRegister(partsCollector{s.opts.Checks})
	e.Use(s.around)
	if opts.Guard != nil {
		opts.Guard.add(s)
		s.opts.Checks = append(slices.Clip(s.opts.Checks), opts.Guard.check())
	}
	s.Register(s.healthRoutes()...)
	if opts.Guard != nil {
		s.Register((&accounts{opts.Guard, s}).routes()...)
	}
	return s
}

// Register adds routes, before Run. What may be read with GET answers HEAD too. A route without a right, or one that is Public without being among the public
// addresses, is a mistake in the program.
func (s *Server) Register(routes ...Route) {
	for _, r := range routes {
		if !auth.Admin.May(r.Right) || (r.Right == Public && !publicPath(r.Path) && r.Path != metricsPath) {
			panic(fmt.Sprintf("%s %s has the right %q; give it one, and a place among the public addresses if that is public", r.Method, r.Path, r.Right))
		}
		s.add(r.Method, r)
		if r.Method == http.MethodGet && (r.Right == Public || r.Right == Read) {
			s.add(http.MethodHead, r)
		}
	}
}

func (s *Server) add(method string, r Route) {
	s.echo.Add(method, r.Path, pageHeaders(r.NoPage, s.limitBody(r)))
	s.metrics.add(r.Path, method)
	s.rights[routeKey{r.Path, method}] = r.Right
	s.often[routeKey{r.Path, method}] = r.Often
}

// Echo returns the router, for libraries that bind to it themselves.
func (s *Server) Echo() *echo.Echo { return s.echo }

// Run serves until ctx ends, then turns not ready, keeps answering for the stop delay, stops listening, lets the requests under way finish and closes.
func (s *Server) Run(ctx context.Context, ready func()) error {
	for _, r := range s.echo.Routes() {
		if _, declared := s.rights[routeKey{r.Path, r.Method}]; !declared {
			return fmt.Errorf("%s %s was not registered with a right", r.Method, r.Path)
		}
	}
	hs := &http.Server{
		Handler:           s.echo,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		ConnContext:       withConn,
		ErrorLog:          log.New(quietHandshakes{s.opts.Log}, "", 0),
	}
	if s.opts.Header != nil {
		defer s.opts.Header.close()
	}
	conns := newConns()
	served := make(chan error, 1)
	go func() { served <- hs.Serve(s.listener(conns)) }()
	watched := make(chan struct{})
	defer close(watched)
	go conns.watch(watched)
	ready()
	select {
	case err := <-served:
		return fmt.Errorf("HTTP server on %s: %w", s.opts.Listener.Addr(), err)
	case <-ctx.Done():
	}
	s.leaving.Store(true)
	if err := awaitOthers(s.opts.StopDelay, served); err != nil {
		return fmt.Errorf("HTTP server on %s: %w", s.opts.Listener.Addr(), err)
	}
	// The library drops requests that it reads once Shutdown was called, so those that reached us come first. Nobody is asked to
	// connect anew before the listener is closed.
	if err := s.opts.Listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		s.opts.Log.WarnContext(ctx, "cannot close the listener", "error", err)
	}
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		s.opts.Log.WarnContext(ctx, "the HTTP server ended otherwise than by its closed listener", "error", err)
	}
	s.stopping.Store(true)
	conns.hurry()
	awaitGoodbye(conns)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := hs.Shutdown(drain); err != nil {
		return errors.Join(fmt.Errorf("requests still under way after %s were cut off: %w", drainTimeout, err), hs.Close())
	}
	return nil
}

// listener accepts connections for conns. Those that are encrypted have theirs beneath, since the library must see the encryption.
func (s *Server) listener(conns *conns) net.Listener {
	watched := &listener{Listener: s.opts.Listener, all: conns}
	if ln, ok := s.opts.Listener.(common); ok && ln.Certificate != nil {
		return ln.Certificate.listener(watched)
	}
	return watched
}

// awaitOthers gives whoever asks /readyz time to go elsewhere. It returns early, with an error, if the server breaks.
func awaitOthers(delay time.Duration, broken <-chan error) error {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case err := <-broken:
		return err
	case <-timer.C:
		return nil
	}
}

// awaitGoodbye waits until no connection is left, but not longer than goodbyeTime.
func awaitGoodbye(conns *conns) {
	limit, look := time.NewTimer(goodbyeTime), time.NewTicker(goodbyeTime/50)
	defer limit.Stop()
	defer look.Stop()
	for conns.count() > 0 {
		select {
		case <-look.C:
		case <-limit.C:
			return
		}
	}
}
