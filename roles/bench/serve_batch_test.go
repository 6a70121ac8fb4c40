//go:build bench

package bench_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/listinggen"
)

// batchListings is how many different listings the batch repeats.
const batchListings = 1000

const ndjson = "application/x-ndjson"

// measureBatch sends a batch as NDJSON and reads the prices as NDJSON, as often as there are rounds, and returns the rows per second of each;
// none if the server has no such route.
func measureBatch(t *testing.T, s *subject) []float64 {
	url := strings.TrimSuffix(s.url, "/predict") + "/predict/batch"
	g := listinggen.New(listinggen.Options{Seed: 7, Complete: true})
	var block bytes.Buffer
	want := make([]float64, batchListings)
	for i := range want {
		l := g.Next()
		block.Write(listingBody(t, &l, asOf))
		block.WriteByte('\n')
		want[i] = s.want(&l)
	}
	probe, err := http.Post(url, ndjson, bytes.NewReader(block.Bytes()))
	require.NoError(t, err)
	answer, err := io.ReadAll(probe.Body)
	require.NoError(t, err)
	require.NoError(t, probe.Body.Close())
	if probe.StatusCode == http.StatusNotFound || probe.StatusCode == http.StatusMethodNotAllowed {
		return nil
	}
	require.Equal(t, http.StatusOK, probe.StatusCode, "%s", answer)

	var rates []float64
	for round := range *serveRounds {
		settle(t, s.pid)
		client, server := processorOf(t, os.Getpid()), processorOf(t, s.pid)
		begun := time.Now()
		sendBatch(t, url, block.Bytes(), want)
		took := time.Since(begun).Seconds()
		say(t, "round %d: batch of %d rows: %.2f s, %.0f rows/s; processors: server %.2f, client %.2f; memory of the server afterwards %.0f MiB", round, *serveRows, took,
			float64(*serveRows)/took, (processorOf(t, s.pid)-server)/took, (processorOf(t, os.Getpid())-client)/took, residentOf(treeOf(t, s.pid), "VmRSS"))
		rates = append(rates, float64(*serveRows)/took)
	}
	return rates
}

// sendBatch streams the block over and over, reads what comes back meanwhile, and checks the first prices and the number of all.
func sendBatch(t testing.TB, url string, block []byte, want []float64) {
	t.Helper()
	blocks := make([]io.Reader, *serveRows/batchListings)
	for i := range blocks {
		blocks[i] = bytes.NewReader(block)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, io.MultiReader(blocks...))
	require.NoError(t, err)
	req.Header.Set("Content-Type", ndjson)
	req.Header.Set("Accept", ndjson)
	req.Header.Set("Accept-Encoding", "identity") // the library would ask for gzip, and both sides would pack and unpack
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	in := bufio.NewReaderSize(res.Body, 1<<20)
	for i := range want {
		line, err := in.ReadBytes('\n')
		require.NoError(t, err)
		require.InEpsilon(t, want[i], priceField(t, line), tolerance, "row %d: %s", i, line)
	}
	rows := len(want)
	buf := make([]byte, 1<<20)
	for {
		n, err := in.Read(buf)
		rows += bytes.Count(buf[:n], []byte{'\n'})
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
	}
	require.Equal(t, len(blocks)*batchListings+1, rows, "one line for each row, and the summary")
}
