// Package lifecycle starts services in order, stops all of them when one ends, and stops in reverse order.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Service blocks in Run until ctx ends or it breaks, and calls ready once, as soon as it does its work. Run returns nil after
// a stop that was asked for.
type Service interface {
	Run(ctx context.Context, ready func()) error
}

// Func makes a function a Service.
type Func func(ctx context.Context, ready func()) error

// Run calls f.
func (f Func) Run(ctx context.Context, ready func()) error { return f(ctx, ready) }

// Named is a service with the name that errors give it.
type Named struct {
	Name    string
	Service Service
}

// Group runs services together: started in the order listed, each after the one before is ready, and stopped in reverse order.
type Group struct {
	Services []Named
	Grace    time.Duration // how long each service may take to stop; 0 means without limit
}

type running struct {
	name string
	stop context.CancelFunc
	done chan struct{}
	err  error
}

// Run starts the services and blocks until ctx ends or one of them does; the errors of all are joined.
func (g Group) Run(ctx context.Context, ready func()) error {
	ended := make(chan string, len(g.Services))
	var started []*running
	var first error
	for _, s := range g.Services {
		r, isReady := start(s, ended)
		started = append(started, r)
		select {
		case <-isReady:
			continue
		case <-ctx.Done():
		case <-r.done:
			first = endedEarly(r)
		}
		return errors.Join(first, g.stopAll(started))
	}
	ready()
	select {
	case <-ctx.Done():
	case name := <-ended:
		for _, r := range started {
			if r.name == name {
				<-r.done
				first = endedEarly(r)
			}
		}
	}
	return errors.Join(first, g.stopAll(started))
}

func start(s Named, ended chan<- string) (*running, <-chan struct{}) {
	// Services stop one after the other, so each has a context of its own and none inherits the end of the caller's.
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{name: s.Name, stop: cancel, done: make(chan struct{})}
	isReady := make(chan struct{})
	go func() {
		err := s.Service.Run(ctx, func() { close(isReady) })
		if err != nil {
			r.err = fmt.Errorf("%s: %w", s.Name, err)
		}
		close(r.done)
		ended <- s.Name
	}()
	return r, isReady
}

func endedEarly(r *running) error {
	if r.err != nil {
		return nil // stopAll reports it
	}
	return fmt.Errorf("%s ended by itself", r.name)
}

func (g Group) stopAll(started []*running) error {
	var errs []error
	for i := len(started) - 1; i >= 0; i-- {
		r := started[i]
		r.stop()
		var late <-chan time.Time
		if g.Grace > 0 {
			t := time.NewTimer(g.Grace)
			defer t.Stop()
			late = t.C
		}
		select {
		case <-r.done:
			errs = append(errs, r.err)
		case <-late:
			errs = append(errs, fmt.Errorf("%s did not stop within %s", r.name, g.Grace))
		}
	}
	return errors.Join(errs...)
}
