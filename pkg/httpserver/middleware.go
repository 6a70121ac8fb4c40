package httpserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
)

// headers of every answer. They are shared by all answers: what changes one puts another slice in its place.
var (
	contentPolicy  = []string{"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"}
	noSniff        = []string{"nosniff"}
	referrerPolicy = []string{"same-origin"}
)

// around is all that happens before and after every handler. It is one function, since the router links its middleware anew for each request.
func (s *Server) around(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begin := time.Now()
		identify(c)
		err := s.guarded(c, next)
		if err != nil {
			c.Error(err)
		}
		s.record(c, err)
		took := time.Since(begin)
		s.metrics.observe(c, took)
		if ctx := c.Request().Context(); s.opts.Log.Enabled(ctx, slog.LevelDebug) {
			s.opts.Log.DebugContext(ctx, "request", "request_id", RequestID(c), "method", c.Request().Method,
				"path", c.Request().URL.Path, "status", c.Response().Status, "bytes", c.Response().Size, "took", took)
		}
		return nil
	}
}

// guarded calls the handler if the request may be answered here, and turns a panic of it into an error, so that one bad request does not end the process.
func (s *Server) guarded(c echo.Context, next echo.HandlerFunc) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if perr, ok := p.(error); ok && errors.Is(perr, http.ErrAbortHandler) {
				panic(p)
			}
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	h := c.Response().Header()
	if s.stopping.Load() {
		// Clients connect anew after this answer, so that none sends its next request into a connection that is about to close.
		h.Set(echo.HeaderConnection, "close")
	}
	h["X-Content-Type-Options"] = noSniff
	right := s.rightOf(c)
	err = s.checkOrigin(c.Request(), right)
	if err == nil {
		err = s.authorize(c, right)
	}
	if err != nil {
		if strings.HasPrefix(c.Request().Header.Get(echo.HeaderAccept), echo.MIMETextHTML) {
			c.Set(servesPage, true) // a browser is told on a page
		}
		return err
	}
	return next(c)
}

// pageHeaders gives the answers of a handler the headers of pages, unless it has none.
func pageHeaders(none bool, next echo.HandlerFunc) echo.HandlerFunc {
	if none {
		return next
	}
	return func(c echo.Context) error {
		setPageHeaders(c.Response().Header())
		return next(c)
	}
}

func setPageHeaders(h http.Header) {
	h["Content-Security-Policy"], h["Referrer-Policy"] = contentPolicy, referrerPolicy
}

// RequestID returns the id of the request, the caller's X-Request-Id if it sent a plain one.
func RequestID(c echo.Context) string {
	return first(c.Response().Header(), echo.HeaderXRequestID)
}

// first is Header.Get for a name that is written as the library writes it, without looking whether it is.
func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// identify gives the request its id, and the answer the same.
func identify(c echo.Context) {
	id := first(c.Request().Header, echo.HeaderXRequestID)
	if !IsRequestID(id) {
		id = newRequestID()
	}
	c.Response().Header()[echo.HeaderXRequestID] = []string{id}
}

// IsRequestID takes 1 to 64 letters, digits, underscores, dots and hyphens.
func IsRequestID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return true
}

// newRequestID returns a UUID of version 4. Its bits are of the runtime's generator (ChaCha8, seeded by the system), which cannot be foretold from ids that were
// seen; an id opens no door.
func newRequestID() string {
	var id [16]byte
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64()) // #nosec G404 -- as said
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64()) // #nosec G404 -- as said
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return uuid.UUID(id).String()
}

// What browsers say of the page that a request comes from: one of this origin, or none.
const (
	headerSite = "Sec-Fetch-Site"
	siteSame   = "same-origin"
	siteNone   = "none"
)

// isSafe reports whether a method changes nothing, in the meaning of HTTP.
func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// mayChange reports whether a request may change something: by its method, or a GET of a protocol that needs the right to.
func mayChange(method string, right Right) bool { return !isSafe(method) || right == Write }

// checkOrigin refuses foreign Host headers (DNS rebinding) and changes asked for by pages of other origins (cross-site requests), as
// net/http.CrossOriginProtection does, also for the GETs of a protocol that change something.
func (s *Server) checkOrigin(r *http.Request, right Right) error {
	if last := s.lastHost.Load(); last == nil || *last != r.Host { // nearly all come by the same name
		if !s.hostAllowed(r.Host) {
			return apperror.New(apperror.PermissionDenied, "the host name %q is not served here; add it to --http.allowed-hosts", hostOnly(r.Host))
		}
		host := r.Host
		s.lastHost.Store(&host)
	}
	if !mayChange(r.Method, right) {
		return nil
	}
	origin := first(r.Header, echo.HeaderOrigin)
	switch first(r.Header, headerSite) {
	case siteSame, siteNone:
		return nil
	case "":
		if origin == "" {
			return nil // no browser of these days
		}
	default:
		if origin == "" {
			return apperror.New(apperror.PermissionDenied, "a page of another origin may not change anything here")
		}
		return apperror.New(apperror.PermissionDenied, "a page of %s may not change anything here", origin)
	}
	if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
		return apperror.New(apperror.PermissionDenied, "a page of %s may not change anything here", origin)
	}
	return nil
}

func (s *Server) hostAllowed(host string) bool {
	name := hostOnly(host)
	allowed := func(host string) bool { return host == "*" || strings.EqualFold(host, name) }
	if name == "" {
		return true // a check of HTTP/1.0, as balancers make; a browser, which could be led astray by a name, always sends one
	}
	if name == "localhost" || slices.ContainsFunc(s.opts.AllowedHosts, allowed) {
		return true
	}
	if ip := net.ParseIP(name); ip != nil {
		// A number cannot be rebound by DNS; our own address is always right.
		return ip.IsLoopback() || !isLoopback(s.opts.Listener.Addr())
	}
	return false
}

func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
