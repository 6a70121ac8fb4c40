package main_test

import (
	"bufio"
	"io"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

// serve starts the role serving and returns its process, its address and what will be known when it ends.
func serve(t *testing.T, bin string) (*exec.Cmd, string, <-chan error) {
	t.Helper()
	cmd := exec.Command(bin, "--role=serving", "--serving.listen=127.0.0.1:0", "--tracking.uri=http://127.0.0.1:1", "--data-dir", t.TempDir())
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	_, address, found := strings.Cut(strings.TrimSpace(line), "http://")
	require.True(t, found, line)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, address, ended
}

func TestSignals(t *testing.T) {
	bin := testkit.Build(t)
	t.Run("the same signal twice in a moment is one", func(t *testing.T) {
		cmd, _, ended := serve(t, bin)
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		require.NoError(t, <-ended)
	})
	t.Run("a later one ends the process at once", func(t *testing.T) {
		cmd, address, ended := serve(t, bin)
		conn, err := net.Dial("tcp", address) // with a request whose body never comes, which holds up the stop
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		_, err = io.WriteString(conn, "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
		require.NoError(t, err)
		_, err = bufio.NewReader(conn).ReadString('\n') // 100 Continue: the server reads it
		require.NoError(t, err)
		require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		require.Eventually(t, func() bool {
			_ = cmd.Process.Signal(syscall.SIGINT) // it may have ended
			select {
			case err = <-ended:
				return true
			default:
				return false
			}
		}, time.Minute, 20*time.Millisecond)
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		status, ok := exit.Sys().(syscall.WaitStatus)
		require.True(t, ok)
		require.True(t, status.Signaled(), "ended by %v", exit)
	})
}
