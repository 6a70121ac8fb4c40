//go:build bench

package bench_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

// connections is how many clients ask at the same time.
const connections = 32

// warmSeconds is how long a server is asked before it is measured.
const warmSeconds = 1

// wrkResult is one measurement of one server with wrk.
type wrkResult struct {
	Requests  int     `json:"requests"`
	Seconds   float64 `json:"seconds"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	P999      float64 `json:"p999_ms"`
	Errors    int     `json:"errors"`
	subject   string
	round     int
	resident  float64 // MiB, of the server and its processes, just after
	server    float64 // processors that the server used
	generator float64 // processors that wrk used
}

func (m wrkResult) rate() float64 { return float64(m.Requests) / m.Seconds }

// runWrk measures a server once. An answer that is no success fails the benchmark.
func runWrk(t testing.TB, s *subject, round int) wrkResult {
	t.Helper()
	file := writeBody(t, s.body)
	wrk(t, s, file, warmSeconds)
	before := processorOf(t, s.pid)
	m := wrk(t, s, file, *serveSeconds)
	require.Positive(t, m.Requests, "%s: nothing was answered in %d s", s.name, *serveSeconds)
	m.server = (processorOf(t, s.pid) - before) / m.Seconds
	m.resident = residentOf(treeOf(t, s.pid), "VmRSS")
	m.subject, m.round = s.name, round
	return m
}

// wrk runs Debian's wrk with one thread, which is more than any of the servers needs.
func wrk(t testing.TB, s *subject, file string, seconds int) wrkResult {
	t.Helper()
	script := filepath.Join(testkit.ModuleRoot(t), "scripts", "bench", "wrk.lua")
	cmd := exec.CommandContext(t.Context(), "wrk", "-t1", fmt.Sprintf("-c%d", connections), fmt.Sprintf("-d%ds", seconds), "--timeout=30s", "-s", script, s.url, "--", file)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	_, text, found := strings.Cut(string(out), "\nresult ")
	require.True(t, found, "%s", out)
	var m wrkResult
	require.NoError(t, json.Unmarshal([]byte(text), &m), text)
	require.Zero(t, m.Errors, "%s: %s", s.name, out)
	m.generator = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds() / m.Seconds
	return m
}
