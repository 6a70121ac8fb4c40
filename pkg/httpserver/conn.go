package httpserver

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	watchTime = time.Second   // between two looks at the connections
	nearTime  = 3 * watchTime // deadlines that come sooner are given to the system at once
)

// conn is a connection whose deadlines cost little. The library sets and clears half a dozen for each request, nearly all of which are cleared long before they
// come; the runtime's timers would take a twentieth of a short request. So a deadline that is far is only noted, and the watch gives it to the system when it is
// near: it is kept as exactly as ever.
type conn struct {
	net.Conn
	all *conns

	mu      sync.Mutex
	read    time.Time // deadline of reads; zero if there is none
	set     bool      // the system has one
	past    bool      // reads fail, although the system may not know
	reading bool
	write   bool // the system has a deadline of writes
	body    bool // one is on its way
}

// Read implements net.Conn. As with every connection of the library, one reads at a time.
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	if c.past {
		c.mu.Unlock()
		return 0, os.ErrDeadlineExceeded
	}
	c.reading = true
	c.mu.Unlock()
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	c.reading = false
	c.mu.Unlock()
	return n, err
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until(at)
}

// until takes a deadline of reads. mu must be held.
func (c *conn) until(at time.Time) error {
	c.read, c.past = at, false
	if !at.IsZero() {
		left := c.all.left(at)
		if c.past = left <= 0; c.past && !c.reading {
			return nil // who reads next is told
		}
		if left < nearTime {
			c.set = true
			return c.Conn.SetReadDeadline(at)
		}
	}
	if !c.set {
		return nil
	}
	c.set = false
	return c.Conn.SetReadDeadline(time.Time{})
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.IsZero() && !c.write {
		return nil
	}
	c.write = !at.IsZero()
	return c.Conn.SetWriteDeadline(at)
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(at time.Time) error {
	if err := c.SetReadDeadline(at); err != nil {
		return err
	}
	return c.SetWriteDeadline(at)
}

// ReadFrom lets the library send files without copying them.
func (c *conn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// CloseWrite lets the library end its half of the connection.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.all.forget(c)
	return c.Conn.Close()
}

// begin says that a body comes, which has its time from now on. A connection that cannot be set is broken, which reading shows.
func (c *conn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body = true
	if c.all.hurrying.Load() {
		_ = c.until(time.Now().Add(hurryTime))
		return
	}
	_ = c.until(c.all.looked().Add(watchTime + bodyTimeout))
}

// end says that the body is whole. From here on the server only watches whether the client stays, for as long as the answer takes.
func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body = false
	_ = c.until(time.Time{}) // as in begin
}

// leave says that the handler has left the body to the server. What that reads of it has no more time.
func (c *conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body = false
}

// look gives a deadline to the system that has come near.
func (c *conn) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.read.IsZero() && !c.set && !c.past && c.all.left(c.read) < nearTime {
		c.set = true
		_ = c.Conn.SetReadDeadline(c.read) // as in begin
	}
}

// hurry gives a body that is under way little time to arrive.
func (c *conn) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.body {
		_ = c.until(time.Now().Add(hurryTime)) // as in begin
	}
}

// conns are the connections of a server.
type conns struct {
	begun    time.Time
	elapsed  atomic.Int64 // from begun to the last look, nanoseconds
	hurrying atomic.Bool

	mu   sync.Mutex
	open map[*conn]struct{}
}

func newConns() *conns { return &conns{begun: time.Now(), open: map[*conn]struct{}{}} }

// looked is when the watch looked last: the time, as exactly as deadlines of many seconds need it.
func (a *conns) looked() time.Time { return a.begun.Add(time.Duration(a.elapsed.Load())) }

// left is how long it is until a deadline, by the last look.
func (a *conns) left(at time.Time) time.Duration {
	return at.Sub(a.begun) - time.Duration(a.elapsed.Load())
}

func (a *conns) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.open)
}

func (a *conns) forget(c *conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, c)
}

// watch looks after the connections until done.
func (a *conns) watch(done <-chan struct{}) {
	look := time.NewTicker(watchTime)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			a.elapsed.Store(int64(time.Since(a.begun)))
			a.each((*conn).look)
		case <-done:
			return
		}
	}
}

// hurry gives the bodies that are under way, and those that follow, little time to arrive.
func (a *conns) hurry() {
	a.hurrying.Store(true)
	a.each((*conn).hurry)
}

func (a *conns) each(do func(*conn)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.open {
		do(c)
	}
}

// listener accepts connections for conns.
type listener struct {
	net.Listener
	all *conns
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, all: l.all}
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	l.all.open[c] = struct{}{}
	return c, nil
}

type connKey struct{}

// withConn lets handlers find their connection.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if encrypted, ok := c.(*tls.Conn); ok {
		c = encrypted.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// connOf returns the connection of a request, nil if it came by none, as in a test.
func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}
