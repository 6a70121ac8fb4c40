package roles_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore/predictionstore"
	"tasador/pkg/testkit"
	"tasador/pkg/trackingclient"
)

// TestServingKilledUnderLoadLosesNothing kills serving again and again while clients ask, once in the middle of an outage of PostgreSQL in which it is also started
// again. In the end everything that a client was answered is in the table, once.
func TestServingKilledUnderLoadLosesNothing(t *testing.T) {
	server := testkit.StartPostgres(t)
	raw, bin, dir := server.NewDatabase(t), testkit.Build(t), t.TempDir()
	behind := startStack(t, nil, config.RoleTracking)
	registered := trackingclient.New(behind.cfg.Tracking.URI, trackingclient.Options{})
	defer registered.Close()
	registerTwo(t, registered)
	_, err := registered.TransitionStage(t.Context(), "RealtorPriceModel", "1", registry.Production, true)
	require.NoError(t, err)
	c := &killedClients{answered: map[string]int{}}
	start := func() *testkit.Process {
		p := testkit.Start(t, bin, 1, "--role=serving", "--data-dir", dir, "--serving.listen=127.0.0.1:0", "--tracking.uri", behind.cfg.Tracking.URI, "--predictions.url", raw)
		address := p.Addresses["serving"]
		c.address.Store(&address)
		return p
	}
	moreAnswers := func(n int) {
		before := c.count()
		require.Eventually(t, func() bool { return c.count() >= before+n }, time.Minute, time.Millisecond)
	}
	serving := start()
	stop := c.ask(3)
	defer stop()
	moreAnswers(100)
	serving.Kill(t)
	serving = start()
	moreAnswers(100)
	server.Stop(t)
	moreAnswers(100)
	serving.Kill(t)
	serving = start()
	moreAnswers(100)
	status, body := get(t, serving.Addresses["serving"]+"/readyz")
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, "does not answer; check that it runs and can be reached from here")
	serving.Kill(t)
	serving = start()
	server.Restart(t)
	moreAnswers(100)
	stop()
	require.Eventually(t, func() bool {
		_, metrics := get(t, serving.Addresses["serving"]+"/metrics")
		return strings.Contains(metrics, "tasador_journal_backlog_entries 0\n")
	}, time.Minute, 10*time.Millisecond, "%s", serving.Log())
	serving.Stop(t)

	store, err := predictionstore.Open(t.Context(), raw, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	records, _, err := store.Recent(t.Context(), predictionstore.Query{Limit: 1_000_000})
	require.NoError(t, err)
	rows := map[string]int{}
	for _, r := range records {
		rows[fmt.Sprint(r.RequestID, "/", r.Item)]++
	}
	for row, times := range rows {
		require.Equal(t, 1, times, row)
	}
	for id, items := range c.answered {
		for item := range items {
			require.Contains(t, rows, fmt.Sprint(id, "/", item))
		}
	}
	t.Logf("%d answers, %d rows", len(c.answered), len(rows))
}

// TestDriftGoesOnAfterAKill kills serving, which loses no more of its windows than the last seconds.
func TestDriftGoesOnAfterAKill(t *testing.T) {
	bin, dir := testkit.Build(t), t.TempDir()
	behind := startStack(t, nil, config.RoleTracking)
	registered := trackingclient.New(behind.cfg.Tracking.URI, trackingclient.Options{})
	defer registered.Close()
	registerTwo(t, registered)
	_, err := registered.TransitionStage(t.Context(), "RealtorPriceModel", "1", registry.Production, true)
	require.NoError(t, err)
	start := func() *testkit.Process {
		return testkit.Start(t, bin, 1, "--role=serving", "--data-dir", dir, "--serving.listen=127.0.0.1:0", "--tracking.uri", behind.cfg.Tracking.URI)
	}
	counted := func(p *testkit.Process) string {
		_, body := get(t, p.Addresses["serving"]+"/drift")
		return body
	}
	serving := start()
	for range 10 {
		status, body := post(t, serving.Addresses["serving"]+"/predict", "["+example+","+example+"]")
		require.Equal(t, http.StatusOK, status, body)
	}
	before := counted(serving)
	require.Contains(t, before, `"window":"7d","predictions":20,`)
	path := filepath.Join(dir, "serving", "model", "seen")
	saved := func() time.Time {
		info, err := os.Stat(path)
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	asked := time.Now()
	require.Eventually(t, func() bool { return saved().After(asked) || !saved().IsZero() && time.Since(asked) > 15*time.Second }, time.Minute, 10*time.Millisecond)
	serving.Kill(t)

	serving = start()
	require.Contains(t, counted(serving), `"window":"7d","predictions":20,`)
	serving.Stop(t)
	serving = start()
	require.Contains(t, counted(serving), `"window":"7d","predictions":20,`)
	serving.Stop(t)
}

// killedClients ask a server that comes and goes, and remember what they were answered.
type killedClients struct {
	address  atomic.Pointer[string]
	mu       sync.Mutex
	answered map[string]int // request id → listings
}

func (c *killedClients) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.answered)
}

// ask asks on several lines, for one listing and for lists in turn, until it is stopped.
func (c *killedClients) ask(lines int) (stop func()) {
	ended, client := make(chan struct{}), &http.Client{Transport: &http.Transport{}}
	var all sync.WaitGroup
	for line := range lines {
		all.Go(func() {
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			for n := 0; ; n++ {
				select {
				case <-ended:
					return
				case <-pace.C:
				}
				id, body, items := fmt.Sprintf("line-%d-%d", line, n), example, 1
				if n%2 == 1 {
					body, items = "["+example+","+example+","+example+"]", 3
				}
				if c.one(client, id, body) {
					c.mu.Lock()
					c.answered[id] = items
					c.mu.Unlock()
				}
			}
		})
	}
	return sync.OnceFunc(func() {
		close(ended)
		all.Wait()
		client.CloseIdleConnections()
	})
}

// one reports whether a request was answered.
func (c *killedClients) one(client *http.Client, id, body string) bool {
	req, err := http.NewRequest(http.MethodPost, *c.address.Load()+"/predict", strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("X-Request-Id", id)
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }() // only read
	_, err = io.Copy(io.Discard, res.Body)
	return err == nil && res.StatusCode == http.StatusOK
}
