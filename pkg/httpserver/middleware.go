package httpserver

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
)

const requestIDKey = "request_id"

var requestIDForm = regexp.MustCompile(`^[\w.-]{1,64}$`)

// RequestID returns the id of the request, the caller's X-Request-Id if it sent a plain one.
func RequestID(c echo.Context) string {
	id, _ := c.Get(requestIDKey).(string)
	return id
}

func requestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !requestIDForm.MatchString(id) {
			id = uuid.NewString()
		}
		c.Set(requestIDKey, id)
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		return next(c)
	}
}

func (s *Server) accessLog(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begin := time.Now()
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		s.opts.Log.DebugContext(c.Request().Context(), "request", "request_id", RequestID(c), "method", c.Request().Method,
			"path", c.Request().URL.Path, "status", c.Response().Status, "bytes", c.Response().Size, "took", time.Since(begin))
		return nil
	}
}

// recovered turns a panic of a handler into an error, so that one bad request does not end the process.
func recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				if perr, ok := p.(error); ok && errors.Is(perr, http.ErrAbortHandler) {
					panic(p)
				}
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return next(c)
	}
}

func securityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		return next(c)
	}
}

// checkOrigin refuses foreign Host headers (DNS rebinding) and changes asked for by pages of other origins (cross-site requests).
func (s *Server) checkOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if !s.hostAllowed(r.Host) {
			return apperror.New(apperror.PermissionDenied, "the host name %q is not served here; add it to --http.allowed-hosts", hostOnly(r.Host))
		}
		origin := r.Header.Get(echo.HeaderOrigin)
		if origin == "" || r.Method == http.MethodGet || r.Method == http.MethodHead {
			return next(c)
		}
		if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
			return apperror.New(apperror.PermissionDenied, "a page of %s may not change anything here", origin)
		}
		return next(c)
	}
}

func (s *Server) hostAllowed(host string) bool {
	name := hostOnly(host)
	allowed := func(host string) bool { return host == "*" || strings.EqualFold(host, name) }
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

// sayGoodbye asks clients to connect anew after this answer when the server stops, so that none sends its next request into a
// connection that is about to close.
func (s *Server) sayGoodbye(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.stopping.Load() {
			c.Response().Header().Set(echo.HeaderConnection, "close")
		}
		return next(c)
	}
}
