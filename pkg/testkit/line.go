package testkit

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Line is a network between a client and a server that tests can disturb.
type Line struct {
	ln     net.Listener
	target string

	mu     sync.Mutex
	silent chan struct{} // closed: bytes pass; else they are held back
	ended  chan struct{}
	conns  []net.Conn
	copies sync.WaitGroup
}

// NewLine passes on, until the test ends, what comes to its address to the target and back.
func NewLine(t testing.TB, target string) *Line {
	t.Helper()
	l := &Line{ln: Listen(t), target: target, silent: make(chan struct{}), ended: make(chan struct{})}
	close(l.silent)
	l.copies.Go(l.accept)
	t.Cleanup(func() {
		require.NoError(t, l.ln.Close())
		close(l.ended)
		l.mu.Lock()
		for _, c := range l.conns {
			_ = c.Close() // it may be closed
		}
		l.mu.Unlock()
		l.copies.Wait()
	})
	return l
}

// Address is where clients connect to.
func (l *Line) Address() string { return l.ln.Addr().String() }

// Silence lets nothing pass any more on the connections there are, which stay open, and on new ones.
func (l *Line) Silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = make(chan struct{})
}

// Restore lets new connections pass again; those that fell silent stay so.
func (l *Line) Restore() {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := make(chan struct{})
	close(fresh)
	l.silent = fresh
}

// Break ends the connections there are, as a network does that is back and does not know them any more.
func (l *Line) Break() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close() // it may be closed
	}
	l.conns = nil
}

func (l *Line) accept() {
	for {
		client, err := l.ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", l.target)
		if err != nil {
			_ = client.Close() // as if nobody were there
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, client, server)
		l.mu.Unlock()
		l.copies.Go(func() { l.pass(server, client) })
		l.copies.Go(func() { l.pass(client, server) })
	}
}

func (l *Line) pass(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		l.mu.Lock()
		silent := l.silent
		l.mu.Unlock()
		select {
		case <-silent:
		case <-l.ended: // until then nothing passes, not even the end of the connection
		}
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				_ = from.Close() // it broke
			}
			_ = to.Close() // what is gone is gone
			return
		}
	}
}
