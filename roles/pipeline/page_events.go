package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"tasador/pkg/apperror"
	"tasador/pkg/lifecycle"
)

// Bounds of the streams of events.
const (
	lookEvery      = 400 * time.Millisecond // at the rows, for each stream
	maxFeeds       = 64
	maxFeedsOfOne  = 8                // of one client address
	feedLife       = 10 * time.Minute // then the browser connects anew
	feedWriteLimit = 10 * time.Second
	feedHeartbeat  = 15 * time.Second // so that a client that is gone is noticed
)

// feeds counts the streams of events and ends them when the server stops.
type feeds struct {
	stop chan struct{}
	mu   sync.Mutex
	open map[string]int // by client address
	all  int
}

func newFeeds() *feeds { return &feeds{stop: make(chan struct{}), open: map[string]int{}} }

// service ends the streams when it is stopped, which must be before the server that they are part of waits for them.
func (f *feeds) service() lifecycle.Service {
	return lifecycle.Func(func(ctx context.Context, ready func()) error {
		ready()
		<-ctx.Done()
		close(f.stop)
		return nil
	})
}

// enter counts a stream in and returns what counts it out; false if there are too many.
func (f *feeds) enter(client string) (leave func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all >= maxFeeds || f.open[client] >= maxFeedsOfOne {
		return nil, false
	}
	f.all++
	f.open[client]++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.all--
		if f.open[client]--; f.open[client] == 0 {
			delete(f.open, client)
		}
	}, true
}

// feed is one stream: it tells when something changed that the page shows, and the new lines of one try's log.
type feed struct {
	pages    *pages
	c        echo.Context
	run      string
	instance int64 // 0: no log
	try      int
	after    int64
	seen     string
	spoke    time.Time
}

// events is GET /dags/:dag_id/events?run=&task=&try=&after=, a stream of server-sent events: "change" with what is to be seen now, and "log" with a line.
func (p *pages) events(c echo.Context) error {
	if err := p.checkDAG(c); err != nil {
		return err
	}
	f := feed{pages: p, c: c, run: c.QueryParam("run")}
	var err error
	if f.try, err = number(c, "try", 0); err != nil {
		return err
	}
	if after := c.QueryParam("after"); after != "" {
		if f.after, err = strconv.ParseInt(after, 10, 64); err != nil {
			return apperror.New(apperror.Invalid, "after=%s is not the key of a line", after)
		}
	}
	ctx := c.Request().Context()
	if _, err := p.snapshot(ctx, f.run); err != nil {
		return err
	}
	if task := c.QueryParam("task"); task != "" && f.try > 0 {
		instance, err := p.store.Instance(ctx, p.plan.Definition().ID, f.run, task)
		if err != nil {
			return err
		}
		f.instance = instance.Key
	}
	client, _, err := net.SplitHostPort(c.Request().RemoteAddr)
	if err != nil {
		client = c.Request().RemoteAddr
	}
	leave, ok := p.feeds.enter(client)
	if !ok {
		return apperror.New(apperror.Unavailable, "too many pages follow the DAG at once; close some of them")
	}
	defer leave()
	// The connection may serve another request after this one.
	defer func() { _ = http.NewResponseController(c.Response()).SetWriteDeadline(time.Time{}) }() // one that cannot be set is broken
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "text/event-stream")
	h.Set(echo.HeaderCacheControl, "no-store")
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	f.follow()
	return nil
}

// follow sends what happens until the client goes, the server stops, or the stream is old. A client that does not read ends it too.
func (f *feed) follow() {
	look, end := time.NewTicker(lookEvery), time.NewTimer(feedLife)
	defer look.Stop()
	defer end.Stop()
	for {
		if err := f.tell(); err != nil {
			f.pages.log.Debug("a stream of events ended", "error", err)
			return
		}
		select {
		case <-look.C:
		case <-end.C:
			return
		case <-f.pages.feeds.stop:
			return
		case <-f.c.Request().Context().Done():
			return
		}
	}
}

// tell sends what is new. Lines go first: when a task has ended, its log is whole.
func (f *feed) tell() error {
	ctx := f.c.Request().Context()
	s, err := f.pages.snapshot(ctx, f.run)
	if err != nil {
		return err
	}
	if f.instance != 0 {
		lines, last, err := f.pages.logLines(ctx, f.instance, f.try, f.after)
		if err != nil {
			return err
		}
		f.after = last
		for _, line := range lines {
			text, err := json.Marshal(line)
			if err != nil {
				return err
			}
			if err := f.send("event: log\nid: %d\ndata: %s\n\n", line.Key, text); err != nil {
				return err
			}
		}
	}
	switch seen := s.seen(); {
	case seen != f.seen:
		f.seen = seen
		return f.send("event: change\ndata: %s\n\n", seen)
	case time.Since(f.spoke) > feedHeartbeat:
		return f.send(": still here\n\n")
	}
	return nil
}

func (f *feed) send(format string, args ...any) error {
	f.spoke = time.Now()
	w := http.NewResponseController(f.c.Response())
	if err := w.SetWriteDeadline(f.spoke.Add(feedWriteLimit)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(f.c.Response(), format, args...); err != nil {
		return err
	}
	return w.Flush()
}
