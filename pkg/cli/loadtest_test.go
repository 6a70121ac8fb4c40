package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLoadTestRefusesWhatItCannotDoWithCode2(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "a.csv")
	require.NoError(t, os.WriteFile(file, []byte("status,bed\nsold,3\n"), 0o600))
	for says, args := range map[string][]string{
		"--rate=0 must be above 0":                              {"--rate=0"},
		"--rate=NaN must be above 0":                            {"--rate=NaN"},
		"--rate=0.01 sends nothing in --duration=10s":           {"--rate=0.01"},
		"--ramp-to=-1 must be above 0":                          {"--ramp-to=-1"},
		"--duration=-1s must be above 0":                        {"--duration=-1s"},
		"--timeout=0s must be above 0":                          {"--timeout=0s"},
		"--connections=0 must be 1 to 10000":                    {"--connections=0"},
		"--listings-per-request=0 must be 1 to 10000":           {"--listings-per-request=0"},
		"--max-p99=0s must be above 0":                          {"--max-p99=0s"},
		"--max-error-ratio=1.5 must be 0 to 1":                  {"--max-error-ratio=1.5"},
		"--min-rate-ratio=-1 must be 0 to 1":                    {"--min-rate-ratio=-1"},
		"--url=localhost:8000 is not an address":                {"--url=localhost:8000"},
		"--url=http://192.0.2.1:8000 is not on this machine":    {"--url=http://192.0.2.1:8000"},
		"if that server is yours to load, add --allow-remote":   {"--url=http://0.0.0.0:8000"},
		"--csv=" + folder + "/none.csv cannot be read: no such": {"--csv", folder + "/none.csv"},
		file + ": no listing of the file has all fields":        {"--csv", file},
		"the result cannot be written to " + folder + "/no/a":   {"--json", folder + "/no/a"},
		"--html=" + file + " is the file of the listings":       {"--csv", file, "--html", file},
		"--html=- is not possible":                              {"--html=-"},
		`expected a float but got "fast"`:                       {"--rate=fast"},
	} {
		r := tasador(t, append([]string{"loadtest", "--url=http://127.0.0.1:1"}, args...)...)
		require.Equal(t, 2, r.code, says)
		require.Contains(t, r.err, says)
		require.Empty(t, r.out)
	}
}

// TestLoadTestOfAServerThatKeepsItsLimits sends lists to a server that insists on them, and writes all reports.
func TestLoadTestOfAServerThatKeepsItsLimits(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var rows []map[string]any
		if r.URL.Path != "/elsewhere" || json.NewDecoder(r.Body).Decode(&rows) != nil || len(rows) != 20 {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	}))
	defer server.Close()
	folder := t.TempDir()
	t.Setenv("TASADOR_SERVING_URI", server.URL+"/elsewhere")
	r := tasador(t, "loadtest", "--rate=50", "--duration=1s", "--listings-per-request=20", "--max-error-ratio=0", "--max-p99=1m", "--min-rate-ratio=0.5",
		"--json", filepath.Join(folder, "a.json"), "--html", filepath.Join(folder, "a.html"))
	require.Equal(t, 0, r.code, r.err)
	require.Regexp(t, `(?m)^good +50 answers, \S+/s, \d+(\.\d+)? listings/s$`, r.out)
	require.Regexp(t, `(?m)^target +`+server.URL+`/elsewhere, at most 32 connections, 20 listings a request$`, r.out)
	require.Regexp(t, `--max-p99 kept: p99 was \S+ ms, \S+ ms \(\S+ %\) below the limit of 60000 ms`, r.out)
	require.NotContains(t, r.err, "\r", "no line is written over where there is no terminal")
	content, err := os.ReadFile(filepath.Join(folder, "a.json"))
	require.NoError(t, err)
	var report struct {
		Good     int     `json:"good"`
		Listings float64 `json:"listings"`
		PerS     float64 `json:"throughput"`
	}
	require.NoError(t, json.Unmarshal(content, &report))
	require.Equal(t, 50, report.Good)
	require.InEpsilon(t, 20*report.PerS, report.Listings, 1e-9)
	page, err := os.ReadFile(filepath.Join(folder, "a.html"))
	require.NoError(t, err)
	require.Contains(t, string(page), "<title>Load test of "+server.URL+"/elsewhere</title>")
}

func TestLoadTestFailsWhenALimitIsMissed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	defer server.Close()
	r := tasador(t, "loadtest", "--url", server.URL, "--rate=40", "--duration=500ms", "--max-error-ratio=0.5", "--json=-")
	require.Equal(t, 1, r.code)
	require.Equal(t, "tasador: a limit was missed: --max-error-ratio: 20 of 20 requests failed, a ratio of 1, 0.5 (100 %) above the limit of 0.5\n", r.err)
	var report struct {
		URL    string `json:"url"`
		Limits []struct {
			Met bool `json:"met"`
		} `json:"limits"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &report), "the report is there all the same, as JSON alone")
	require.Equal(t, server.URL+"/predict", report.URL)
	require.Len(t, report.Limits, 1)
	require.False(t, report.Limits[0].Met)
}
