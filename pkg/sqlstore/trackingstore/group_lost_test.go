package trackingstore_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
	"tasador/pkg/testkit"
)

// TestGroupsWhoseConnectionsAreCut: while an administrator ends the sessions on PostgreSQL again and again, each batch that was answered is there, and
// each that was not answered is Unavailable, so that clients send it again.
func TestGroupsWhoseConnectionsAreCut(t *testing.T) {
	url := testkit.Postgres(t).NewDatabase(t)
	store := open(t, url)
	admin, err := sqlstore.OpenPostgresPool(t.Context(), url, 1)
	require.NoError(t, err)
	defer admin.Close()
	run, err := store.CreateRun(t.Context(), experiment.NewRun{ExperimentID: "0"})
	require.NoError(t, err)

	const points = 200
	var stored [clients]map[int64]bool
	var done atomic.Int64
	var wg sync.WaitGroup
	for c := range clients {
		stored[c] = map[int64]bool{}
		wg.Go(func() {
			defer done.Add(1)
			for n := range int64(points) {
				err := store.LogBatch(t.Context(), run.ID, experiment.Batch{Metrics: []experiment.Metric{{Key: fmt.Sprint("m", c), Value: 1, Timestamp: 1, Step: n}}})
				if err == nil {
					stored[c][n] = true
				} else {
					assert.Equal(t, apperror.Unavailable, apperror.CodeOf(err), "%v", err)
				}
			}
		})
	}
	cut := int64(0)
	for done.Load() < clients {
		var ended int64
		require.NoError(t, admin.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`).Scan(&ended))
		cut += ended
	}
	wg.Wait()
	require.Positive(t, cut)
	store = open(t, url) // the last sessions of the other one may be ending still
	total := 0
	for c := range clients {
		total += len(stored[c])
		page, err := store.MetricHistory(t.Context(), run.ID, fmt.Sprint("m", c), experiment.PageRequest{})
		require.NoError(t, err)
		there := map[int64]bool{}
		for _, m := range page.Items {
			there[m.Step] = true
		}
		for n := range stored[c] {
			require.True(t, there[n], "client %d was told that point %d is stored", c, n)
		}
	}
	require.Positive(t, total)
}
