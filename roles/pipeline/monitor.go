package pipeline

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// staleAfter is when a scheduler that shows no sign of life counts as unhealthy, as in Airflow.
const staleAfter = 30 * time.Second

func (r *role) version(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"version": r.build.Version, "git_version": r.build.Commit})
}

// health answers 200 in any case, as Airflow does; the body says what is unhealthy.
func (r *role) health(c echo.Context) error {
	database := "healthy"
	if err := r.store.Ping(c.Request().Context()); err != nil {
		database = "unhealthy"
	}
	last := r.engine.LastTick()
	if s := r.scheduler.LastTick(); s.Before(last) {
		last = s
	}
	scheduler := "healthy"
	if time.Since(last) > staleAfter {
		scheduler = "unhealthy"
	}
	return c.JSON(http.StatusOK, map[string]any{
		"metadatabase":  map[string]any{"status": database},
		"scheduler":     map[string]any{"status": scheduler, "latest_scheduler_heartbeat": last.UTC()},
		"triggerer":     map[string]any{"status": nil, "latest_triggerer_heartbeat": nil},
		"dag_processor": map[string]any{"status": nil, "latest_dag_processor_heartbeat": nil},
	})
}
