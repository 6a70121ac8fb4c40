package tracking_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/registry"
	"tasador/pkg/testkit"
	"tasador/pkg/trackingclient"
)

// TestTwoTrackingServersOnOneDatabase starts two processes on an empty PostgreSQL database at the same moment and lets clients work with both. No
// call fails or has to be repeated, nothing is lost and nothing is there twice, and both tell the same.
func TestTwoTrackingServersOnOneDatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server")
	}
	database, files, bin := testkit.NewDatabase(t, testkit.PostgresEngine), t.TempDir(), testkit.Build(t)
	var servers []*testkit.Process
	for range 2 {
		servers = append(servers, testkit.Launch(t, nil, bin, "--role=tracking", "--data-dir", t.TempDir(), "--tracking.listen=127.0.0.1:0",
			"--tracking.db", database, "--artifacts.url", "file:"+files))
	}
	w := twoServers{clients: make([]*trackingclient.Client, 2)}
	for i, s := range servers {
		require.True(t, s.Ready(t, 1), "%s", s.Log())
		w.clients[i] = trackingclient.New(s.Addresses["tracking"], trackingclient.Options{Tries: 1})
	}
	id := w.experiments(t)
	w.batches(t, id)
	w.versions(t)
}

// twoServers are clients of two servers that share a database.
type twoServers struct{ clients []*trackingclient.Client }

const crowd = 16

// all calls f for each of the crowd at the same time, every other one with the client of the other server.
func (w twoServers) all(f func(i int, client *trackingclient.Client)) {
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() { f(i, w.clients[i%len(w.clients)]) })
	}
	wg.Wait()
}

// experiments lets all make the same experiment: one does, the others hear that the name is taken.
func (w twoServers) experiments(t *testing.T) string {
	var mu sync.Mutex
	var made []string
	w.all(func(_ int, client *trackingclient.Client) {
		got, err := client.CreateExperiment(t.Context(), experiment.NewExperiment{Name: "shared"})
		if err == nil {
			mu.Lock()
			made = append(made, got)
			mu.Unlock()
			return
		}
		assert.Equal(t, apperror.AlreadyExists, apperror.CodeOf(err), "%v", err)
	})
	require.Len(t, made, 1)
	for _, client := range w.clients {
		e, err := client.ExperimentByName(t.Context(), "shared")
		require.NoError(t, err)
		require.Equal(t, made[0], e.ID)
	}
	return made[0]
}

// batches lets all log the same metrics, tags and params of one run.
func (w twoServers) batches(t *testing.T, experimentID string) {
	const batches, keys = 20, 5
	run, err := w.clients[0].CreateRun(t.Context(), experiment.NewRun{ExperimentID: experimentID})
	require.NoError(t, err)
	w.all(func(i int, client *trackingclient.Client) {
		for b := range batches {
			var batch experiment.Batch
			for k := range keys {
				key, step := fmt.Sprint("m", (k+i+b)%keys), int64(b*crowd+i)
				batch.Metrics = append(batch.Metrics, experiment.Metric{Key: key, Value: float64(step), Timestamp: 1, Step: step})
				batch.Params = append(batch.Params, experiment.Param{Key: key, Value: "same"})
				batch.Tags = append(batch.Tags, experiment.Tag{Key: key, Value: "same"})
			}
			assert.NoError(t, client.LogBatch(t.Context(), run.ID, batch))
		}
	})
	for _, client := range w.clients {
		got, err := client.Run(t.Context(), run.ID)
		require.NoError(t, err)
		require.Len(t, got.Params, keys)
		require.Len(t, got.Metrics, keys)
		for _, m := range got.Metrics {
			require.EqualValues(t, batches*crowd-1, m.Step, "the latest point of %s", m.Key)
			history, err := client.MetricHistory(t.Context(), run.ID, m.Key, experiment.PageRequest{})
			require.NoError(t, err)
			require.Len(t, history.Items, batches*crowd)
			for step, point := range history.Items {
				require.EqualValues(t, step, point.Step, m.Key)
			}
		}
	}
}

// versions lets all register a version of one model and move it to Production: each gets a number of its own, and one stays there.
func (w twoServers) versions(t *testing.T) {
	_, err := w.clients[0].CreateModel(t.Context(), "shared", "", nil)
	require.NoError(t, err)
	var mu sync.Mutex
	numbers := map[string]bool{}
	w.all(func(_ int, client *trackingclient.Client) {
		v, err := client.CreateVersion(t.Context(), registry.NewVersion{Name: "shared", Source: "s3://bucket/model"})
		if !assert.NoError(t, err) {
			return
		}
		_, err = client.TransitionStage(t.Context(), "shared", v.Version, registry.Production, true)
		assert.NoError(t, err)
		assert.NoError(t, client.SetAlias(t.Context(), "shared", "newest", v.Version))
		mu.Lock()
		numbers[v.Version] = true
		mu.Unlock()
	})
	require.Len(t, numbers, crowd)
	for _, client := range w.clients {
		page, err := client.SearchVersions(t.Context(), experiment.Search{Filter: "name = 'shared'"})
		require.NoError(t, err)
		require.Len(t, page.Items, crowd)
		stages := map[registry.Stage]int{}
		aliases := 0
		for _, v := range page.Items {
			stages[v.Stage]++
			aliases += len(v.Aliases)
		}
		require.Equal(t, map[registry.Stage]int{registry.Production: 1, registry.Archived: crowd - 1}, stages)
		require.Equal(t, 1, aliases)
	}
}
