package httpserver

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

// accepted returns a connection as the server has it, while the watch looks after it, and its other end.
func accepted(t *testing.T) (*conn, net.Conn) {
	t.Helper()
	all := newConns()
	ln := &listener{Listener: testkit.Listen(t), all: all}
	client, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	server, err := ln.Accept()
	require.NoError(t, err)
	done := make(chan struct{})
	go all.watch(done)
	t.Cleanup(func() {
		close(done)
		require.NoError(t, server.Close())
		require.NoError(t, client.Close())
		require.Zero(t, all.count())
	})
	return server.(*conn), client
}

// reads returns what a read ends with.
func reads(c net.Conn) <-chan error {
	ended := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		ended <- err
	}()
	return ended
}

func TestDeadlinesOfReadsAreKept(t *testing.T) {
	for name, after := range map[string]time.Duration{"near": nearTime / 10, "far": nearTime + watchTime} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := accepted(t)
			at := time.Now().Add(after)
			require.NoError(t, c.SetReadDeadline(at))
			require.ErrorIs(t, <-reads(c), os.ErrDeadlineExceeded)
			require.WithinRange(t, time.Now(), at, at.Add(time.Minute))
		})
	}
}

func TestADeadlineThatIsPastEndsReadsUntilItIsTakenBack(t *testing.T) {
	past := time.Unix(1, 0)
	c, client := accepted(t)
	require.NoError(t, c.SetReadDeadline(past))
	require.ErrorIs(t, <-reads(c), os.ErrDeadlineExceeded, "of a read that follows")

	require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Hour)))
	ended := reads(c)
	require.Eventually(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.reading
	}, time.Minute, time.Millisecond)
	require.NoError(t, c.SetReadDeadline(past))
	require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded, "of a read under way")
	require.ErrorIs(t, <-reads(c), os.ErrDeadlineExceeded)

	require.NoError(t, c.SetReadDeadline(time.Time{}))
	_, err := client.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, <-reads(c))
}

func TestABodyHasItsTime(t *testing.T) {
	c, _ := accepted(t)
	deadline := func() time.Time {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.read
	}
	before := time.Now()
	c.begin()
	require.WithinRange(t, deadline(), before.Add(bodyTimeout), time.Now().Add(bodyTimeout+watchTime))
	c.end()
	require.Zero(t, deadline())
	c.begin()
	c.leave()
	require.NotZero(t, deadline(), "for what the server reads of the rest")
	c.begin()
	c.all.hurry()
	require.WithinRange(t, deadline(), before, time.Now().Add(hurryTime))
}

func TestAWriteThatNobodyTakesEndsAtItsDeadline(t *testing.T) {
	c, _ := accepted(t)
	require.NoError(t, c.SetWriteDeadline(time.Time{}))
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Second)))
	var err error
	for piece := make([]byte, 1<<20); err == nil; {
		_, err = c.Write(piece)
	}
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, c.SetDeadline(time.Time{}))
	_, err = c.Write(nil)
	require.NoError(t, err)
}
