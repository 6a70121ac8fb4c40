// Package audit keeps who changed what, as lines of JSON in a folder: the newest in audit.jsonl, those before in files of a bounded number. Several processes
// may write to one folder.
package audit

import (
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Entry is one change, or one try to change something.
type Entry struct {
	Time      time.Time         `json:"time"`
	User      string            `json:"user,omitempty"`    // empty if nobody knows
	Via       string            `json:"via,omitempty"`     // how the user has proved that: password, token, session, process; claim if not at all, command for the command line
	Token     string            `json:"token,omitempty"`   // name of the token
	Address   string            `json:"address,omitempty"` // of the connection, which may be a proxy's
	Agent     string            `json:"agent,omitempty"`   // program, as it says itself
	Server    string            `json:"server,omitempty"`  // role of tasador
	Method    string            `json:"method,omitempty"`
	Action    string            `json:"action"` // route, or what was asked of the command line
	Object    map[string]string `json:"object,omitempty"`
	Outcome   Outcome           `json:"outcome"`
	Status    int               `json:"status,omitempty"` // of HTTP
	Error     string            `json:"error,omitempty"`  // what the client was told
	RequestID string            `json:"request_id,omitempty"`

	// Count is how many more calls that are alike followed since the line before that tells of them, until Time; 0 for a line of one call.
	Count int `json:"count,omitempty"`
}

// Outcome is what became of a change.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused" // the caller may not do it
	Failed  Outcome = "failed"
)

// Outcomes are all there are.
func Outcomes() []Outcome { return []Outcome{Done, Refused, Failed} }

const (
	flushEvery = 50 * time.Millisecond
	countFor   = time.Minute
	maxWaiting = 8 << 20 // bytes that wait for the disk; beyond them lines are lost
	maxAlike   = 10_000  // kinds of calls that are counted at once
	maxText    = 500     // bytes of what clients choose
)

// Log writes entries. It is safe for concurrent use; who records waits for no disk. A nil Log records nothing.
type Log struct {
	files *files
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	waiting []byte
	alike   map[key]*tally
	ended   bool

	wake chan struct{} // there are lines
	quit chan struct{} // there will be no more
	done chan struct{}

	lost    atomic.Int64
	problem atomic.Pointer[error]
}

// key is what calls have in common that are counted instead of written.
type key struct {
	user, via, token, address, server, method, action, object string
	status                                                    int
}

// tally counts calls that are alike since the one that was written.
type tally struct {
	until time.Time
	last  Entry
	count int
}

// Options bound what is kept.
type Options struct {
	Folder   string
	FileSize int64 // bytes after which a new file begins
	Files    int   // that are kept
}

// Open makes the folder and begins to write; log may be nil. Codes: Unavailable if nothing can be written there.
func Open(opt Options, log *slog.Logger) (*Log, error) {
	f, err := openFiles(opt)
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &Log{files: f, log: log, now: time.Now, alike: map[key]*tally{}, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	go l.write()
	return l, nil
}

// Record notes a change. With often, calls that are alike within a minute are one line for the first and one with the number of the others.
func (l *Log) Record(e Entry, often bool) {
	if l == nil {
		return
	}
	if e.Time.IsZero() {
		e.Time = l.now()
	}
	e.bound()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || (often && l.counted(e)) {
		return
	}
	l.add(e)
}

// counted counts an entry if one that is alike was written within the last minute. Of too many kinds, those that are new are written.
func (l *Log) counted(e Entry) bool {
	k := key{e.User, e.Via, e.Token, e.Address, e.Server, e.Method, e.Action, joined(e.Object), e.Status}
	if t := l.alike[k]; t != nil {
		t.count++
		t.last = e
		return true
	}
	if len(l.alike) < maxAlike {
		l.alike[k] = &tally{until: e.Time.Add(countFor)}
	}
	return false
}

// add puts a line where the writer finds it. mu must be held.
func (l *Log) add(e Entry) {
	if len(l.waiting) > maxWaiting {
		l.lost.Add(1)
		return
	}
	line, err := json.Marshal(e)
	if err != nil { // no entry has what JSON has not
		l.lost.Add(1)
		return
	}
	l.waiting = append(append(l.waiting, line...), '\n')
	select {
	case l.wake <- struct{}{}:
	default: // the writer knows
	}
}

// sum writes the counts whose minute is over, or all. mu must be held.
func (l *Log) sum(all bool) {
	now := l.now()
	for k, t := range l.alike {
		if !all && now.Before(t.until) {
			continue
		}
		delete(l.alike, k)
		if t.count > 0 {
			t.last.Count = t.count
			l.add(t.last)
		}
	}
}

// Close writes what is left.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	l.sum(true)
	l.ended = true
	l.mu.Unlock()
	close(l.quit)
	<-l.done
	return errors.Join(l.Problem(), l.files.lock.Close())
}

// Lost is how many lines could not be kept since the start.
func (l *Log) Lost() int64 { return l.lost.Load() }

// Problem says why nothing can be written; nil if it can.
func (l *Log) Problem() error {
	if err := l.problem.Load(); err != nil {
		return *err
	}
	return nil
}

// write brings lines to the disk, some at a time.
func (l *Log) write() {
	defer close(l.done)
	sums := time.NewTicker(time.Second)
	defer sums.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-l.quit:
			l.flush()
			return
		case <-l.wake:
			<-pause.C // lines that follow go with it
			l.flush()
			pause.Reset(flushEvery)
		case <-sums.C:
			l.mu.Lock()
			l.sum(false)
			l.mu.Unlock()
			if l.Problem() != nil {
				l.flush()
			}
		}
	}
}

// flush writes what waits. What could not be written waits on.
func (l *Log) flush() {
	l.mu.Lock()
	lines := l.waiting
	l.waiting = nil
	l.mu.Unlock()
	if len(lines) == 0 {
		return
	}
	err := l.files.append(lines)
	before := l.problem.Load()
	if err == nil {
		l.problem.Store(nil)
		return
	}
	l.problem.Store(&err)
	if before == nil {
		l.log.Error("the audit log cannot be written; its lines wait", "error", err)
	}
	l.mu.Lock()
	l.waiting = append(lines, l.waiting...)
	l.mu.Unlock()
}
