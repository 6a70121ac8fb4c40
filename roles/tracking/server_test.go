package tracking_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/migrations"
	"tasador/pkg/config"
	"tasador/pkg/experiment/experimenttest"
	"tasador/pkg/testkit"
	"tasador/pkg/trackingclient"
	"tasador/roles/tracking"
)

// server is a running tracking role.
type server struct {
	uri string
	cfg *config.Config
}

// newConfig names a database and a folder that go with the test.
func newConfig(t *testing.T) *config.Config {
	t.Helper()
	cfg := &config.Config{DataDir: t.TempDir()}
	cfg.Pipeline.PublicURL, cfg.Serving.PublicURL = "http://127.0.0.1:1", "http://127.0.0.1:2"
	cfg.Tracking.DB = "sqlite:" + filepath.Join(cfg.DataDir, "tracking.db")
	cfg.Artifacts.URL = "file:" + filepath.Join(cfg.DataDir, "artifacts")
	return cfg
}

// start runs the role on a free port until the test ends.
func start(t *testing.T) server {
	t.Helper()
	return startWith(t, newConfig(t))
}

// onEach runs a test against the role on every kind of database.
func onEach(t *testing.T, test func(t *testing.T, s server)) {
	t.Helper()
	testkit.OnEach(t, migrations.Dialects("tracking"), func(t *testing.T, url string) {
		cfg := newConfig(t)
		cfg.Tracking.DB = url
		test(t, startWith(t, cfg))
	})
}

func startWith(t *testing.T, cfg *config.Config) server {
	t.Helper()
	ln := testkit.Listen(t)
	service, err := tracking.New(t.Context(), cfg, ln, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	testkit.Serve(t, service)
	return server{uri: "http://" + ln.Addr().String(), cfg: cfg}
}

func (s server) client() *trackingclient.Client {
	return trackingclient.New(s.uri, trackingclient.Options{Backoff: time.Millisecond})
}

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

func TestClientConformance(t *testing.T) { onEach(t, testClientConformance) }

func testClientConformance(t *testing.T, s server) {
	client := s.client()
	experimenttest.Run(t, func(*testing.T) experimenttest.Stores { return experimenttest.Stores{Tracking: client, Models: client} })
}
