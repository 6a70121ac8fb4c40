//go:build bench

package bench_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/experiment"
	"tasador/pkg/outgoing"
	"tasador/pkg/pipelineclient"
	"tasador/pkg/realtor"
	"tasador/pkg/testkit"
	"tasador/pkg/trackingclient"
)

// The instant that days are counted to, and the DAG run, whose batch the source repeats for whoever names it.
const (
	asOf     = "2026-01-01"
	dagRunID = "manual__bench"
)

// outcome is what a job found, so that two can be compared.
type outcome struct {
	BestAlpha float64 `json:"best_alpha"`
	TestRMSE  float64 `json:"test_rmse"`
}

// others are source and tracking in one process.
type others struct{ *testkit.Process }

func startOthers(t testing.TB, bin string, rows int) others {
	t.Helper()
	return others{testkit.Start(t, bin, 2, "--role=source,tracking", "--data-dir="+filepath.Join(t.TempDir(), "others"),
		"--tracking.listen=127.0.0.1:0", "--source.listen=127.0.0.1:0", "--source.batches="+strconv.Itoa(rows), "--source.seed=2")}
}

// measureOurs runs the DAG once over all rows of the source, into an empty database.
func measureOurs(t testing.TB, bin string, others others, server *testkit.DatabaseServer, url string, m *measurement) outcome {
	t.Helper()
	pipeline := testkit.Start(t, bin, 1, "--role=pipeline", "--data-dir="+filepath.Join(t.TempDir(), "pipeline"), "--pipeline.listen=127.0.0.1:0",
		"--tracking.uri="+others.Addresses["tracking"], "--source.uri="+others.Addresses["source"], "--rawdata.url="+url, "--cleandata.url="+url,
		"--schedule.cron=none", "--schedule.retries=0", "--gate.min-new-records=100")
	defer pipeline.Stop(t)
	client := pipelineclient.New(pipeline.Addresses["pipeline"], outgoing.Options{})
	settle(t, server.PID())
	ours, database, rest := processorOf(t, pipeline.PID()), processorOf(t, server.PID()), processorOf(t, others.PID())
	_, err := client.Trigger(t.Context(), realtor.DAG, pipelineclient.Trigger{RunID: dagRunID, Conf: json.RawMessage(`{"as_of":"` + asOf + `"}`)})
	require.NoError(t, err)
	run := awaitEnd(t, client, pipeline)
	m.Seconds = run.EndedAt.Sub(*run.StartedAt).Seconds()
	m.ClientCPU = processorOf(t, pipeline.PID()) - ours
	m.ServerCPU = processorOf(t, server.PID()) - database
	m.SourceCPU = processorOf(t, others.PID()) - rest
	m.PeakMiB = peakOf(t, pipeline.PID())
	tasks, err := client.Tasks(t.Context(), realtor.DAG, dagRunID)
	require.NoError(t, err)
	for _, task := range tasks {
		if task.Duration != nil {
			m.Steps = append(m.Steps, step{task.ID, *task.Duration})
		}
	}
	return recorded(t, others)
}

// lookEvery is how often the pipeline is asked whether the DAG run has ended: seldom, for answers cost it time. It says itself when it was.
const lookEvery = 500 * time.Millisecond

// awaitEnd waits for the DAG run, which must succeed.
func awaitEnd(t testing.TB, client *pipelineclient.Client, pipeline *testkit.Process) *pipelineclient.Run {
	t.Helper()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		run, err := client.Run(t.Context(), realtor.DAG, dagRunID)
		require.NoError(t, err, pipeline.Log())
		if run.Finished() {
			require.Equal(t, dag.RunSuccess, run.State, pipeline.Log())
			return run
		}
		<-ticker.C
	}
}

// recorded reads from tracking what the training of the DAG run found.
func recorded(t testing.TB, others others) outcome {
	t.Helper()
	client := trackingclient.New(others.Addresses["tracking"], trackingclient.Options{})
	e, err := client.ExperimentByName(t.Context(), realtor.Experiment)
	require.NoError(t, err)
	page, err := client.SearchRuns(t.Context(), experiment.RunSearch{
		Search: experiment.Search{Filter: fmt.Sprintf("attributes.run_name = '%s'", realtor.TrainRun(dagRunID))}, ExperimentIDs: []string{e.ID},
	})
	require.NoError(t, err)
	require.Len(t, page.Items, 1, "the DAG run has trained once")
	run := page.Items[0]
	var o outcome
	var ok bool
	o.TestRMSE, ok = run.Metric(realtor.MetricTestRMSE)
	require.True(t, ok)
	param := slices.IndexFunc(run.Params, func(p experiment.Param) bool { return p.Key == realtor.ParamBestAlpha })
	require.GreaterOrEqual(t, param, 0)
	o.BestAlpha, err = strconv.ParseFloat(run.Params[param].Value, 64)
	require.NoError(t, err)
	return o
}
