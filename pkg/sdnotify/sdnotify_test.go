package sdnotify_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tasador/pkg/sdnotify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const pid = 4321

// manager listens as systemd does.
func manager(t *testing.T) (socket string, next func() string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return socket, func() string {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
		buffer := make([]byte, 4096)
		n, err := conn.Read(buffer)
		require.NoError(t, err)
		return string(buffer[:n])
	}
}

func notifier(variables map[string]string) *sdnotify.Notifier {
	return sdnotify.New(func(name string) string { return variables[name] }, pid, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// follow lets a notifier follow a process whose health alive says, until the test ends.
func follow(t *testing.T, n *sdnotify.Notifier, alive *atomic.Bool) (ready chan struct{}, stop context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready = make(chan struct{})
	ended, returned := make(chan struct{}), make(chan struct{})
	go func() {
		n.Follow(ctx, ready, ended, func(context.Context) (string, bool) { return "as it\nis", alive.Load() })
		close(returned)
	}()
	t.Cleanup(func() {
		cancel()
		close(ended)
		<-returned
	})
	return ready, cancel
}

func TestAProcessIsFollowedFromStartToStop(t *testing.T) {
	socket, next := manager(t)
	var alive atomic.Bool
	alive.Store(true)
	ready, stop := follow(t, notifier(map[string]string{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "60000", "WATCHDOG_PID": "4321"}), &alive)
	require.Equal(t, "STATUS=starting", next())
	close(ready)
	require.Equal(t, "READY=1\nSTATUS=started", next())
	for range 3 {
		require.Equal(t, "STATUS=as it is\nWATCHDOG=1", next())
	}

	alive.Store(false)
	require.Eventually(t, func() bool { return next() == "STATUS=as it is" }, time.Minute, time.Millisecond)
	for range 3 {
		require.Equal(t, "STATUS=as it is", next(), "no sign of life while there is no life")
	}
	alive.Store(true)
	require.Eventually(t, func() bool { return strings.HasSuffix(next(), "WATCHDOG=1") }, time.Minute, time.Millisecond)

	alive.Store(false) // a process that stops answers no more
	stop()
	require.Eventually(t, func() bool { return strings.HasPrefix(next(), "STOPPING=1\n") }, time.Minute, time.Millisecond)
	require.Equal(t, "WATCHDOG=1", next())
	require.Equal(t, "WATCHDOG=1", next())
}

func TestWhoIsNotAskedGivesNoSignOfLife(t *testing.T) {
	for name, variables := range map[string]map[string]string{
		"no watchdog":                   {},
		"the watchdog of somebody else": {"WATCHDOG_USEC": "3000", "WATCHDOG_PID": "1"},
		"no number":                     {"WATCHDOG_USEC": "soon"},
	} {
		t.Run(name, func(t *testing.T) {
			socket, next := manager(t)
			variables["NOTIFY_SOCKET"] = socket
			var alive atomic.Bool
			ready, stop := follow(t, notifier(variables), &alive)
			require.Equal(t, "STATUS=starting", next())
			close(ready)
			require.Equal(t, "READY=1\nSTATUS=started", next())
			stop()
			require.Contains(t, next(), "STOPPING=1")
		})
	}
}

func TestAStopDuringTheStartIsTold(t *testing.T) {
	socket, next := manager(t)
	_, stop := follow(t, notifier(map[string]string{"NOTIFY_SOCKET": socket}), &atomic.Bool{})
	require.Equal(t, "STATUS=starting", next())
	stop()
	require.Contains(t, next(), "STOPPING=1")
}

func TestWithoutSystemdNothingHappens(t *testing.T) {
	n := notifier(map[string]string{"WATCHDOG_USEC": "1000"})
	require.Nil(t, n)
	n.Follow(t.Context(), nil, nil, nil)
}
