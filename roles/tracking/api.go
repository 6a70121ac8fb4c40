// Package tracking is the role that keeps experiments, runs, models and artifacts, and serves them at MLflow's own paths in MLflow's
// own JSON, so that any MLflow client can use it.
package tracking

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"tasador/pkg/artifact"
	"tasador/pkg/artifact/places"
	"tasador/pkg/experiment"
	"tasador/pkg/httpserver"
	"tasador/pkg/mlflowapi"
	"tasador/pkg/registry"
)

// api answers the calls.
type api struct {
	tracking experiment.Store
	models   registry.Store
	overview overview
	files    *places.Places
}

// object is an answer that is made on the spot.
type object = map[string]any

// handler is one call: it reads the fields of the request and returns what is sent as JSON.
type handler func(ctx context.Context, r *request) (any, error)

// json makes a call an HTTP handler.
func (h handler) json(c echo.Context) error {
	r, err := readRequest(c)
	if err != nil {
		return err
	}
	httpserver.Touch(c, r.names()...)
	answer, err := h(withActor(c, registry.ViaAPI), r)
	if err != nil {
		return err
	}
	if list, ok := answer.(*longList); ok {
		return list.write(c)
	}
	return c.JSON(http.StatusOK, answer)
}

// writeError answers in MLflow's shape.
func writeError(c echo.Context, err error) error {
	status, body := mlflowapi.FromError(err)
	var he *echo.HTTPError
	var ni *notImplemented
	var path *artifact.InvalidPath
	switch {
	case errors.As(err, &path):
		body.Message = "Invalid path" // and no word more: MLflow's clients compare it
	case errors.As(err, &ni):
		status, body = http.StatusNotImplemented, mlflowapi.Error{Code: mlflowapi.NotImplemented, Message: ni.Error()}
	case errors.As(err, &he) && he.Code == http.StatusNotFound:
		body.Code = mlflowapi.EndpointNotFound
	case errors.As(err, &he) && he.Code == http.StatusMethodNotAllowed:
		status, body.Code = he.Code, mlflowapi.BadRequest
	}
	if status == http.StatusServiceUnavailable {
		c.Response().Header().Set("Retry-After", strconv.Itoa(1))
	}
	return c.JSON(status, body)
}

// notImplemented is the answer to calls that MLflow has and this server does not; clients do not repeat it.
type notImplemented struct{ message string }

func (e *notImplemented) Error() string { return e.message }

// mlflowVersion is what /version answers. Clients choose behaviour by it: from 3.4 on they expect OpenTelemetry traces at /v1/traces,
// which this server does not take.
const mlflowVersion = "3.3.2"

func health(c echo.Context) error { return c.String(http.StatusOK, "OK") }

func version(c echo.Context) error { return c.String(http.StatusOK, mlflowVersion) }

// serverInfo tells clients what they may use. Beside what MLflow says, artifact_root is the place that clients may also reach through this
// server, under mlflow-artifacts:.
func (a *api) serverInfo(context.Context, *request) (any, error) {
	direct := a.files.Direct() != nil
	answer := object{
		"store_type": "SqlStore", "workspaces_enabled": false, "trace_archival_enabled": false,
		"multipart_uploads_enabled": direct, "multipart_downloads_enabled": direct,
	}
	if root := a.files.ProxiedRoot(); root != "" {
		answer["artifact_root"] = root
	}
	return answer, nil
}

// empty is the answer of calls that return nothing.
func empty(err error) (any, error) { return object{}, err }

// under answers with one field.
func under[T, W any](name string, value *T, translate func(T) W, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return object{name: translate(*value)}, nil
}

// paged answers with a page; an empty list is left out, as protobuf's JSON does.
func paged[T, W any](name string, page experiment.Page[T], translate func(T) W, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	answer := object{}
	if len(page.Items) > 0 {
		items := make([]W, len(page.Items))
		for i, item := range page.Items {
			items[i] = translate(item)
		}
		answer[name] = items
	}
	if page.NextPageToken != "" {
		answer["next_page_token"] = page.NextPageToken
	}
	return answer, nil
}
