package roles_test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/testkit"
)

// TestOneProcessOverTLS trains and predicts with a certificate for a name at which the roles do not ask each other.
func TestOneProcessOverTLS(t *testing.T) {
	authority := testkit.NewAuthority(t)
	pair := authority.Issue(t, t.TempDir(), time.Now().Add(time.Hour), "tasador.example")
	s := startStack(t, func(cfg *config.Config) { cfg.HTTP.TLSCert, cfg.HTTP.TLSKey = pair.Cert, pair.Key }, config.RoleNames()...)
	require.True(t, strings.HasPrefix(s.cfg.Tracking.URI, "https://"))
	s.runDAG(t, "first")

	client := authority.Client(t)
	client.Transport.(*http.Transport).TLSClientConfig.ServerName = "tasador.example"
	require.Eventually(t, func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.cfg.Address(config.RoleServing)+"/predict", strings.NewReader(example))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		status, _ := sendBy(t, client, req)
		return status == http.StatusOK
	}, time.Minute, 50*time.Millisecond)
	require.Eventually(t, func() bool { // the header of the pages finds the other servers, and links to them
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.cfg.Address(config.RoleServing)+"/", http.NoBody)
		require.NoError(t, err)
		_, page := sendBy(t, client, req)
		return strings.Contains(page, `href="`+s.cfg.Address(config.RolePipeline)+`/"`) && strings.Contains(page, "RealtorPriceModel 1</a>")
	}, time.Minute, 50*time.Millisecond)
}

// TestThreeMachinesOverTLS runs each role as a process of its own, with certificates of an authority that only they know.
func TestThreeMachinesOverTLS(t *testing.T) {
	authority, bin, raw := testkit.NewAuthority(t), testkit.Build(t), "sqlite:"+filepath.Join(t.TempDir(), "rawdata.db")
	start := func(role string, args ...string) *testkit.Process {
		pair := authority.Issue(t, t.TempDir(), time.Now().Add(time.Hour), "127.0.0.1")
		return testkit.Start(t, bin, 1, append([]string{
			"--role=" + role, "--data-dir", t.TempDir(), "--" + role + ".listen=127.0.0.1:0", "--http.tls-cert", pair.Cert, "--http.tls-key", pair.Key, "--http.ca", authority.File,
		}, args...)...)
	}
	source := start("source", "--source.batches=10500")
	tracking := start("tracking")
	pipeline := start("pipeline", "--rawdata.url", raw, "--tracking.uri", tracking.Addresses["tracking"], "--source.uri", source.Addresses["source"], "--schedule.cron=none")
	serving := start("serving", "--rawdata.url", raw, "--tracking.uri", tracking.Addresses["tracking"], "--serving.follow=100ms")
	run := func(args ...string) (string, error) {
		out, err := exec.Command(bin, args...).CombinedOutput()
		return string(out), err
	}
	trigger := []string{"dags", "trigger", "realtor_price_model", "--wait", "--pipeline-uri", pipeline.Addresses["pipeline"]}
	out, err := run(trigger...)
	require.Error(t, err)
	require.Contains(t, out, "certificate signed by unknown authority")
	out, err = run(append(trigger, "--http.ca", authority.File)...)
	require.NoError(t, err, "%s\n%s", out, pipeline.Log())

	status := []string{"status", "--http.ca", authority.File, "--pipeline-uri", pipeline.Addresses["pipeline"], "--tracking-uri", tracking.Addresses["tracking"]}
	require.Eventually(t, func() bool {
		out, err = run(append(status, "--serving-uri", serving.Addresses["serving"])...)
		return err == nil
	}, time.Minute, 100*time.Millisecond)
	require.Contains(t, out, serving.Addresses["serving"]+"  ready")
	out, err = run("loadtest", "--http.ca", authority.File, "--url", serving.Addresses["serving"], "--rate=50", "--duration=1s", "--max-error-ratio=0")
	require.NoError(t, err, out)
}
