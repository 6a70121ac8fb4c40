package httpserver_test

import (
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/audit"
	"tasador/pkg/httpserver"
	"tasador/pkg/testkit"
)

// startAudited serves routes and returns a function that ends the server and reads what was kept.
func startAudited(t *testing.T, routes ...httpserver.Route) (running, func() []audit.Entry) {
	t.Helper()
	folder := t.TempDir()
	log, err := audit.Open(audit.Options{Folder: folder, FileSize: 1 << 20, Files: 2}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	s := startWith(t, routes, httpserver.Options{Listener: httpserver.Common{Audit: log}.Listener(testkit.Listen(t))})
	return s, func() []audit.Entry {
		require.NoError(t, s.stop())
		require.NoError(t, log.Close())
		var all []audit.Entry
		require.NoError(t, audit.Read(t.Context(), folder, audit.Filter{}, false, func(e audit.Entry) error {
			all = append(all, e)
			return nil
		}))
		return all
	}
}

func TestChangesAreKeptAndQuestionsAreNot(t *testing.T) {
	done := func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }
	s, entries := startAudited(t,
		httpserver.Route{Method: http.MethodPost, Path: "/runs/:id", Right: httpserver.Write, Handler: func(c echo.Context) error {
			httpserver.Touch(c, "stage", "Production", "alias", "")
			return done(c)
		}},
		httpserver.Route{Method: http.MethodPost, Path: "/often", Right: httpserver.Write, Handler: done, Often: true},
		httpserver.Route{Method: http.MethodGet, Path: "/runs", Right: httpserver.Read, Handler: done},
		httpserver.Route{Method: http.MethodPost, Path: "/predict", Right: httpserver.Read, Handler: done},
		httpserver.Route{Method: http.MethodPost, Path: "/preview", Right: httpserver.Write, Handler: func(c echo.Context) error {
			httpserver.Untouched(c)
			return done(c)
		}},
		httpserver.Route{Method: http.MethodGet, Path: "/restart", Right: httpserver.Write, Handler: done},
		httpserver.Route{Method: http.MethodDelete, Path: "/wrong", Right: httpserver.Write, Handler: func(echo.Context) error {
			return apperror.New(apperror.FailedPrecondition, "it is in use")
		}},
		httpserver.Route{Method: http.MethodDelete, Path: "/broken", Right: httpserver.Write, Handler: func(echo.Context) error { return errors.New("hunter2") }},
	)
	before := time.Now()
	do(t, http.MethodPost, s.base+"/runs/seven", "", "X-Request-Id", "r-1", "Authorization", "Basic YW5hOmh1bnRlcjI=")
	for range 50 {
		do(t, http.MethodPost, s.base+"/often", "")
	}
	for _, path := range []string{"/runs", "/nowhere", "/healthz"} {
		do(t, http.MethodGet, s.base+path, "")
	}
	do(t, http.MethodPost, s.base+"/predict", "")
	do(t, http.MethodPost, s.base+"/preview", "")
	do(t, http.MethodGet, s.base+"/restart", "")
	do(t, http.MethodDelete, s.base+"/wrong", "")
	do(t, http.MethodDelete, s.base+"/broken", "")
	do(t, http.MethodPost, s.base+"/runs/eight", "", "Origin", "https://evil.example")
	_, metrics := do(t, http.MethodGet, s.base+"/metrics", "")
	require.Contains(t, metrics, "tasador_audit_lost_lines_total 0\n")
	problems, err := testutil.GatherAndLint(s.metrics)
	require.NoError(t, err)
	require.Empty(t, problems)

	var got []audit.Entry
	for _, e := range entries() {
		require.WithinRange(t, e.Time, before, time.Now())
		require.NotEmpty(t, e.RequestID)
		require.Equal(t, "127.0.0.1", e.Address)
		if e.RequestID != "r-1" {
			e.RequestID = ""
		}
		e.Time, e.Address, e.Agent = time.Time{}, "", ""
		got = append(got, e)
	}
	entry := func(method, action string, outcome audit.Outcome, status int) audit.Entry {
		return audit.Entry{Server: "test", Method: method, Action: action, Outcome: outcome, Status: status}
	}
	first := entry("POST", "/runs/:id", audit.Done, 204)
	first.User, first.Via, first.RequestID, first.Object = "ana", "claim", "r-1", map[string]string{"id": "seven", "stage": "Production"}
	wrong, broken := entry("DELETE", "/wrong", audit.Failed, 409), entry("DELETE", "/broken", audit.Failed, 500)
	wrong.Error, broken.Error = "it is in use", "something went wrong on our side; the log of this server has the details"
	foreign := entry("POST", "/runs/:id", audit.Refused, 403)
	foreign.Error, foreign.Object = "a page of https://evil.example may not change anything here", map[string]string{"id": "eight"}
	rest := entry("POST", "/often", audit.Done, 204)
	rest.Count = 49
	require.Equal(t, []audit.Entry{
		first, entry("POST", "/often", audit.Done, 204), entry("GET", "/restart", audit.Done, 204), wrong, broken, foreign, rest,
	}, got)
}
