package pricemodel_test

import (
	"context"
	"database/sql"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"tasador/pkg/config"
	"tasador/pkg/experiment"
	"tasador/pkg/httpserver"
	"tasador/pkg/lifecycle"
	"tasador/pkg/realtor"
	"tasador/pkg/registry"
	"tasador/pkg/testkit"
	"tasador/pkg/trackingclient"
	"tasador/roles/pipeline/pricemodel"
	"tasador/roles/source"
	"tasador/roles/tracking"
)

// world is a pipeline with its tasks' real surroundings: databases, a data API and a tracking server.
type world struct {
	cfg      *config.Config
	deps     pricemodel.Deps
	runner   *runner
	tracking *trackingclient.Client
}

const minNewRecords = 100

// newWorld starts a tracking server and a pipeline that collects from sourceURI.
func newWorld(t *testing.T, sourceURI string) *world {
	t.Helper()
	return newWorldWith(t, sourceURI, serve(t, defaults(t), tracking.New))
}

func newWorldWith(t *testing.T, sourceURI, trackingURI string) *world {
	t.Helper()
	cfg := defaults(t)
	cfg.Source.URI, cfg.Tracking.URI = sourceURI, trackingURI
	cfg.Gate.MinNewRecords = minNewRecords
	w := &world{cfg: cfg, tracking: trackingclient.New(trackingURI, trackingclient.Options{Tries: 1})}
	w.restart(t)
	return w
}

// restart makes the tasks' dependencies anew, as a process that starts again does.
func (w *world) restart(t *testing.T) {
	t.Helper()
	deps, err := pricemodel.NewDeps(t.Context(), w.cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, deps.Close()) })
	require.NoError(t, deps.Ready(t.Context()))
	w.deps = deps
	runner := newRunner(t, pricemodel.Definition(deps))
	if w.runner != nil {
		runner.runs, runner.fence = w.runner.runs, w.runner.fence
	}
	w.runner = runner
}

func defaults(t *testing.T) *config.Config {
	t.Helper()
	cfg := &config.Config{DataDir: t.TempDir()}
	cfg.Source.GroupNumber, cfg.Source.Day, cfg.Source.Seed = 7, "Tuesday", 1
	cfg.Schedule.Owner, cfg.Schedule.Tags = "airflow", []string{"realtor", "mlflow"}
	cfg.SetDefaults(nil)
	return cfg
}

type newRole func(context.Context, *config.Config, net.Listener, *slog.Logger, *httpserver.Guard) (lifecycle.Service, error)

// serve runs a role on a free port until the test ends and returns its address.
func serve(t *testing.T, cfg *config.Config, role newRole) string {
	t.Helper()
	ln := testkit.Listen(t)
	service, err := role(t.Context(), cfg, ln, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	testkit.Serve(t, service)
	return "http://" + ln.Addr().String()
}

// generatedSource serves generated listings in the batches of a plan.
func generatedSource(t *testing.T, batches string) string {
	t.Helper()
	cfg := defaults(t)
	cfg.Source.Batches = batches
	return serve(t, cfg, source.New)
}

// handmadeSource serves what handle answers.
func handmadeSource(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

// look reads one of the databases as a person with another tool would.
func (w *world) look(t *testing.T, file, query string, dests ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.cfg.DataDir, file))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(dests...), query)
}

// rows counts the rows of a table.
func (w *world) rows(t *testing.T, file, table string) (n int) {
	t.Helper()
	w.look(t, file, "SELECT count(*) FROM "+table, &n)
	return n
}

// runs lists the active runs of a DAG run by name.
func (w *world) runs(t *testing.T, dagRunID string) map[string]experiment.Run {
	t.Helper()
	e, err := w.tracking.ExperimentByName(t.Context(), realtor.Experiment)
	require.NoError(t, err)
	page, err := w.tracking.SearchRuns(t.Context(), experiment.RunSearch{
		ExperimentIDs: []string{e.ID}, Search: experiment.Search{Filter: "tags.dag_run_id = '" + dagRunID + "'"},
	})
	require.NoError(t, err)
	out := make(map[string]experiment.Run)
	for _, run := range page.Items {
		require.NotContains(t, out, run.Name, "there is only one run of a name")
		out[run.Name] = run
	}
	return out
}

func (w *world) decision(t *testing.T, dagRunID string) (decision, reason string) {
	t.Helper()
	run, ok := w.runs(t, dagRunID)["decision"]
	require.True(t, ok)
	require.Equal(t, experiment.Finished, run.Status)
	return tag(t, run, "decision"), tag(t, run, "reason")
}

func tag(t *testing.T, run experiment.Run, key string) string {
	t.Helper()
	value, ok := run.Tag(key)
	require.True(t, ok, "%s has no tag %s", run.Name, key)
	return value
}

func metric(t *testing.T, run experiment.Run, key string) float64 {
	t.Helper()
	value, ok := run.Metric(key)
	require.True(t, ok, "%s has no metric %s", run.Name, key)
	return value
}

// versions lists the versions of the model by number, with their stages.
func (w *world) versions(t *testing.T) map[string]registry.Stage {
	t.Helper()
	page, err := w.tracking.SearchVersions(t.Context(), experiment.Search{Filter: "name = '" + realtor.Model + "'"})
	require.NoError(t, err)
	out := make(map[string]registry.Stage)
	for _, v := range page.Items {
		out[v.Version] = v.Stage
	}
	return out
}
