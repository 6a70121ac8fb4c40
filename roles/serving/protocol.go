package serving

import (
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
)

// Addresses of protocols that have their own shape of an error.
const (
	invocationsPath = "/invocations"
	oipPath         = "/v2"
	oipModel        = oipPath + "/models/:model"
	oipVersion      = oipModel + "/versions/:version"
)

// protocolError answers in the shape of the protocol that an address belongs to, and says whether it belongs to one.
func protocolError(c echo.Context, status int, err error) (bool, error) {
	switch path := c.Request().URL.Path; {
	case path == invocationsPath:
		return true, writeMLflowError(c, status, err)
	case path == oipPath || strings.HasPrefix(path, oipPath+"/"):
		return true, c.JSON(status, OIPError{Error: apperror.MessageOf(err)})
	}
	return false, nil
}

// programsOnly are the addresses that answer with JSON though a browser asks.
func programsOnly(path string) bool {
	return strings.HasSuffix(path, "/predict") || slices.Contains([]string{batchPath, "/feedback", invocationsPath, oipPath}, path) || strings.HasPrefix(path, oipPath+"/")
}

// modelVersion finds the version that an address names; without a number, the one that answers the request. Codes: NotFound, FailedPrecondition if it cannot be
// served, Unavailable.
func (r *role) modelVersion(c echo.Context) (*version, error) {
	if name := c.Param("model"); name != r.cfg.Serving.Model {
		return nil, apperror.New(apperror.NotFound, "there is no model %s here; this server serves %s", shortened(name), r.cfg.Serving.Model)
	}
	if v, err := r.version(); err == nil && v.Version == c.Param(versionParam) {
		return v, nil // also while tracking, which knows all numbers, is away
	}
	v, err := r.versionFor(c)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// noModel tells what waits for a first version from what asks for another.
func noModel(err error) bool { return apperror.CodeOf(err) == apperror.Unavailable }
