//go:build bench

package bench_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// manyClients is how many clients write at once where it is more than one.
const manyClients = 20

// figure is what one load has given.
type figure struct {
	Count   int     `json:"count,omitempty"`  // requests
	Failed  int     `json:"failed,omitempty"` // of them
	Seconds float64 `json:"seconds"`
	P50     float64 `json:"p50,omitempty"` // milliseconds
	P95     float64 `json:"p95,omitempty"`
	Rate    float64 `json:"rate,omitempty"` // rows, or what a request counts for, a second
	// Processors that were kept busy by the load client, the server with all its processes, and PostgreSQL.
	Client   float64 `json:"client,omitempty"`
	Server   float64 `json:"server,omitempty"`
	Database float64 `json:"database,omitempty"`
}

// rest is the one load client: it drives all servers alike, through connections that stay open.
type rest struct {
	url    string
	client *http.Client
	pids   [2]int // of the server, and of PostgreSQL, 0 without
}

const apiPath = "/api/2.0/mlflow/"

func newRest(t testing.TB, s *trackingServer, db database) *rest {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 2 * manyClients, DisableCompression: true, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10}
	t.Cleanup(transport.CloseIdleConnections)
	return &rest{s.url, &http.Client{Transport: transport, Timeout: 5 * time.Minute}, [2]int{s.cmd.Process.Pid, db.pid}}
}

// used is the processor time of client, server and database so far.
type used [3]float64

func (c *rest) used(t testing.TB) used {
	t.Helper()
	u := used{ownProcessor(t)}
	for i, pid := range c.pids {
		if pid > 0 {
			u[i+1] = processorOf(t, pid)
		}
	}
	return u
}

// charge says how many processors were busy since before.
func (c *rest) charge(t testing.TB, f *figure, before used) {
	t.Helper()
	now := c.used(t)
	f.Client, f.Server, f.Database = (now[0]-before[0])/f.Seconds, (now[1]-before[1])/f.Seconds, (now[2]-before[2])/f.Seconds
}

// exchange sends a request and returns the status and the body, read into the buffer.
func (c *rest) exchange(method, path string, body []byte, into *bytes.Buffer) (int, error) {
	req, err := http.NewRequest(method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	into.Reset()
	_, err = into.ReadFrom(res.Body)
	return res.StatusCode, err
}

// call sends what must be answered well and decodes the answer.
func (c *rest) call(t testing.TB, method, path string, body, answer any) {
	t.Helper()
	var sent []byte
	if body != nil {
		var err error
		sent, err = json.Marshal(body)
		require.NoError(t, err)
	}
	var got bytes.Buffer
	status, err := c.exchange(method, apiPath+path, sent, &got)
	require.NoError(t, err, path)
	require.Equal(t, http.StatusOK, status, "%s: %s", path, got.String())
	if answer != nil {
		require.NoError(t, json.Unmarshal(got.Bytes(), answer), path)
	}
}

type object = map[string]any

func (c *rest) newExperiment(t testing.TB, name string) string {
	t.Helper()
	var answer struct {
		ID string `json:"experiment_id"`
	}
	c.call(t, http.MethodPost, "experiments/create", object{"name": name}, &answer)
	return answer.ID
}

func (c *rest) newRun(t testing.TB, experiment, name string) string {
	t.Helper()
	var answer struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	c.call(t, http.MethodPost, "runs/create", object{"experiment_id": experiment, "run_name": name, "start_time": firstTime}, &answer)
	return answer.Run.Info.ID
}

// work is one request of a load.
type work struct {
	method, path string
	body         []byte
}

// load lets clients send requests, one after the other each, for a time or up to a number of all; a request counts for so many rows. It returns how
// many requests of each client were answered well.
func (c *rest) load(t testing.TB, clients int, limit time.Duration, most, rows int, next func(client, n int) work) (figure, []int) {
	t.Helper()
	good, failed := make([]int, clients), make([]int, clients)
	took := make([][]time.Duration, clients)
	var trouble sync.Map
	var all sync.WaitGroup
	before, begin := c.used(t), time.Now()
	for client := range clients {
		all.Go(func() {
			var answer bytes.Buffer
			for n := 0; n*clients+client < most && time.Since(begin) < limit; n++ {
				w := next(client, n)
				sent := time.Now()
				status, err := c.exchange(w.method, apiPath+w.path, w.body, &answer)
				took[client] = append(took[client], time.Since(sent))
				if err != nil || status != http.StatusOK {
					failed[client]++
					trouble.LoadOrStore("first", answer.String())
					continue
				}
				good[client]++
			}
		})
	}
	all.Wait()
	f := summarize(slices.Concat(took...), time.Since(begin))
	c.charge(t, &f, before)
	done := 0
	for i := range clients {
		done += good[i]
		f.Failed += failed[i]
	}
	f.Rate = float64(done*rows) / f.Seconds
	if first, some := trouble.Load("first"); some {
		say(t, "  %d of %d requests failed, first: %.300s", f.Failed, f.Count, first)
	}
	return f, good
}

func summarize(took []time.Duration, all time.Duration) figure {
	slices.SortFunc(took, cmp.Compare[time.Duration])
	at := func(q float64) float64 { // the nearest rank
		if len(took) == 0 {
			return 0
		}
		return float64(took[int(math.Ceil(q*float64(len(took))))-1].Microseconds()) / 1000
	}
	return figure{Count: len(took), Seconds: all.Seconds(), P50: at(0.5), P95: at(0.95), Rate: float64(len(took)) / all.Seconds()}
}

// history reads all points of a metric, page by page, and returns how many there are.
func (c *rest) history(t testing.TB, run, key string) int {
	t.Helper()
	points, token := 0, ""
	for {
		var page struct {
			Metrics []json.RawMessage `json:"metrics"`
			Next    string            `json:"next_page_token"`
		}
		q := url.Values{"run_id": {run}, "metric_key": {key}, "max_results": {historyPage}}
		if token != "" {
			q.Set("page_token", token)
		}
		c.call(t, http.MethodGet, "metrics/get-history?"+q.Encode(), nil, &page)
		points += len(page.Metrics)
		if token = page.Next; token == "" {
			return points
		}
	}
}

// historyPage is the largest page of points that every server takes.
const historyPage = "25000"

// discarding counts what it is given.
type discarding struct{ n int64 }

var _ io.Writer = (*discarding)(nil)

func (d *discarding) Write(p []byte) (int, error) {
	d.n += int64(len(p))
	return len(p), nil
}
