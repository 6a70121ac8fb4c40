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
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startLimit is how long a process may take to be ready on a busy machine.
const startLimit = 60 * time.Second

// Build compiles the binary into a temporary folder and returns its path.
func Build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "tasador")
	cmd := exec.Command("go", "build", "-o", bin, "tasador")
	cmd.Dir = ModuleRoot(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return bin
}

// Process is a running tasador. Its address by role is known once it is ready.
type Process struct {
	Addresses map[string]string // role → http://host:port
	cmd       *exec.Cmd
	log       *buffer
	waited    sync.Once
	waitErr   error
}

// Start runs the binary with args, which name its roles, waits until it has printed the addresses of n roles, and stops it when
// the test ends.
func Start(t *testing.T, bin string, n int, args ...string) *Process {
	t.Helper()
	p := &Process{Addresses: map[string]string{}, cmd: exec.Command(bin, args...), log: &buffer{}}
	p.cmd.Dir = t.TempDir()
	// What the tests are told by variables, or whoever runs them has set, is not for the process.
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "TASADOR_") })
	p.cmd.Stderr = p.log
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { p.Stop(t) })
	lines := make(chan string)
	go func() {
		defer close(lines)
		for sc := bufio.NewScanner(stdout); sc.Scan(); {
			lines <- sc.Text()
		}
	}()
	timeout := time.After(startLimit)
	for len(p.Addresses) < n {
		select {
		case line, open := <-lines:
			require.True(t, open, "tasador %v ended before it was ready: %s", args, p.log)
			if role, address, ok := strings.Cut(line, "http://"); ok {
				p.Addresses[strings.TrimSpace(role)] = "http://" + address
			}
		case <-timeout:
			require.Fail(t, "tasador did not get ready", "%v: %s", args, p.log)
		}
	}
	go func() {
		for range lines { // keep the pipe empty
		}
	}()
	return p
}

// Stop ends the process as systemd does and checks that it leaves in good order.
func (p *Process) Stop(t *testing.T) {
	t.Helper()
	p.waited.Do(func() {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return
		}
		p.waitErr = p.cmd.Wait()
		require.NoError(t, p.waitErr, "stop: %s", p.log)
	})
}

// Kill ends the process with SIGKILL.
func (p *Process) Kill(t *testing.T) {
	t.Helper()
	p.waited.Do(func() {
		require.NoError(t, p.cmd.Process.Kill())
		p.waitErr = p.cmd.Wait()
	})
}

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
