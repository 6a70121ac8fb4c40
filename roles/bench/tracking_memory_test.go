//go:build bench

package bench_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// treeOf returns a process, first, and all its living descendants.
func treeOf(t testing.TB, root int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	children := map[int][]int{}
	for _, path := range stats {
		content, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		id, _, _ := strings.Cut(string(content), " ")
		fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+2:])) // the name stands in brackets: proc(5)
		parent := number(t, fields[1])
		children[parent] = append(children[parent], number(t, id))
	}
	tree := []int{root}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	return tree
}

// residentOf returns the resident memory of processes together, in MiB; field is VmRSS, or VmHWM for the most that each has had.
func residentOf(pids []int, field string) float64 {
	total := 0
	for _, pid := range pids {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue // it has ended meanwhile
		}
		for line := range strings.Lines(string(content)) {
			if rest, ok := strings.CutPrefix(line, field+":"); ok {
				kib, _ := strconv.Atoi(strings.Fields(rest)[0]) // the kernel writes a number
				total += kib
			}
		}
	}
	return float64(total) / 1024
}

// memory returns the resident memory of the whole server, in MiB.
func (s *trackingServer) memory(t testing.TB) float64 {
	t.Helper()
	return residentOf(treeOf(t, s.cmd.Process.Pid), "VmRSS")
}

// memoryWatch follows the memory of a server.
type memoryWatch struct {
	pid  int
	mu   sync.Mutex
	most float64
	stop func()
}

const (
	memoryEvery = 50 * time.Millisecond
	treeEvery   = 20 // looks at memory between two looks for new processes
)

func watchMemory(t testing.TB, s *trackingServer) *memoryWatch {
	t.Helper()
	w := &memoryWatch{pid: s.cmd.Process.Pid}
	w.peak() // what the start has taken does not count
	done, ended := make(chan struct{}), make(chan struct{})
	w.stop = sync.OnceFunc(func() { close(done); <-ended })
	t.Cleanup(w.stop)
	go func() {
		defer close(ended)
		ticker := time.NewTicker(memoryEvery)
		defer ticker.Stop()
		var tree []int
		for n := 0; ; n++ {
			if n%treeEvery == 0 {
				tree = treeOf(t, w.pid)
			}
			now := residentOf(tree, "VmRSS")
			w.mu.Lock()
			w.most = max(w.most, now)
			w.mu.Unlock()
			select {
			case <-done:
				return
			case <-ticker.C:
			}
		}
	}()
	return w
}

// peak returns the most that was seen since the last call; for one process alone the kernel knows it exactly.
func (w *memoryWatch) peak() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	most := w.most
	w.most = 0
	if exact := residentOf([]int{w.pid}, "VmHWM"); exact > most {
		most = exact
	}
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", w.pid), []byte("5"), 0) // begins VmHWM anew; where that is not allowed, it only stays higher
	return most
}

func (w *memoryWatch) end() { w.stop() }
