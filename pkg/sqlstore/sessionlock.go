package sqlstore

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tasador/pkg/apperror"
)

// How a connection that holds a lock is watched: a connection that breaks is seen at once, one that falls silent within lockCheck and
// lockAnswer. The server is asked to give a silent client up only later, so that whoever lost a lock knows it before somebody else gets it.
const (
	lockCheck    = 2 * time.Second
	lockAnswer   = 5 * time.Second
	lockPatience = 2 * time.Second // for a server that has not yet noticed that a holder has ended
	lockRetry    = 50 * time.Millisecond
)

// silentClient is when the server gives a client up that acknowledges nothing: 15 s, then 3 probes of 5 s.
func silentClient() map[string]string {
	return map[string]string{"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3", "tcp_user_timeout": "30000"}
}

// SessionLock keeps others away from what its name stands for, wherever they run, by an advisory lock of a PostgreSQL database. It lasts as
// long as a connection that does nothing else, so the server lets go of it when the process ends in whatever way.
type SessionLock struct {
	config *pgx.ConnConfig
	server *postgresServer
	name   string
	taken  string

	mu   sync.Mutex
	held *heldLock
}

// heldLock is one connection that holds the lock, and who watches it.
type heldLock struct {
	conn    *pgx.Conn
	started time.Time // of the session at the server
	lost    chan struct{}
	stop    context.CancelFunc
	done    chan struct{}
}

// AcquireSessionLock takes the lock in the current schema of the database that url names. Codes: FailedPrecondition, with the sentence
// taken, if somebody has it; Unavailable if the server does not answer.
func AcquireSessionLock(ctx context.Context, url, name, taken string) (*SessionLock, error) {
	config, called, err := postgresConfig(url)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["application_name"] = name
	for param, value := range silentClient() {
		config.RuntimeParams[param] = value
	}
	l := &SessionLock{config: config, server: &postgresServer{name: called}, name: name, taken: taken}
	return l, l.take(ctx, nil)
}

// Lost is closed when the connection that holds the lock has been lost, and with it the lock. After Retake it is another channel.
func (l *SessionLock) Lost() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held.lost
}

// Retake takes a lock that was lost again. Codes: as AcquireSessionLock.
func (l *SessionLock) Retake(ctx context.Context) error {
	l.mu.Lock()
	before := l.held
	l.mu.Unlock()
	before.end()
	return l.take(ctx, before)
}

// Release lets the next have the lock.
func (l *SessionLock) Release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held.end()
	return nil
}

// take connects and takes the lock; before is the session that had it and may still be there for the server.
func (l *SessionLock) take(ctx context.Context, before *heldLock) error {
	conn, err := pgx.ConnectConfig(ctx, l.config)
	if err != nil {
		return openError(l.server, err)
	}
	held := &heldLock{conn: conn, lost: make(chan struct{}), done: make(chan struct{})}
	if err := l.lock(ctx, held, before); err != nil {
		closeConn(conn)
		return l.server.explain(err)
	}
	watched, stop := context.WithCancel(context.WithoutCancel(ctx))
	held.stop = stop
	go held.watch(watched)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = held
	return nil
}

func (l *SessionLock) lock(ctx context.Context, held, before *heldLock) error {
	// A server may end sessions that do nothing, if it is new enough to know how.
	_, err := held.conn.Exec(ctx, "SELECT set_config('idle_session_timeout', '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'")
	if err == nil && before != nil {
		// If the connection was lost on the way, the server may not know it yet.
		_, err = held.conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2",
			before.conn.PgConn().PID(), before.started)
	}
	if err == nil {
		err = held.conn.QueryRow(ctx, "SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()").Scan(&held.started)
	}
	if err != nil {
		return err
	}
	retry, patience := time.NewTicker(lockRetry), time.After(lockPatience)
	defer retry.Stop()
	for {
		var got bool
		// Schemas of one database have locks of their own.
		err := held.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1 || ' of ' || coalesce(current_schema(), ''), 0))", l.name).Scan(&got)
		if err != nil || got {
			return err
		}
		select {
		case <-retry.C:
		case <-patience:
			return apperror.New(apperror.FailedPrecondition, "%s", l.taken)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watch closes lost as soon as the connection breaks or does not answer.
func (h *heldLock) watch(ctx context.Context) {
	defer close(h.done)
	for ctx.Err() == nil {
		wait, cancel := context.WithTimeout(ctx, lockCheck)
		_, err := h.conn.WaitForNotification(wait) // nobody notifies: it ends with the time or with the connection
		cancel()
		if err == nil || (pgconn.Timeout(err) && !h.conn.IsClosed()) {
			answer, cancel := context.WithTimeout(ctx, lockAnswer)
			err = h.conn.Ping(answer)
			cancel()
		}
		if err != nil && ctx.Err() == nil {
			close(h.lost)
			return
		}
	}
}

// end stops the watch and closes the connection.
func (h *heldLock) end() {
	h.stop()
	<-h.done
	closeConn(h.conn)
}

// closeConn takes leave of the server, which lets go of the locks of the session.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), lockAnswer)
	defer cancel()
	_ = conn.Close(ctx) // what is gone is gone
}
