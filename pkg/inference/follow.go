package inference

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/killpoint"
	"tasador/pkg/registry"
)

// lookTimeout bounds one look at the registry, with the download that may follow.
const lookTimeout = time.Minute

// refusalPause is how long a version that proved unusable is left alone: it will hardly change, and a look at it is a download.
const refusalPause = time.Minute

// track follows one reference.
type track struct {
	ref     Ref
	role    Role
	current atomic.Pointer[Served]
	problem atomic.Pointer[problem]
	refused refusal // of the follower only
}

// refusal remembers a version that proved unusable.
type refusal struct {
	what  Identity
	err   error
	until time.Time
}

// problem is why the last look at the registry led to nothing; its err is nil if all was well.
type problem struct{ err error }

// lastProblem returns why the last look led to nothing, nil if it did not.
func (t *track) lastProblem() error {
	if last := t.problem.Load(); last != nil {
		return last.err
	}
	return nil
}

// Run follows the registry until ctx ends. It is ready after the first look, whatever that found, and always returns nil.
func (p *Predictor) Run(ctx context.Context, ready func()) error {
	defer p.shadow.stop()
	var keeping sync.WaitGroup
	keeping.Go(func() { p.keepSeen(ctx) })
	defer keeping.Wait()
	ticks := time.NewTicker(p.opts.Follow)
	defer ticks.Stop()
	p.lookAll(ctx)
	ready()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
			p.lookAll(ctx)
		}
	}
}

// lookAll looks at what is followed, first at what matters most.
func (p *Predictor) lookAll(ctx context.Context) {
	for _, t := range p.tracks() {
		p.look(ctx, t)
	}
}

// tracks returns what is followed.
func (p *Predictor) tracks() []*track {
	tracks := []*track{p.live}
	for _, t := range []*track{p.challenger, p.shadow.track} {
		if !t.ref.IsZero() {
			tracks = append(tracks, t)
		}
	}
	return tracks
}

// look asks the registry once and notes how it went; what is new is logged, not what stays.
func (p *Predictor) look(ctx context.Context, t *track) {
	bounded, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	err := p.refresh(bounded, t)
	if ctx.Err() != nil {
		return // stopping
	}
	before := t.lastProblem()
	t.problem.Store(&problem{err: err})
	switch {
	case err != nil && (before == nil || apperror.MessageOf(before) != apperror.MessageOf(err)):
		p.opts.Log.Warn("cannot follow the registry", "model", p.opts.Model, "role", t.role, "follows", t.ref.String(), "error", err)
	case err == nil && before != nil:
		p.opts.Log.Info("following the registry again", "model", p.opts.Model, "role", t.role, "follows", t.ref.String())
	}
}

// refresh puts the version that the reference names in place if it is another than the current one.
func (p *Predictor) refresh(ctx context.Context, t *track) error {
	want, stage, err := p.wanted(ctx, t.ref)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = apperror.Wrap(apperror.Unavailable, err, "tracking did not answer within %s", lookTimeout)
		}
		if t.role != Champion && apperror.CodeOf(err) == apperror.NotFound {
			p.place(t, nil) // to take the reference away is how a comparison is ended; the champion goes on
		}
		return err
	}
	if current := t.current.Load(); current != nil && current.Identity == want {
		if current.Stage != stage {
			moved := *current
			moved.Stage = stage
			t.current.Store(&moved)
		}
		return nil
	}
	if t.refused.what == want && p.opts.Now().Before(t.refused.until) {
		return t.refused.err
	}
	served, err := p.fetch(ctx, want, stage, t.role)
	if err != nil {
		if unusable(err) {
			err = apperror.Wrap(apperror.FailedPrecondition, err, "version %s cannot be served: %s", want.Version, apperror.SentenceOf(err))
			t.refused = refusal{what: want, err: err, until: p.opts.Now().Add(refusalPause)}
		}
		return err
	}
	if t.role == Champion {
		killpoint.At(killpoint.ModelNamed)
	}
	p.place(t, served)
	return nil
}

// unusable reports whether an error is about a version, not about the way to it.
func unusable(err error) bool {
	code := apperror.CodeOf(err)
	return code == apperror.FailedPrecondition || code == apperror.NotFound
}

// place puts a version, or none, in place.
func (p *Predictor) place(t *track, served *Served) {
	if t == p.shadow.track {
		p.shadow.work(served) // first: who sees the version may count on it
	}
	before := t.current.Swap(served)
	if served == nil {
		if before != nil {
			p.opts.Log.Info("no version any more", "role", t.role, "follows", t.ref.String(), "version", before.Version)
		}
		return
	}
	p.opts.Log.Info("serving another version", "role", t.role, "model", served.Name, "version", served.Version, "run_id", served.RunID)
	if t.role == Champion {
		p.swaps.Add(1)
		p.sweep(served)
	}
}

// stageOf is what is said of the stage of a version that was kept before stages were.
func stageOf(ref Ref, kept registry.Stage) registry.Stage {
	if kept == "" {
		return ref.Stage
	}
	return kept
}
