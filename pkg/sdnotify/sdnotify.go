// Package sdnotify tells systemd how this process is: that it is ready, that it still answers, and that it stops (the protocol of sd_notify).
package sdnotify

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"
)

// The variables by which systemd says where it listens and how often it wants to hear from the process, in microseconds, and from which.
const (
	socketVariable   = "NOTIFY_SOCKET"
	intervalVariable = "WATCHDOG_USEC"
	processVariable  = "WATCHDOG_PID"
)

// asksPerInterval leaves room for asks that come late: the process says that it is alive three times as often as it must.
const asksPerInterval = 3

// Notifier speaks to systemd. A nil one does nothing, which is what a process has that systemd did not start.
type Notifier struct {
	socket string
	every  time.Duration // between two signs of life; 0 if systemd waits for none
	log    *slog.Logger
}

// New returns the notifier that the environment asks for, nil if it asks for none. get looks up a variable, pid is this process.
func New(get func(string) string, pid int, log *slog.Logger) *Notifier {
	n := &Notifier{socket: get(socketVariable), log: log}
	if n.socket == "" {
		return nil
	}
	if of := get(processVariable); of != "" && of != strconv.Itoa(pid) {
		return n // the watchdog is meant for another process, which handed its environment on
	}
	if µs, err := strconv.ParseInt(get(intervalVariable), 10, 64); err == nil && µs > 0 {
		n.every = time.Duration(µs) * time.Microsecond / asksPerInterval
	}
	return n
}

// tell sends assignments such as READY=1 in one datagram.
func (n *Notifier) tell(ctx context.Context, assignments ...string) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unixgram", n.socket)
	if err == nil {
		_, err = conn.Write([]byte(strings.Join(assignments, "\n")))
		_ = conn.Close() // it was written to or not
	}
	if err != nil {
		n.log.WarnContext(ctx, "cannot tell systemd how this process is; it may restart it", "socket", n.socket, "error", err)
	}
}

// Health says in a few words how the process is, and whether it does its work: if it does not, a restart is what helps.
type Health func(ctx context.Context) (status string, alive bool)

// Follow tells systemd about a process that is starting: READY=1 once ready is closed, WATCHDOG=1 as long as health says that it is alive, STOPPING=1 when
// ctx ends. It returns when ended is closed. A stop has a limit of its own, so the process counts as alive while it stops.
func (n *Notifier) Follow(ctx context.Context, ready, ended <-chan struct{}, health Health) {
	if n == nil {
		return
	}
	always := context.WithoutCancel(ctx)
	n.tell(always, "STATUS=starting")
	select {
	case <-ended:
		return
	case <-ready:
		n.tell(always, "READY=1", "STATUS=started")
		n.watch(ctx, ended, health)
	case <-ctx.Done():
	}
	n.tell(always, "STOPPING=1", "STATUS=stopping: finishing what is under way")
	n.watch(always, ended, func(context.Context) (string, bool) { return "", true })
}

// watch gives signs of life until ctx ends or the process has ended.
func (n *Notifier) watch(ctx context.Context, ended <-chan struct{}, health Health) {
	var due <-chan time.Time
	if n.every > 0 {
		ticker := time.NewTicker(n.every)
		defer ticker.Stop()
		due = ticker.C
		n.sign(ctx, health)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ended:
			return
		case <-due:
			n.sign(ctx, health)
		}
	}
}

// sign gives one sign of life, if there is life.
func (n *Notifier) sign(ctx context.Context, health Health) {
	asked, cancel := context.WithTimeout(ctx, n.every)
	defer cancel()
	status, alive := health(asked)
	if ctx.Err() != nil {
		return // what was asked was stopped meanwhile
	}
	var assignments []string
	if status != "" {
		assignments = append(assignments, fmt.Sprintf("STATUS=%s", strings.ReplaceAll(status, "\n", " ")))
	}
	if alive {
		assignments = append(assignments, "WATCHDOG=1")
	} else {
		n.log.WarnContext(ctx, "this process does not answer as it should; unless it does soon, systemd restarts it", "status", status)
	}
	if len(assignments) > 0 {
		n.tell(ctx, assignments...)
	}
}
