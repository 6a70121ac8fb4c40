package serving

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit/modeltest"
)

const oipInferPath = "/v2/models/RealtorPriceModel/infer"

// peakHeap runs work and returns how much more memory was in use meanwhile than before, in bytes.
func peakHeap(work func()) int64 {
	before, stop, peak := heapInUse(), make(chan struct{}), make(chan int64)
	go func() {
		most, tick := int64(0), time.NewTicker(5*time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				peak <- most
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, int64(m.HeapInuse))
			}
		}
	}()
	work()
	close(stop)
	return max(0, <-peak-before)
}

// TestHostileBodies sends what nobody means well by: each is a 4xx, or a row with an error, and memory stays bounded.
func TestHostileBodies(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	const mega = 1 << 20
	deep := strings.Repeat("[", mega)
	good := `{"status":"sold","bed":3,"bath":2,"acre_lot":1,"house_size":2000}`
	tensor := func(data string) string {
		return `{"inputs":[{"name":"x","shape":[1],"datatype":"FP64","data":` + data + `}]}`
	}
	for _, c := range []struct {
		name, path, kind string
		body             io.Reader
		length           int64 // 0 sends it in chunks
		status           int
		says             string
	}{
		{"100 MB of one row", "/predict/batch", mimeNDJSON, manyOf("x", 100*mega), 100 * mega, 200, `"failed":1`},
		{"100 MB of one row, of unknown length", "/predict/batch", mimeCSV, manyOf("x", 100*mega), 0, 422, "the first line of the CSV"},
		{"100 MB of an open quote", "/predict/batch", mimeCSV, io.MultiReader(strings.NewReader("status,bed,bath,acre_lot,house_size\n\""), manyOf("x", 100*mega)), 0, 200, "longer than 64 kB"},
		{"100 MB of one element", "/predict/batch", "application/json", io.MultiReader(strings.NewReader("[\""), manyOf("x", 100*mega)), 0, 200, "ends in the middle"},
		{"100 MB of commas", "/predict/batch", mimeNDJSON, manyOf("{},", 100*mega), 0, 200, `"failed":1`},
		{"100 MB of line ends", "/predict/batch", mimeNDJSON, manyOf("\n", 100*mega), 0, 200, `"rows":0`},
		{"100 MB for MLflow", invocationsPath, "application/json", manyOf("[", 100*mega), 100 * mega, 413, `"error_code":"BAD_REQUEST"`},
		{"100 MB for MLflow, of unknown length", invocationsPath, "text/csv", manyOf("1\n", 100*mega), 0, 413, "larger than this address accepts"},
		{"100 MB of tensors", oipInferPath, "application/json", manyOf("[", 100*mega), 0, 413, `{"error":"the request body is larger`},
		{"nested a million times, MLflow", invocationsPath, "application/json", strings.NewReader(`{"inputs":` + deep), 0, 400, "nest too deep"},
		{"nested a million times, tensors", oipInferPath, "application/json", strings.NewReader(tensor(deep)), 0, 400, "nest too deep"},
		{"nested a million times, batch", "/predict/batch", "application/json", strings.NewReader(deep), 0, 200, "ends in the middle"},
		{"nested in a row", "/predict/batch", mimeNDJSON, strings.NewReader(`{"pool":` + deep[:60000] + "\n" + good + "\n"), 0, 200, "nest too deep"},
		{"a million columns", invocationsPath, "application/json", strings.NewReader(`{"dataframe_split":{"columns":[` + manyNames(200_000) + `],"data":[]}}`), 0, 400, "more than 1000 columns"},
		{"millions of values", invocationsPath, "application/json", strings.NewReader(`{"inputs":{"status":[` + strings.Repeat("1,", 3*mega) + `1]}}`), 0, 400, "more than 1048576 values"},
		{"millions of elements", oipInferPath, "application/json", strings.NewReader(tensor("[" + strings.Repeat("1,", 3*mega) + "1]")), 0, 400, "more than 1048576 values"},
		{"a shape that no memory holds", oipInferPath, "application/json", strings.NewReader(`{"inputs":[{"name":"x","shape":[1e300,1e300],"datatype":"FP64","data":[1]}]}`), 0, 400, "shape"},
		{"NaN for MLflow", invocationsPath, "application/json", strings.NewReader(`{"inputs":{"bed":[NaN]}}`), 0, 400, "valid JSON"},
		{"NaN in CSV", invocationsPath, "text/csv", strings.NewReader(strings.Join(s.model.Schema.Features, ",") + "\nNaN,1,1,1,1,1\n"), 0, 400, "must be a finite number"},
		{"1e999 for MLflow", invocationsPath, "application/json", strings.NewReader(`{"dataframe_split":{"columns":["` + strings.Join(s.model.Schema.Features, `","`) + `"],"data":[[1e999,1,1,1,1,1]]}}`), 0, 400, "must be a finite number"},
		{"1e308 for MLflow", invocationsPath, "application/json", strings.NewReader(`{"dataframe_split":{"columns":["` + strings.Join(s.model.Schema.Features, `","`) + `"],"data":[[1e308,1e308,1,1,1,1]]}}`), 0, 400, "too large"},
		{"1e308 as a tensor", oipInferPath, "application/json", strings.NewReader(`{"inputs":[{"name":"x","shape":[1,6],"datatype":"FP64","data":[1e308,1e308,1,1,1,1]}]}`), 0, 400, "too large"},
		{"1e308 in a row", "/predict/batch", mimeNDJSON, strings.NewReader(strings.Replace(good, "2000", "1e308", 1)), 0, 200, "must be at most"},
		{"UTF-16", invocationsPath, "application/json; charset=utf-16", strings.NewReader("{}"), 0, 415, "only supports UTF-8"},
		{"UTF-16 as UTF-8", oipInferPath, "application/json", strings.NewReader("\xff\xfe{\x00}\x00"), 0, 400, "not UTF-8"},
		{"another charset for tensors", oipInferPath, "application/json; charset=latin1", strings.NewReader("{}"), 0, 415, "in UTF-8"},
		{"gzip that unpacks to 100 MB", "/predict/batch", mimeNDJSON, strings.NewReader(gzipped(t, 100*mega)), 0, 200, `"failed":1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a reply
			grown := peakHeap(func() { a = s.attack(t, c.path, c.kind, c.body, c.length, strings.HasPrefix(c.name, "gzip")) })
			require.Equal(t, c.status, a.StatusCode, a.body[:min(len(a.body), 500)])
			require.Contains(t, a.body, c.says)
			limit := int64(160 * mega) // for a million values, and the smaller lists that they grew out of
			if c.path == "/predict/batch" {
				limit = 24 * mega
			}
			require.Less(t, grown, limit, "bytes in use")
		})
	}
}

// attack sends a body whose length may be unknown. A server that refuses early may close the connection before all is sent.
func (s *testServer) attack(t *testing.T, path, kind string, body io.Reader, length int64, packed bool) reply {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.address, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.address+path, body)
	require.NoError(t, err)
	req.ContentLength = length
	req.Header.Set("Content-Type", kind)
	if packed {
		req.Header.Set("Content-Encoding", "gzip")
	}
	sent := make(chan error, 1)
	go func() { sent <- req.Write(conn) }()
	res, err := http.ReadResponse(bufio.NewReader(conn), req)
	require.NoError(t, err)
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	_ = conn.Close()
	<-sent
	return reply{res, string(text)}
}

// manyOf repeats text up to that many bytes.
func manyOf(text string, total int) io.Reader {
	piece := strings.Repeat(text, 64<<10/len(text))
	return &repeated{text: []byte(piece), n: total / len(piece)}
}

func manyNames(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, `"c%d",`, i)
	}
	return out.String() + `"last"`
}

// TestSlowClientsHoldLittle opens a hundred batches that send a row and then nothing, and read nothing: they cost little memory, and others are answered.
func TestSlowClientsHoldLittle(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	line := string(ndjsonOf(t, modeltest.Listings(8, 1)))
	var conns []net.Conn
	grown := peakHeap(func() {
		for range 100 {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.address, "http://"))
			require.NoError(t, err)
			conns = append(conns, conn)
			_, err = fmt.Fprintf(conn, "POST /predict/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %s\r\nContent-Length: 1000000\r\n\r\n%s", mimeNDJSON, line)
			require.NoError(t, err)
		}
		for _, conn := range conns {
			_, err := conn.Read(make([]byte, 10)) // it is answered, so it holds what it will
			require.NoError(t, err)
		}
		a := s.post(t, "/predict/batch", mimeNDJSON, line)
		require.Contains(t, a.body, `"ok":1`)
	})
	require.Less(t, grown, int64(100*600<<10), "bytes for 100 clients")
	for _, conn := range conns {
		require.NoError(t, conn.Close())
	}
}
