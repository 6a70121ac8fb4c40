//go:build bench

package bench_test

import (
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// firstTime is when the first run began, in milliseconds.
const firstTime = 1_700_000_000_000

// warmUp lets every worker of a server answer before anything is measured.
func warmUp(t testing.TB, c *rest) {
	t.Helper()
	experiment := c.newExperiment(t, "warm-up")
	runs := newRuns(t, c, experiment)
	c.load(t, manyClients, time.Second, 1<<30, 1, func(client, n int) work { return metricWork(runs[client], n) })
	c.load(t, manyClients, time.Second, 1<<30, 1, func(int, int) work { return searchWork(experiment, 10, "", "", "") })
}

// newRuns makes a run for each client.
func newRuns(t testing.TB, c *rest, experiment string) []string {
	t.Helper()
	runs := make([]string, manyClients)
	for i := range runs {
		runs[i] = c.newRun(t, experiment, "load "+strconv.Itoa(i))
	}
	return runs
}

// metricWork is one log_metric.
func metricWork(run string, n int) work {
	body := append(make([]byte, 0, 200), `{"run_id":"`...)
	body = append(append(body, run...), `","key":"loss","value":`...)
	body = strconv.AppendFloat(body, 1/float64(n+1), 'g', -1, 64)
	body = strconv.AppendInt(append(body, `,"timestamp":`...), firstTime+int64(n), 10)
	body = strconv.AppendInt(append(body, `,"step":`...), int64(n), 10)
	return work{http.MethodPost, "runs/log-metric", append(body, '}')}
}

// batchKeys is how many metrics a batch of points has: each has a tenth of them.
const batchKeys = 10

// batchWork is one log_batch.
func batchWork(run, prefix string, n, size int) work {
	body := append(make([]byte, 0, 100+90*size), `{"run_id":"`...)
	body = append(append(body, run...), `","metrics":[`...)
	for i := range size {
		step := int64(n*size+i) / batchKeys
		if i > 0 {
			body = append(body, ',')
		}
		body = append(append(body, `{"key":"`...), prefix...)
		body = strconv.AppendInt(body, int64(i%batchKeys), 10)
		body = strconv.AppendFloat(append(body, `","value":`...), 1/float64(step+1), 'g', -1, 64)
		body = strconv.AppendInt(append(body, `,"timestamp":`...), firstTime+step, 10)
		body = append(strconv.AppendInt(append(body, `,"step":`...), step, 10), '}')
	}
	return work{http.MethodPost, "runs/log-batch", append(body, "]}"...)}
}

// logMetrics logs one point at a time with one client and with many, and counts what is there afterwards.
func logMetrics(t testing.TB, c *rest, m *trackingMeasurement) {
	t.Helper()
	for _, clients := range []int{1, manyClients} {
		runs := newRuns(t, c, c.newExperiment(t, fmt.Sprintf("log-metric-%d", clients)))
		f, good := c.load(t, clients, loadTime(), 1<<30, 1, func(client, n int) work { return metricWork(runs[client], n) })
		m.set(fmt.Sprintf("log-metric-%d", clients), f)
		for client, n := range good {
			require.Equal(t, n, c.history(t, runs[client], "loss"), "%s: points answered as kept, and points that are there", m.Subject)
		}
	}
}

// logBatches logs batches with one client and with many.
func logBatches(t testing.TB, c *rest, m *trackingMeasurement) {
	t.Helper()
	for _, clients := range []int{1, manyClients} {
		for _, size := range []int{10, 100, 1000} {
			name := fmt.Sprintf("log-batch-%d-%d", size, clients)
			runs := newRuns(t, c, c.newExperiment(t, name))
			f, good := c.load(t, clients, loadTime(), 1<<30, size, func(client, n int) work { return batchWork(runs[client], "m", n, size) })
			m.set(name, f)
			require.Equal(t, good[0]*size/batchKeys, c.history(t, runs[0], "m0"), "%s: points answered as kept, and points that are there", m.Subject)
		}
	}
}

// readHistory writes 50,000 points of one metric and reads them all, again and again.
func readHistory(t testing.TB, c *rest, m *trackingMeasurement) {
	t.Helper()
	const points, batch = 50_000, 1000
	run := c.newRun(t, c.newExperiment(t, "history"), "long")
	f, _ := c.load(t, 1, time.Hour, points/batch, batch, func(_, n int) work { return longWork(run, n, batch) })
	require.Zero(t, f.Failed)
	var took []time.Duration
	before, begin := c.used(t), time.Now()
	for n := 0; n < 3 || time.Since(begin) < loadTime(); n++ {
		sent := time.Now()
		require.Equal(t, points, c.history(t, run, "h"), m.Subject)
		took = append(took, time.Since(sent))
	}
	all := time.Since(begin)
	f = summarize(took, all)
	f.Rate *= points
	c.charge(t, &f, before)
	m.set("history-50000", f)
}

// longWork is a batch of points of one metric.
func longWork(run string, n, size int) work {
	body := append(append([]byte(`{"run_id":"`), run...), `","metrics":[`...)
	for i := range size {
		step := int64(n*size + i)
		if i > 0 {
			body = append(body, ',')
		}
		body = strconv.AppendFloat(append(body, `{"key":"h","value":`...), 1/float64(step+1), 'g', -1, 64)
		body = strconv.AppendInt(append(body, `,"timestamp":`...), firstTime+step, 10)
		body = append(strconv.AppendInt(append(body, `,"step":`...), step, 10), '}')
	}
	return work{http.MethodPost, "runs/log-batch", append(body, "]}"...)}
}

const megabyte = 1_000_000

// moveArtifact sends a large file through the server and fetches it, and compares the two.
func moveArtifact(t testing.TB, c *rest, m *trackingMeasurement) {
	t.Helper()
	size := int64(*trackingArtifact) * megabyte
	path := c.url + "/api/2.0/mlflow-artifacts/artifacts/0/bench/artifacts/large.bin"
	sum := crc32.NewIEEE()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, path, io.TeeReader(io.LimitReader(&pattern{}, size), sum))
	require.NoError(t, err)
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/octet-stream")
	m.set("artifact-up", transfer(t, c, req, size, io.Discard))
	got := crc32.NewIEEE()
	req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	require.NoError(t, err)
	var n discarding
	m.set("artifact-down", transfer(t, c, req, size, io.MultiWriter(got, &n)))
	require.Equal(t, size, n.n, "the file is as long as it was")
	require.Equal(t, sum.Sum32(), got.Sum32(), "the file is what it was")
}

// transfer times one request; the rate is in megabytes a second.
func transfer(t testing.TB, c *rest, req *http.Request, size int64, into io.Writer) figure {
	t.Helper()
	before, begin := c.used(t), time.Now()
	res, err := c.client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Less(t, res.StatusCode, 300)
	_, err = io.Copy(into, res.Body)
	require.NoError(t, err)
	all := time.Since(begin).Seconds()
	f := figure{Count: 1, Seconds: all, Rate: float64(size) / megabyte / all}
	c.charge(t, &f, before)
	return f
}

// pattern is an endless file that does not compress to nothing.
type pattern struct{ at uint64 }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		p.at = p.at*6364136223846793005 + 1442695040888963407
		b[i] = byte(p.at >> 56)
	}
	return len(b), nil
}
