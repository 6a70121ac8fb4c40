package predictionstore

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/journal"
	"tasador/pkg/sqlstore"
)

// How long to wait before a database that was away is tried again: at first, and at most.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// Eventual is a Store that is opened as soon as its database answers. Until then all that it is asked for is Unavailable, and says why. It is safe for concurrent
// use.
type Eventual struct {
	url     string
	log     *slog.Logger
	store   atomic.Pointer[Store]
	problem atomic.Pointer[error] // of the last try; nil before its end, and when the store is open
	turn    chan struct{}         // holds one element while somebody tries
	ctx     context.Context       //nolint:containedctx // of the tries, ended by Close
	cancel  context.CancelFunc
	done    chan struct{} // closed when no more is tried
}

// OpenEventually opens the database that url names, or goes on trying where that is away or does not answer within patience. A database that refuses is an error
// only if it does so within patience. Codes: as Open.
func OpenEventually(ctx context.Context, url string, patience time.Duration, log *slog.Logger) (*Eventual, error) {
	e := &Eventual{url: url, log: log, turn: make(chan struct{}, 1), done: make(chan struct{})}
	e.ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	first := make(chan error, 1)
	go e.keepTrying(first)
	late := time.NewTimer(patience)
	defer late.Stop()
	var err error
	select {
	case err = <-first:
	case <-late.C:
		log.Warn("the predictions database does not answer yet; predictions wait in the journal", "after", patience)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil || (ctx.Err() == nil && sqlstore.IsAway(err)) {
		return e, nil
	}
	_ = e.Close() // nothing was opened
	return nil, err
}

// keepTrying opens the store, and tells how the first try went.
func (e *Eventual) keepTrying(first chan<- error) {
	defer close(e.done)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		_, err := e.open(e.ctx)
		select {
		case first <- err:
		default: // it was told
		}
		if err == nil {
			return
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-e.ctx.Done():
			wait.Stop()
			return
		}
	}
}

// open returns the store, which it tries to open if that was not done.
func (e *Eventual) open(ctx context.Context) (*Store, error) {
	if s := e.store.Load(); s != nil {
		return s, nil
	}
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s := e.store.Load(); s != nil {
		return s, nil
	}
	s, err := Open(ctx, e.url, e.log)
	if err == nil {
		e.store.Store(s)
	}
	if err == nil || ctx.Err() == nil { // a try that was given up says nothing of the database
		e.note(err)
	}
	return s, err
}

// note keeps why the store is not open, and tells the log what is new of it.
func (e *Eventual) note(err error) {
	before := e.problem.Load()
	if err == nil {
		e.problem.Store(nil)
		if before != nil {
			e.log.Info("the predictions database is open")
		}
		return
	}
	if before == nil || apperror.MessageOf(*before) != apperror.MessageOf(err) {
		e.log.Error("the predictions database cannot be opened; predictions wait in the journal, and it is tried again", "error", err)
	}
	e.problem.Store(&err)
}

// Opened reports whether the store is open, and why not. Codes: Unavailable.
func (e *Eventual) Opened() error {
	if e.store.Load() != nil {
		return nil
	}
	switch problem := e.problem.Load(); {
	case problem == nil:
		return apperror.New(apperror.Unavailable, "the predictions database has not answered since this server was started")
	case apperror.CodeOf(*problem) == apperror.Unavailable:
		return *problem
	default:
		return apperror.Wrap(apperror.Unavailable, *problem, "the predictions database cannot be used: %s", apperror.SentenceOf(*problem))
	}
}

// opened returns the store if it is open. Codes: as Opened.
func (e *Eventual) opened() (*Store, error) {
	if s := e.store.Load(); s != nil {
		return s, nil
	}
	return nil, e.Opened()
}

// Close ends the tries, and closes the database if it was opened.
func (e *Eventual) Close() error {
	e.cancel()
	<-e.done
	if s := e.store.Load(); s != nil {
		return s.Close()
	}
	return nil
}

// Store is that of Store. It does not wait for the next try to open the database, but makes one.
func (e *Eventual) Store(ctx context.Context, entries []journal.Entry) (refused []int, err error) {
	s, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	return s.Store(ctx, entries)
}

// Ping is that of Store.
func (e *Eventual) Ping(ctx context.Context) error {
	s, err := e.opened()
	if err != nil {
		return err
	}
	return s.Ping(ctx)
}

// Recent is that of Store.
func (e *Eventual) Recent(ctx context.Context, q Query) ([]Record, int64, error) {
	s, err := e.opened()
	if err != nil {
		return nil, 0, err
	}
	return s.Recent(ctx, q)
}

// ByRequest is that of Store.
func (e *Eventual) ByRequest(ctx context.Context, requestID string) ([]Record, error) {
	s, err := e.opened()
	if err != nil {
		return nil, err
	}
	return s.ByRequest(ctx, requestID)
}

// Newest is that of Store.
func (e *Eventual) Newest(ctx context.Context, requestID string, item int) (*Record, error) {
	s, err := e.opened()
	if err != nil {
		return nil, err
	}
	return s.Newest(ctx, requestID, item)
}
