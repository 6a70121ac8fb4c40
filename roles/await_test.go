package roles_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
	"tasador/pkg/testkit/s3test"
)

// waits sees that a process says that its start waits, and for what, and has not ended.
func waits(t *testing.T, p *testkit.Process, what string) {
	t.Helper()
	require.Eventually(t, func() bool {
		log := p.Log()
		last := log[strings.LastIndex(strings.TrimSuffix(log, "\n"), "\n")+1:]
		return strings.Contains(last, "the start waits") && strings.Contains(last, what)
	}, time.Minute, 20*time.Millisecond, "%s", what)
	select {
	case <-p.Ended():
		require.Fail(t, "it has ended", p.Log())
	default:
	}
}

// TestRolesWaitForWhatTheyStandOn starts roles before everything that they need, as a cluster may.
func TestRolesWaitForWhatTheyStandOn(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers")
	}
	bin := testkit.Build(t)
	postgres, mariadb, s3 := testkit.StartPostgres(t), testkit.StartMariaDB(t), s3test.Start(t)
	metadata, rawData := postgres.NewDatabase(t), mariadb.NewDatabase(t)
	trackingAddress := testkit.FreeAddress(t)
	postgres.Stop(t)
	mariadb.Stop(t)
	tracking := []string{"--role=tracking", "--tracking.listen=" + trackingAddress, "--tracking.db=" + metadata, "--artifacts.root=s3://mlflows3/artifacts", "--artifacts.endpoint=" + s3.Endpoint}
	pipeline := []string{"--role=pipeline", "--pipeline.listen=127.0.0.1:0", "--rawdata.url=" + rawData, "--cleandata.url=" + rawData, "--tracking.uri=http://" + trackingAddress}

	for _, role := range [][]string{tracking, pipeline} {
		hasty := testkit.Launch(t, s3.Env(), bin, role...)
		require.False(t, hasty.Ready(t, 1), "without --start-wait it says at once what is missing")
		hasty.Failed(t)
		late := testkit.Launch(t, s3.Env(), bin, append(role, "--start-wait=1s")...)
		require.False(t, late.Ready(t, 1), "it does not wait for ever")
		require.Contains(t, late.Log(), "the start waits")
		late.Failed(t)
	}

	patient := testkit.Launch(t, s3.Env(), bin, append(tracking, "--start-wait=10m")...)
	other := testkit.Launch(t, nil, bin, append(pipeline, "--start-wait=10m")...)
	serving := testkit.Launch(t, nil, bin, "--role=serving", "--serving.listen=127.0.0.1:0", "--predictions.url="+rawData, "--tracking.uri=http://"+trackingAddress)
	require.True(t, serving.Ready(t, 1), "serving answers while all others are away")
	waits(t, patient, "there is no bucket mlflows3")
	waits(t, other, "does not answer")
	address := "http://" + trackingAddress
	status, _ := get(t, address+"/healthz")
	require.Equal(t, http.StatusOK, status)
	status, body := get(t, address+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, `"start":"there is no bucket mlflows3`)
	status, body = post(t, address+"/api/2.0/mlflow/runs/create", "{}")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "tracking has not started yet: there is no bucket mlflows3")
	s3.MakeBucket(t, "mlflows3")
	waits(t, patient, "the database")
	mariadb.Restart(t)
	require.True(t, other.Ready(t, 1), other.Log())
	postgres.Restart(t)
	require.True(t, patient.Ready(t, 1), patient.Log())
	status, body = get(t, address+"/readyz")
	require.Equal(t, http.StatusOK, status, body)

	refused := testkit.Launch(t, s3.Env(), bin, append(tracking, "--tracking.listen=127.0.0.1:0", "--start-wait=10m", "--tracking.db="+metadata+"_none")...)
	require.False(t, refused.Ready(t, 1), "a database that is not there is a wrong setting, for which nobody waits")
	require.NotContains(t, refused.Log(), "the start waits")
	refused.Failed(t)
	stopped := testkit.Launch(t, s3.Env(), bin, append(tracking, "--tracking.listen=127.0.0.1:0", "--start-wait=10m", "--artifacts.root=s3://other/artifacts")...)
	waits(t, stopped, "there is no bucket other")
	stopped.Stop(t)
}
