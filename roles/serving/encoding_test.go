package serving

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/testkit/modeltest"
)

// TestAPackedBodyIsRefused sends packed bodies to every address that takes a body: read as they are they would be nonsense.
func TestAPackedBodyIsRefused(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	document := string(s.role.document.json)
	sent := 0
	for _, r := range s.role.routes() {
		if r.Method != http.MethodPost || r.Path == batchPath {
			continue
		}
		path := strings.NewReplacer(":version", "7", ":model", "RealtorPriceModel").Replace(r.Path)
		for _, coding := range []string{"gzip", "br", "GZIP, identity"} {
			a := s.post(t, path, "application/json", gzipped(t, 10), "Content-Encoding", coding)
			require.Equal(t, http.StatusUnsupportedMediaType, a.StatusCode, "%s: %s", path, a.body)
			require.Equal(t, "identity", a.Header.Get("Accept-Encoding"), path)
			require.Contains(t, a.body, "the body has the Content-Encoding "+strings.ToLower(coding), path)
		}
		a := s.post(t, path, "application/json", "{}", "Content-Encoding", "Identity")
		require.NotEqual(t, http.StatusUnsupportedMediaType, a.StatusCode, path)
		sent++
	}
	require.Equal(t, 10, sent)
	for _, coding := range []string{"br", "gzip, gzip", "zstd"} {
		a := s.post(t, batchPath, mimeNDJSON, "{}", "Content-Encoding", coding)
		require.Equal(t, http.StatusUnsupportedMediaType, a.StatusCode, a.body)
		require.Equal(t, "gzip", a.Header.Get("Accept-Encoding"))
		require.Contains(t, a.body, "packed with gzip")
	}
	a := s.post(t, batchPath, mimeNDJSON, "{}", "Content-Encoding", "identity")
	require.Equal(t, http.StatusOK, a.StatusCode)

	doc := parsed[struct {
		Paths map[string]map[string]struct {
			RequestBody any
			Responses   map[string]struct{ Headers map[string]any }
		}
	}](t, document)
	described := 0
	for path, operations := range doc.Paths {
		if post, ok := operations["post"]; ok {
			require.Contains(t, post.Responses["415"].Headers, "Accept-Encoding", path)
			described++
		}
	}
	require.Equal(t, 7, described)
}

// TestGzipThatUnpacksToNearlyNothingIsRefused reads a file of line ends, which packs to a thousandth, and one of listings.
func TestGzipThatUnpacksToNearlyNothingIsRefused(t *testing.T) {
	packed := func(from io.Reader) *bytes.Buffer {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, err := io.Copy(w, from)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return &out
	}
	const mega = 1 << 20
	bomb := packed(io.LimitReader(&endless{"\n"}, 20*mega)).Bytes()
	_, err := io.Copy(io.Discard, &gunzip{from: &counted{from: bytes.NewReader(bomb)}, free: 10 * mega})
	require.ErrorContains(t, err, "unpacks to more than 100 times its length")
	require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
	n, err := io.Copy(io.Discard, &gunzip{from: &counted{from: bytes.NewReader(bomb)}, free: 30 * mega})
	require.NoError(t, err)
	require.EqualValues(t, 20*mega, n)
	lines := bytes.Repeat(ndjsonOf(t, modeltest.Listings(8, 3000)), 3)
	n, err = io.Copy(io.Discard, &gunzip{from: &counted{from: packed(bytes.NewReader(lines))}})
	require.NoError(t, err)
	require.EqualValues(t, len(lines), n)
}

// endless is a text over and over.
type endless struct{ text string }

// Read implements io.Reader.
func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.text[i%len(e.text)]
	}
	return len(p), nil
}

// TestNumbersAsTextAreReadByOneRule sends the same texts for a number in a CSV, in frames and in the form.
func TestNumbersAsTextAreReadByOneRule(t *testing.T) {
	s := startServer(t, modeltest.Train(t, 5))
	numbers := map[string]bool{
		"10": true, " 10 ": true, "+10": true, "1e1": true, "1.0E+1": true, "10.": true, "010": true, "\t10": true, ".1e2": true,
		"1_0": false, "0xa": false, "0x1.4p3": false, "inf": false, "Infinity": false, "1e999": false, "nan": false, "NaN": false, "1,0": false, "1 0": false, "1e": false,
		"--1": false, "١٠": false, "ten": false, "-": false, "-10": false,
	}
	want := ""
	for text, good := range numbers {
		csv := fmt.Sprintf("status,bed,bath,acre_lot,house_size\nsold,%q,2,1,2000\n", text)
		csv = strings.ReplaceAll(csv, `\t`, "\t")
		a := s.post(t, batchPath+"?as_of=2026-01-01", mimeCSV, csv, "Accept", mimeNDJSON)
		first := linesOf(t, a.body)[0]
		require.Equal(t, good, first.Prediction != nil, "%q in a batch: %s", text, a.body)
		if good {
			price := fmt.Sprint(*first.Prediction)
			require.True(t, want == "" || want == price, text)
			want = price
		}
		a = s.post(t, invocationsPath, mimeCSV, csv)
		require.Equal(t, good, a.StatusCode == http.StatusOK, "%q in a frame: %s", text, a.body)
		form := s.send(t, http.MethodPost, "/check", strings.NewReader("status=sold&bath=2&acre_lot=1&house_size=2000&bed="+url.QueryEscape(text)), "Content-Type", "application/x-www-form-urlencoded")
		require.Equal(t, good, form.body == "{\"errors\":{}}\n", "%q in the form: %s", text, form.body)
	}
	require.Equal(t, 422, s.post(t, "/predict?level=0x1p-1", "application/json", "{}").StatusCode)
}
