package roles_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/outgoing"
	"tasador/pkg/pipelineclient"
	"tasador/pkg/realtor"
	"tasador/pkg/sqlstore/predictionstore"
	"tasador/pkg/testkit"
)

// TestThePipelineOnPostgreSQL keeps DAG runs, jobs, listings and predictions on a server. The pipeline is killed in the middle of a run and started again; then
// the server goes away for a while, under roles that stay.
func TestThePipelineOnPostgreSQL(t *testing.T) {
	server := testkit.StartPostgres(t)
	database, raw, bin, dir := server.NewDatabase(t), server.NewDatabase(t), testkit.Build(t, "-tags=killpoints"), t.TempDir()
	behind := testkit.Start(t, bin, 2, "--role=source,tracking", "--data-dir", t.TempDir(), "--source.listen=127.0.0.1:0", "--tracking.listen=127.0.0.1:0",
		"--source.batches=1500,1500,rest")
	pipelineArgs := []string{
		"--role=pipeline", "--data-dir", dir, "--pipeline.listen=127.0.0.1:0", "--pipeline.db", database, "--rawdata.url", raw, "--schedule.cron=none", "--schedule.retries=0",
		"--gate.min-new-records=1000", "--tracking.uri", behind.Addresses["tracking"], "--source.uri", behind.Addresses["source"],
	}
	serving := testkit.Start(t, bin, 1, "--role=serving", "--data-dir", t.TempDir(), "--serving.listen=127.0.0.1:0", "--serving.follow=100ms",
		"--tracking.uri", behind.Addresses["tracking"], "--rawdata.url", raw)

	// It kills itself after the split, when the row does not say yet that the task is done.
	doomed := testkit.Launch(t, []string{"KILLPOINT=before-finish:4"}, bin, pipelineArgs...)
	require.True(t, doomed.Ready(t, 1), "%s", doomed.Log())
	trigger(t, doomed, "killed")
	select {
	case <-doomed.Ended():
	case <-time.After(time.Minute):
		require.Fail(t, "it did not come to the point", doomed.Log())
	}
	require.True(t, doomed.KilledItself(), "%s", doomed.Log())
	pipeline := testkit.Start(t, bin, 1, pipelineArgs...)
	awaitSuccess(t, pipeline, "killed")
	predict := func() int {
		status, _ := post(t, serving.Addresses["serving"]+"/predict", example)
		return status
	}
	require.Eventually(t, func() bool { return predict() == http.StatusOK }, 30*time.Second, 20*time.Millisecond, "%s", serving.Log())
	// A form may send what PostgreSQL does not take.
	status, body := submit(t, serving.Addresses["serving"]+"/", url.Values{"status": {"for_sale"}, "bed": {"3"}, "bath": {"2"}, "acre_lot": {"1"}, "house_size": {"2000"}, "city": {"a\xffb"}})
	require.Less(t, status, 500, body)

	server.Stop(t)
	for p, want := range map[*testkit.Process]int{pipeline: http.StatusServiceUnavailable, serving: http.StatusOK} {
		for role, address := range p.Addresses {
			require.Eventually(t, func() bool {
				status, body = get(t, address+"/readyz")
				return strings.Contains(body, "does not answer; check that it runs and can be reached from here")
			}, 30*time.Second, 20*time.Millisecond, "%s says %s", role, body)
			require.Equal(t, want, status, "serving has a journal, the pipeline has not: %s", body)
		}
	}
	for _, path := range []string{"/", "/dags/" + realtor.DAG, "/api/v2/dags/" + realtor.DAG + "/dagRuns"} {
		status, body = send(t, http.MethodGet, pipeline.Addresses["pipeline"]+path, http.Header{"Accept": {"text/html"}}, "")
		require.Equal(t, http.StatusServiceUnavailable, status, body)
		require.Contains(t, body, "does not answer; check that it runs and can be reached from here", path)
	}
	status, body = post(t, serving.Addresses["serving"]+"/predict", example)
	require.Equal(t, http.StatusOK, status, body)

	server.Restart(t)
	for _, p := range []*testkit.Process{pipeline, serving} {
		for _, address := range p.Addresses {
			require.Eventually(t, func() bool {
				status, _ := get(t, address+"/readyz")
				return status == http.StatusOK
			}, 30*time.Second, 20*time.Millisecond, "%s", p.Log())
		}
	}
	trigger(t, pipeline, "after")
	awaitSuccess(t, pipeline, "after")
	require.Equal(t, http.StatusOK, predict())
	store, err := predictionstore.Open(t.Context(), raw, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	require.Eventually(t, func() bool {
		n, err := store.Count(t.Context())
		return err == nil && n == 4
	}, 30*time.Second, 20*time.Millisecond, "those that were answered are in RawData, also the one that was while the server was away")

	// A stop while the server is away is one in good order, too.
	server.Stop(t)
	begin := time.Now()
	pipeline.Stop(t)
	serving.Stop(t)
	require.Less(t, time.Since(begin), 50*time.Second)
	server.Restart(t)
	require.NotContains(t, strings.ToLower(pipeline.Log()), "panic")
}

func trigger(t *testing.T, p *testkit.Process, id string) {
	t.Helper()
	_, err := pipelineclient.New(p.Addresses["pipeline"], outgoing.Options{}).Trigger(t.Context(), realtor.DAG,
		pipelineclient.Trigger{RunID: id, Conf: json.RawMessage(`{"as_of": "2026-01-01"}`)})
	require.NoError(t, err)
}

func awaitSuccess(t *testing.T, p *testkit.Process, id string) {
	t.Helper()
	client := pipelineclient.New(p.Addresses["pipeline"], outgoing.Options{})
	require.Eventually(t, func() bool {
		run, err := client.Run(t.Context(), realtor.DAG, id)
		return err == nil && run.Finished()
	}, time.Minute, 20*time.Millisecond, "%s", p.Log())
	run, err := client.Run(t.Context(), realtor.DAG, id)
	require.NoError(t, err)
	require.Equal(t, dag.RunSuccess, run.State, "%s", p.Log())
}
