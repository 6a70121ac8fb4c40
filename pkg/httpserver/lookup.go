package httpserver

import (
	"context"
	"sync"
	"time"
)

// How long what another server said counts.
const (
	lookupFresh   = time.Second            // and is not asked for again
	lookupStale   = 30 * time.Second       // and is still shown if asking takes long
	lookupLimit   = 3 * time.Second        // of one question
	lookupPatient = 100 * time.Millisecond // that a page waits for an answer; a server that was slower is not waited for the next time
)

// lookup keeps what the last question to another server was answered, and asks anew beside the pages that want to know.
type lookup[T any] struct {
	ask func(ctx context.Context) (T, error) // an error means that nobody knows

	mu     sync.Mutex
	value  T
	known  bool
	at     time.Time     // of the answer
	asking chan struct{} // closed when the question under way ends; nil if there is none
	slow   bool          // the last question was
}

// begin asks unless the answer is fresh or on its way. It returns what is worth waiting for, nil if nothing is. Run starts the question and may refuse.
func (l *lookup[T]) begin(run func(func(ctx context.Context)) bool) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.at) < lookupFresh {
		return nil
	}
	if l.asking == nil {
		done := make(chan struct{})
		if !run(func(ctx context.Context) { l.answer(ctx, done) }) {
			return nil
		}
		l.asking = done
	}
	if l.slow {
		return nil
	}
	return l.asking
}

func (l *lookup[T]) answer(ctx context.Context, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	begun := time.Now()
	value, err := l.ask(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.value, l.known, l.at, l.asking = value, err == nil, time.Now(), nil
	l.slow = l.at.Sub(begun) > lookupPatient
	close(done)
}

// get returns what is known; false if nobody knows.
func (l *lookup[T]) get() (value T, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known || time.Since(l.at) > lookupStale {
		return value, false
	}
	return l.value, true
}
