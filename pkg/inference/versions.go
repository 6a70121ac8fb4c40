package inference

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"tasador/pkg/apperror"
	"tasador/pkg/registry"
)

// Limits of the versions that are kept because requests named them.
const (
	maxVersions = 8               // usable ones
	maxRefused  = 64              // numbers that led to nothing
	fetchers    = 2               // that fetch at a time
	recheck     = 5 * time.Minute // after which the registry is asked whether the number still means the same
	refusedFor  = 10 * time.Second
	awayFor     = time.Second // while tracking is away
)

// versions keeps versions that requests named, in memory. Those used least recently go first.
type versions struct {
	mu      sync.Mutex
	entries map[string]*entry
	uses    uint64
	flight  singleflight.Group
	slots   chan struct{}
}

// entry is what is known of a number: a version, or why there is none.
type entry struct {
	served *Served
	err    error
	until  time.Time
	used   uint64
}

func newVersions() *versions {
	return &versions{entries: map[string]*entry{}, slots: make(chan struct{}, fetchers)}
}

// Version returns the version of a number, which is fetched if it is none of those at hand. Requests for the same number share one fetch, and
// one that led to nothing is not repeated for some seconds. Codes: NotFound, FailedPrecondition if it cannot be served, Unavailable.
func (p *Predictor) Version(ctx context.Context, number string) (*Served, error) {
	if !plainNumber.MatchString(number) {
		return nil, apperror.New(apperror.NotFound, "%.80q is no version of %s; versions are numbers", number, p.opts.Model)
	}
	if known := p.others.get(number, p.opts.Now()); known != nil {
		return known.served, known.err
	}
	shared := p.others.flight.DoChan(number, func() (any, error) {
		// Whoever asked first may leave: the others wait for the same.
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
		defer cancel()
		return p.find(bounded, number)
	})
	select {
	case result := <-shared:
		served, _ := result.Val.(*Served)
		return served, result.Err
	case <-ctx.Done():
		return nil, apperror.Wrap(apperror.Unavailable, ctx.Err(), "version %s is still being fetched; try again in a moment", number)
	}
}

// find asks the registry for a number and fetches what it names, unless that is at hand, and remembers how it went.
func (p *Predictor) find(ctx context.Context, number string) (*Served, error) {
	select {
	case p.others.slots <- struct{}{}:
		defer func() { <-p.others.slots }()
	case <-ctx.Done():
		return nil, apperror.Wrap(apperror.Unavailable, ctx.Err(), "version %s is still being fetched; try again in a moment", number)
	}
	stale := p.others.stale(number)
	what, stage, err := p.wanted(ctx, Ref{Version: number})
	if err == nil && stale != nil && stale.Identity == what {
		renewed := *stale
		renewed.Stage = stage
		return p.others.put(number, &renewed, nil, p.opts.Now().Add(recheck))
	}
	var served *Served
	if err == nil {
		served, err = p.alike(ctx, what, stage)
	}
	now := p.opts.Now()
	switch {
	case err == nil:
		return p.others.put(number, served, nil, now.Add(recheck))
	case apperror.CodeOf(err) == apperror.Unavailable && stale != nil:
		return p.others.put(number, stale, nil, now.Add(awayFor)) // better than nothing while tracking is away
	case apperror.CodeOf(err) == apperror.Unavailable:
		return p.others.put(number, nil, err, now.Add(awayFor))
	case unusable(err) && what != Identity{}:
		err = apperror.Wrap(apperror.FailedPrecondition, err, "version %s cannot be served: %s", number, apperror.SentenceOf(err))
	}
	return p.others.put(number, nil, err, now.Add(refusedFor))
}

// alike returns a version that answers in another role already, or fetches it.
func (p *Predictor) alike(ctx context.Context, what Identity, stage registry.Stage) (*Served, error) {
	for _, t := range p.tracks() {
		if current := t.current.Load(); current != nil && current.Identity == what {
			return p.serve(what, stage, Requested, current.Model)
		}
	}
	return p.fetch(ctx, what, stage, Requested)
}

// get returns what is known of a number, nil if that is nothing or too old.
func (v *versions) get(number string, now time.Time) *entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.entries[number]
	if e == nil || !now.Before(e.until) {
		return nil
	}
	v.uses++
	e.used = v.uses
	return e
}

// stale returns the version that is known by a number, however old that is.
func (v *versions) stale(number string) *Served {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e := v.entries[number]; e != nil {
		return e.served
	}
	return nil
}

// put remembers how a fetch went, and returns that.
func (v *versions) put(number string, served *Served, err error, until time.Time) (*Served, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.uses++
	v.entries[number] = &entry{served: served, err: err, until: until, used: v.uses}
	v.shrink(func(e *entry) bool { return e.served != nil }, maxVersions)
	v.shrink(func(e *entry) bool { return e.served == nil }, maxRefused)
	return served, err
}

// shrink drops the entries of a kind that were used least recently.
func (v *versions) shrink(kind func(*entry) bool, limit int) {
	count, oldest := 0, ""
	for number, e := range v.entries {
		if !kind(e) {
			continue
		}
		count++
		if oldest == "" || e.used < v.entries[oldest].used {
			oldest = number
		}
	}
	if count > limit { // by one, since put adds one at a time
		delete(v.entries, oldest)
	}
}

// Kept returns the versions that are kept because requests named them, in no order.
func (p *Predictor) Kept() []*Served {
	p.others.mu.Lock()
	defer p.others.mu.Unlock()
	var kept []*Served
	for _, e := range p.others.entries {
		if e.served != nil {
			kept = append(kept, e.served)
		}
	}
	return kept
}
