//go:build bench

package bench_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ticks is how many parts of a second Linux counts processor time in, on every platform that Go runs on.
const ticks = 100

// processorOf returns the seconds of processor time that a process, its living descendants and those that they waited for have used.
func processorOf(t testing.TB, pid int) float64 {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	parent, used := map[int]int{}, map[int]int{}
	for _, path := range stats {
		content, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		// The name, which may hold anything, stands in brackets: proc(5).
		id, _, _ := strings.Cut(string(content), " ")
		fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+2:]))
		child, err := strconv.Atoi(id)
		require.NoError(t, err)
		parent[child] = number(t, fields[1])
		for _, field := range fields[11:15] { // utime, stime, cutime, cstime
			used[child] += number(t, field)
		}
	}
	total := 0
	for child := range used {
		for at := child; at > 0; at = parent[at] {
			if at == pid {
				total += used[child]
				break
			}
		}
	}
	return float64(total) / ticks
}

func number(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}

// peakOf returns the largest resident memory that a process has had, in MiB.
func peakOf(t testing.TB, pid int) float64 {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(content)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return float64(number(t, strings.Fields(rest)[0])) / 1024
		}
	}
	require.FailNow(t, "the kernel does not say how much memory a process has had")
	return 0
}

// Before a measurement the server must have had so little to do for so long, or the limit passes: it tidies up after the one before.
const (
	quietFor   = 500 * time.Millisecond
	quietShare = 0.04
	quietLimit = 20 * time.Second
)

// settle waits until the server has nothing to do.
func settle(t testing.TB, pid int) {
	t.Helper()
	ticker := time.NewTicker(quietFor)
	defer ticker.Stop()
	before := processorOf(t, pid)
	for deadline := time.Now().Add(quietLimit); time.Now().Before(deadline); {
		<-ticker.C
		now := processorOf(t, pid)
		if now-before <= quietShare*quietFor.Seconds() {
			return
		}
		before = now
	}
}
