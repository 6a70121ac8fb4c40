package testkit

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/lifecycle"
)

// Listen listens on a free port of loopback. Whoever serves on it closes it.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return ln
}

// FreeAddress returns an address, host:port, at which nothing answers.
func FreeAddress(t testing.TB) string {
	t.Helper()
	ln := Listen(t)
	require.NoError(t, ln.Close())
	return ln.Addr().String()
}

// Serve runs a service until the test ends, and checks that it then ends in good order. stop ends it earlier and returns its error.
func Serve(t testing.TB, service lifecycle.Service) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- service.Run(ctx, func() { close(ready) }) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		require.FailNow(t, "the service ended before it was ready", "%v", err)
	}
	t.Cleanup(func() { require.NoError(t, stop()) })
	return stop
}
