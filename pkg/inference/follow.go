package inference

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/killpoint"
	"tasador/pkg/registry"
)

// lookTimeout bounds one look at the registry, with the download that may follow.
const lookTimeout = time.Minute

// refusalPause is how long a version that proved unusable is left alone: it will hardly change, and a look at it is a download.
const refusalPause = time.Minute

// refusal remembers a version that proved unusable.
type refusal struct {
	what  Identity
	err   error
	until time.Time
}

// Run follows the registry until ctx ends. It is ready after the first look, whatever that found, and always returns nil.
func (p *Predictor) Run(ctx context.Context, ready func()) error {
	ticks := time.NewTicker(p.opts.Follow)
	defer ticks.Stop()
	p.look(ctx)
	ready()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
			p.look(ctx)
		}
	}
}

// look asks the registry once and notes how it went; what is new is logged, not what stays.
func (p *Predictor) look(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	err := p.refresh(bounded)
	if ctx.Err() != nil {
		return // stopping
	}
	before := p.Problem()
	p.problem.Store(&problem{err: err})
	switch {
	case err != nil && (before == nil || apperror.MessageOf(before) != apperror.MessageOf(err)):
		p.opts.Log.Warn("cannot follow the registry", "model", p.opts.Model, "error", err)
	case err == nil && before != nil:
		p.opts.Log.Info("following the registry again", "model", p.opts.Model)
	}
}

// refresh puts the version of the stage in place if it is another than the current one.
func (p *Predictor) refresh(ctx context.Context) error {
	want, err := p.wanted(ctx)
	if err != nil {
		return err
	}
	if current := p.current.Load(); current != nil && current.Identity == want {
		return nil
	}
	if p.refused.what == want && p.opts.Now().Before(p.refused.until) {
		return p.refused.err
	}
	served, err := p.fetch(ctx, want)
	if err != nil {
		if code := apperror.CodeOf(err); code == apperror.FailedPrecondition || code == apperror.NotFound {
			err = apperror.Wrap(apperror.FailedPrecondition, err, "version %s cannot be served: %s", want.Version, apperror.SentenceOf(err))
			p.refused = refusal{what: want, err: err, until: p.opts.Now().Add(refusalPause)}
		}
		return err
	}
	killpoint.At(killpoint.ModelNamed)
	p.current.Store(served)
	p.swaps.Add(1)
	p.opts.Log.Info("serving another version", "model", want.Name, "version", want.Version, "run_id", want.RunID)
	p.sweep(served)
	return nil
}

// wanted returns the version that should be served. Codes: NotFound if the stage is empty: then the last good one goes on.
func (p *Predictor) wanted(ctx context.Context) (Identity, error) {
	versions, err := p.opts.Registry.LatestVersions(ctx, p.opts.Model, []registry.Stage{p.opts.Stage})
	switch {
	case apperror.CodeOf(err) == apperror.NotFound && err != nil:
		return Identity{}, apperror.Wrap(apperror.NotFound, err, "tracking knows no model %s yet", p.opts.Model)
	case errors.Is(err, context.DeadlineExceeded):
		return Identity{}, apperror.Wrap(apperror.Unavailable, err, "tracking did not answer within %s", lookTimeout)
	case err != nil:
		return Identity{}, err
	}
	versions = slices.DeleteFunc(versions, func(v registry.Version) bool { return v.Stage != p.opts.Stage })
	if len(versions) == 0 {
		return Identity{}, apperror.New(apperror.NotFound, "no version of %s is in %s", p.opts.Model, p.opts.Stage)
	}
	v := slices.MaxFunc(versions, func(a, b registry.Version) int { return cmp.Compare(number(a), number(b)) })
	return Identity{Name: p.opts.Model, Version: v.Version, RunID: v.RunID, Source: v.Source, Created: v.CreationTimestamp}, nil
}

// number is a version's number; one that is none counts as the oldest.
func number(v registry.Version) int {
	n, err := strconv.Atoi(v.Version)
	if err != nil {
		return -1
	}
	return n
}
