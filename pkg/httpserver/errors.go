package httpserver

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
)

// StatusOf returns the HTTP status of an error's code.
func StatusOf(err error) int {
	if errors.Is(err, echo.ErrMethodNotAllowed) {
		return http.StatusMethodNotAllowed
	}
	if errors.Is(err, errTooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	switch apperror.CodeOf(err) {
	case apperror.Invalid:
		return http.StatusBadRequest
	case apperror.NotFound:
		return http.StatusNotFound
	case apperror.AlreadyExists, apperror.FailedPrecondition:
		return http.StatusConflict
	case apperror.Unauthenticated:
		return http.StatusUnauthorized
	case apperror.RateLimited:
		return http.StatusTooManyRequests
	case apperror.PermissionDenied:
		return http.StatusForbidden
	case apperror.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// WriteJSONError answers with the status of err's code and {"code", "message", "request_id"}.
func WriteJSONError(c echo.Context, err error) error {
	return c.JSON(StatusOf(err), map[string]string{
		"code":       string(apperror.CodeOf(err)),
		"message":    apperror.MessageOf(err),
		"request_id": RequestID(c),
	})
}

// errTooLarge is what reading beyond a route's body limit gives.
var errTooLarge = apperror.New(apperror.Invalid, "the request body is larger than this address accepts; send less at once")

func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	if h := c.Response().Header(); first(h, echo.HeaderContentSecurityPolicy) == "" { // a handler may have set a stricter one
		setPageHeaders(h)
	}
	err = coded(err, c)
	if s.refused(c, err) {
		return
	}
	retryAfter(c, err)
	if apperror.CodeOf(err) == apperror.Internal {
		s.opts.Log.ErrorContext(c.Request().Context(), "request failed", "request_id", RequestID(c), "path", c.Path(), "error", err)
	}
	if werr := s.opts.WriteError(c, err); werr != nil {
		s.opts.Log.WarnContext(c.Request().Context(), "cannot send the error", "request_id", RequestID(c), "error", werr)
	}
}

// coded gives echo's own errors (no such route, wrong method, unreadable body) a code.
func coded(err error, c echo.Context) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errTooLarge
	}
	var he *echo.HTTPError
	if !errors.As(err, &he) {
		return err
	}
	switch {
	case he.Code == http.StatusNotFound:
		return apperror.Wrap(apperror.NotFound, err, "there is nothing at %s %s", c.Request().Method, c.Request().URL.Path)
	case he.Code == http.StatusMethodNotAllowed:
		return apperror.Wrap(apperror.Invalid, err, "%s does not take %s; it takes %s", c.Request().URL.Path, c.Request().Method,
			c.Response().Header().Get(echo.HeaderAllow))
	case he.Code < http.StatusInternalServerError:
		return apperror.Wrap(apperror.Invalid, err, "the request cannot be read: %v", he.Message)
	default:
		return err
	}
}
