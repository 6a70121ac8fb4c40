package httpserver

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tasador/pkg/apperror"
)

const (
	probeTimeout = 3 * time.Second
	partOK       = "ok" // what a part that is ready says
)

func (s *Server) healthRoutes() []Route {
	metrics := promhttp.HandlerFor(s.opts.Metrics, promhttp.HandlerOpts{Registry: s.opts.Metrics})
	readMetrics := Read
	if s.opts.Guard != nil && s.opts.Guard.cfg.Auth.OpenMetrics {
		readMetrics = Public
	}
	health := []Route{
		{Method: http.MethodGet, Path: "/healthz", Right: Public, Handler: s.healthz},
		{Method: http.MethodGet, Path: "/readyz", Right: Public, Handler: s.readyz},
	}
	if s.opts.HealthOnly {
		return health
	}
	return append(health,
		Route{Method: http.MethodGet, Path: "/buildinfo", Right: Read, Handler: s.buildinfo},
		Route{Method: http.MethodGet, Path: metricsPath, Right: readMetrics, Handler: echo.WrapHandler(metrics)},
	)
}

func (s *Server) healthz(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) buildinfo(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]any{"role": s.opts.Role, "build": s.opts.Build})
}

// readyz answers 200 when every check passes, else 503; the body names each part and why it is not ready, and notes what is not as it should be though it is.
func (s *Server) readyz(c echo.Context) error {
	status, parts, notes := http.StatusOK, map[string]string{}, map[string]string{}
	if s.leaving.Load() {
		status, parts["server"] = http.StatusServiceUnavailable, "stopping"
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), probeTimeout)
	defer cancel()
	for _, check := range s.opts.Checks {
		parts[check.Name] = partOK
		if check.Probe != nil {
			if err := check.Probe(ctx); err != nil {
				status, parts[check.Name] = http.StatusServiceUnavailable, apperror.MessageOf(err)
			}
		}
		if check.Note != nil {
			if note := check.Note(ctx); note != nil {
				notes[check.Name] = note.String()
			}
		}
	}
	word := map[bool]string{true: "ready", false: "not ready"}[status == http.StatusOK]
	body := map[string]any{"status": word, "role": s.opts.Role, "parts": parts}
	if len(notes) > 0 {
		body["notes"] = notes
	}
	return c.JSON(status, body)
}
