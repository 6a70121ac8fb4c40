// Package testkit starts what tests need: services in this process, the real binary as a user starts it, the Python programs that
// tests compare with. Only tests import it.
package testkit

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startLimit is how long a process may take to be ready on a busy machine.
const startLimit = 60 * time.Second

// Build compiles the binary, with flags of go build, into a temporary folder and returns its path.
func Build(t testing.TB, flags ...string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "tasador")
	cmd := exec.Command("go", append(append([]string{"build", "-o", bin}, flags...), "tasador")...)
	cmd.Dir = ModuleRoot(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return bin
}

// Process is a running tasador. Its address by role is known once it is ready.
type Process struct {
	Addresses map[string]string // role → http://host:port or https://host:port
	cmd       *exec.Cmd
	log       *buffer
	lines     chan string // of the standard output
	exited    chan struct{}
	waitErr   error       // once exited is closed
	killed    atomic.Bool // so it need not end in good order
}

// Start runs the binary with args, which name its roles, waits until it has printed the addresses of n roles, and stops it when
// the test ends.
func Start(t testing.TB, bin string, n int, args ...string) *Process {
	t.Helper()
	p := Launch(t, nil, bin, args...)
	require.True(t, p.Ready(t, n), "tasador %v ended before it was ready: %s", args, p.log)
	return p
}

// Launch runs a program with args and more variables (NAME=value), and stops it when the test ends.
func Launch(t testing.TB, env []string, bin string, args ...string) *Process {
	t.Helper()
	p := &Process{
		Addresses: map[string]string{}, cmd: exec.Command(bin, args...), log: &buffer{}, lines: make(chan string, 100), exited: make(chan struct{}),
	}
	p.cmd.Dir = t.TempDir()
	// What the tests are told by variables, or whoever runs them has set, is not for the process.
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "TASADOR_") })
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stderr = p.log
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { p.Stop(t) })
	go func() {
		for sc := bufio.NewScanner(stdout); sc.Scan(); {
			select {
			case p.lines <- sc.Text():
			default: // nobody reads what comes after the addresses
			}
		}
		p.waitErr = p.cmd.Wait()
		close(p.exited)
	}()
	return p
}

// Ready waits until the process has printed the addresses of n roles. It reports false if it ended before.
func (p *Process) Ready(t testing.TB, n int) bool {
	t.Helper()
	timeout := time.After(startLimit)
	for len(p.Addresses) < n {
		select {
		case line := <-p.lines:
			if role, address, ok := strings.Cut(line, " "); ok && strings.Contains(address, "://") {
				p.Addresses[role] = strings.TrimSpace(address)
			}
		case <-p.exited:
			return false
		case <-timeout:
			require.Fail(t, "tasador did not get ready", "%v: %s", p.cmd.Args, p.log)
		}
	}
	return true
}

// Stop ends the process as systemd does and checks that it leaves in good order, unless it was killed.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	if !p.killed.Load() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	}
	<-p.exited
	if !p.killed.Load() {
		require.NoError(t, p.waitErr, "stop: %s", p.log)
	}
}

// Kill ends the process with SIGKILL.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	p.killed.Store(true)
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.exited
}

// Failed waits until the process has ended, and checks that it did so with an error of its own.
func (p *Process) Failed(t testing.TB) {
	t.Helper()
	<-p.exited
	p.killed.Store(true)
	require.Error(t, p.waitErr, p.log)
	require.Equal(t, 1, p.cmd.ProcessState.ExitCode(), p.log)
}

// KilledItself reports whether the process has ended by SIGKILL. Ask when Ended is closed.
func (p *Process) KilledItself() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	killed := ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	p.killed.Store(killed)
	return killed
}

// Ended is closed once the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.exited }

// PID is the id of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log returns what the process has written to its error output.
func (p *Process) Log() string { return p.log.String() }

// buffer is a bytes.Buffer that a process may write while a test reads.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

var _ io.Writer = (*buffer)(nil)

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
