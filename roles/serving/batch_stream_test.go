package serving

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit/modeltest"
)

// repeated gives text n times.
type repeated struct {
	text []byte
	n    int
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	total := 0
	for total < len(p) {
		if r.at == len(r.text) {
			r.at, r.n = 0, r.n-1
		}
		if r.n <= 0 {
			if total == 0 {
				return 0, io.EOF
			}
			break
		}
		n := copy(p[total:], r.text[r.at:])
		total, r.at = total+n, r.at+n
	}
	return total, nil
}

// TestBatchAnswersWhileItReads holds a conversation: every row is answered before the next is sent.
func TestBatchAnswersWhileItReads(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	from, to := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.address+"/predict/batch", from)
	require.NoError(t, err)
	req.Header.Set("Content-Type", mimeNDJSON)
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	line := ndjsonOf(t, modeltest.Listings(8, 1))
	first := make(chan error, 1)
	go func() { _, err := to.Write(line); first <- err }()
	res, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, <-first)
	answers := bufio.NewReader(res.Body)
	for i := range 5 {
		got, err := answers.ReadString('\n')
		require.NoError(t, err)
		require.Contains(t, got, `"prediction"`)
		if i < 4 {
			_, err = to.Write(line)
			require.NoError(t, err)
		}
	}
	require.NoError(t, to.Close())
	got, err := io.ReadAll(answers)
	require.NoError(t, err)
	require.Contains(t, string(got), `"ok":5`)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "5", res.Trailer.Get(headerRowsOK))
}

// TestBatchWaitsForAClientThatSendsEverythingFirst has a client that reads nothing before it has sent 20 MB, as most libraries do: the answer waits in a file, not
// in memory.
func TestBatchWaitsForAClientThatSendsEverythingFirst(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	lines := ndjsonOf(t, modeltest.Listings(8, 1000))
	const times = 200
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.address, "http://"))
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(64<<10))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.address+"/predict/batch", &repeated{text: lines, n: times})
	require.NoError(t, err)
	req.ContentLength = int64(len(lines) * times)
	req.Header.Set("Content-Type", mimeNDJSON)
	before := heapInUse()
	require.NoError(t, req.Write(conn)) // returns when all is sent
	require.Less(t, heapInUse()-before, int64(24<<20), "what waits for the client is held in memory")
	res, err := http.ReadResponse(bufio.NewReader(conn), req)
	require.NoError(t, err)
	rows, last := 0, ""
	for sc := bufio.NewScanner(res.Body); sc.Scan(); rows++ {
		last = sc.Text()
	}
	require.Equal(t, 1000*times+1, rows)
	require.Contains(t, last, `"ok":200000`)
	require.NoError(t, res.Body.Close())
	entries, err := os.ReadDir(s.role.cfg.DataDir + "/" + batchFolder)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// heapInUse is what the process keeps in memory, garbage aside.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// TestBatchEndsWithItsClient breaks off in the middle, and waits for every goroutine of the batch to end.
func TestBatchEndsWithItsClient(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	before := runtime.NumGoroutine()
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		from, to := io.Pipe()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address+"/predict/batch", from)
		require.NoError(t, err)
		req.Header.Set("Content-Type", mimeNDJSON)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for {
				if _, err := to.Write(ndjsonOf(t, modeltest.Listings(8, 10))); err != nil {
					return
				}
			}
		}()
		transport := &http.Transport{}
		res, err := (&http.Client{Transport: transport}).Do(req)
		require.NoError(t, err)
		_, err = io.ReadFull(res.Body, make([]byte, 1000))
		require.NoError(t, err)
		cancel()
		require.NoError(t, res.Body.Close())
		require.NoError(t, to.Close())
		<-sent
		transport.CloseIdleConnections()
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 10*time.Second, 10*time.Millisecond, "something still works for clients that are gone")
}

// BenchmarkBatch answers rows without HTTP; a row is 167 bytes of NDJSON with all of its twelve fields.
func BenchmarkBatch(b *testing.B) {
	s := startServer(b, modeltest.Train(b, 5))
	lines := ndjsonOf(b, modeltest.Listings(8, 1000))
	b.SetBytes(int64(len(lines)))
	b.ReportAllocs()
	b.ResetTimer()
	cpu := processorTime(b)
	run := batch{role: s.role, now: recordable(time.Now()), asOf: recordable(time.Now()), out: newOutlet(b.TempDir(), s.role.spill)}
	run.forms(mimeNDJSON, mimeNDJSON)
	var err error
	run.version, err = s.role.version()
	require.NoError(b, err)
	go run.run(b.Context(), &repeated{text: lines, n: b.N})
	var piece []byte
	for err == nil {
		piece, err = run.out.next(piece[:0])
	}
	require.ErrorIs(b, err, io.EOF)
	require.Equal(b, 1000*b.N, run.summary.OK)
	reportRows(b, cpu)
}

// BenchmarkBatchHTTP is the same through HTTP, with the client in this process.
func BenchmarkBatchHTTP(b *testing.B) {
	s := startServer(b, modeltest.Train(b, 5))
	lines := ndjsonOf(b, modeltest.Listings(8, 1000))
	b.SetBytes(int64(len(lines)))
	b.ResetTimer()
	cpu := processorTime(b)
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, s.address+"/predict/batch", &repeated{text: lines, n: b.N})
	require.NoError(b, err)
	req.Header.Set("Content-Type", mimeNDJSON)
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, WriteBufferSize: 128 << 10, ReadBufferSize: 128 << 10}}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	require.NoError(b, err)
	var last bytes.Buffer
	_, err = io.Copy(&tailBuffer{&last}, res.Body)
	require.NoError(b, err)
	require.NoError(b, res.Body.Close())
	require.Contains(b, last.String(), `"failed":0`)
	reportRows(b, cpu)
}

// tailBuffer keeps the end of what is written.
type tailBuffer struct{ kept *bytes.Buffer }

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.kept.Reset()
	t.kept.Write(p[max(0, len(p)-2000):])
	return len(p), nil
}

// reportRows tells how fast thousands of rows were, and what they cost on whatever processors the machine had left for them.
func reportRows(b *testing.B, since time.Duration) {
	b.Helper()
	rows := float64(1000 * b.N)
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(processorTime(b)-since)/rows, "cpu-ns/row")
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// gzipped is a line of n bytes, packed.
func gzipped(t *testing.T, n int) string {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := io.Copy(z, manyOf("x", n))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return out.String()
}
