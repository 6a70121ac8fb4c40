package roles_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/config"
	"tasador/pkg/testkit"
	"tasador/pkg/testkit/modeltest"
)

// TestLoadTest loads a running serving role with the real binary: a steady rate, a file as a ramp, limits that are missed, and an interruption.
// Every request that the report counts as good is a recorded prediction.
func TestLoadTest(t *testing.T) {
	s := startStack(t, nil, config.RoleNames()...)
	bin := testkit.Build(t)
	var recorded int64
	run := func(want int, args ...string) (report loadReport, complaint string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "report.json")
		cmd := exec.CommandContext(t.Context(), bin, append([]string{"loadtest", "--url", s.serving(""), "--json", file}, args...)...)
		out, err := cmd.CombinedOutput()
		if want == 0 {
			require.NoError(t, err, string(out))
		}
		require.Equal(t, want, cmd.ProcessState.ExitCode(), string(out))
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(content, &report))
		recorded += report.Good
		s.requireRecorded(t, recorded)
		return report, string(out)
	}

	_, complaint := run(1, "--rate=20", "--duration=500ms")
	require.Contains(t, complaint, "no request was answered with success; the first error: 503: {\"detail\":\"no version of RealtorPriceModel is in Production yet")

	s.runDAG(t, "first")
	s.waitForVersion(t, "1")
	report, _ := run(0, "--rate=60", "--duration=2s", "--max-error-ratio=0", "--min-rate-ratio=0.5")
	require.EqualValues(t, 120, report.Good)

	report, complaint = run(0, "--rate=20", "--ramp-to=100", "--duration=1s", "--csv", modeltest.File(t, 3, 500), "--max-p99=1m")
	require.EqualValues(t, 60, report.Good+report.Errors)
	require.Contains(t, complaint, "are left out: they lack a field that a prediction needs")

	report, complaint = run(1, "--rate=20", "--duration=500ms", "--max-p99=1us")
	require.EqualValues(t, 10, report.Good)
	require.Regexp(t, `tasador: a limit was missed: --max-p99: p99 was \S+ ms, \S+ ms \(\S+ %\) above the limit of 0.001 ms\n`, complaint)

	_, complaint = run(1, "--rate=20", "--duration=500ms", "--listings-per-request=2", "--url", s.serving("/no/such/path"), "--max-error-ratio=0.9")
	require.Contains(t, complaint, "--max-error-ratio: 10 of 10 requests failed")
	require.Contains(t, complaint, "10 × 404 ")
	interruptLoadTest(t, bin)
}

// loadReport is what the tests read of a report.
type loadReport struct {
	Good        int64 `json:"good"`
	Errors      int64 `json:"errors"`
	Interrupted bool  `json:"interrupted"`
}

// interruptLoadTest sends SIGINT to a load test of an hour once it has written its first line.
func interruptLoadTest(t *testing.T, bin string) {
	t.Helper()
	address := testkit.FreeAddress(t) // where nobody answers
	cmd := exec.CommandContext(t.Context(), bin, "loadtest", "--url=http://"+address, "--rate=50", "--duration=1h", "--json=-", "--max-error-ratio=1")
	complaints, err := cmd.StderrPipe()
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "out")
	file, err := os.Create(out)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	cmd.Stdout = file
	require.NoError(t, cmd.Start())
	begun := make([]byte, 1)
	_, err = complaints.Read(begun)
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	interrupted := time.Now()
	require.Error(t, cmd.Wait())
	require.Less(t, time.Since(interrupted), 30*time.Second)
	require.Equal(t, 130, cmd.ProcessState.ExitCode())
	content, err := os.ReadFile(out)
	require.NoError(t, err)
	var report loadReport
	require.NoError(t, json.Unmarshal(content, &report))
	require.True(t, report.Interrupted)
	require.Positive(t, report.Errors)
}
