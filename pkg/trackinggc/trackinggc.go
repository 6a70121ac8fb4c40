// Package trackinggc removes for good what was deleted in tracking, with its files.
package trackinggc

import (
	"context"
	"errors"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/artifact/places"
	"tasador/pkg/killpoint"
	"tasador/pkg/sqlstore/trackingstore"
)

// Outcome says what became of one thing.
type Outcome string

// The outcomes.
const (
	Removed Outcome = "removed"
	Kept    Outcome = "kept"   // it is used, or was restored in the meantime
	Failed  Outcome = "failed" // its files could not be removed; its rows stay, so that another try finds it
)

// Result is one thing and what became of it.
type Result struct {
	trackingstore.Garbage
	Outcome   Outcome
	Why       string // it was kept or failed
	FilesLeft string // URI of files that this server does not keep
}

// Run removes what was deleted at a time (milliseconds since 1970, UTC) or before: first it makes sure that it is not restored meanwhile, then it removes its
// files, then its rows. So a run that is cut off at any place is made whole by the next one, and tracking may run beside it. Each result is told as it is there;
// files that cannot be removed end nothing. Codes: Unavailable.
func Run(ctx context.Context, store *trackingstore.Store, files *places.Places, before int64, tell func(Result)) error {
	all, err := store.Garbage(ctx, before)
	if err != nil {
		return err
	}
	c := collector{store: store, files: files, before: before}
	claimed := map[string]bool{}
	for _, g := range all { // experiments first: nothing in them can be restored from then on
		if g.Kind == trackingstore.Experiment && g.UsedBy == "" {
			if claimed[g.ID], err = store.Claim(ctx, g, before); err != nil {
				return err
			}
		}
	}
	stuck := map[string]bool{} // experiments in which something stays
	for _, g := range all {
		r := Result{Garbage: g}
		if g.Kind == trackingstore.Experiment {
			err = c.experiment(ctx, &r, claimed[g.ID] && !stuck[g.ID])
		} else {
			err = c.remove(ctx, &r)
		}
		if err != nil {
			return err
		}
		if r.Outcome != Removed {
			stuck[g.ExperimentID] = true
		}
		tell(r)
	}
	return nil
}

type collector struct {
	store  *trackingstore.Store
	files  *places.Places
	before int64
}

// remove removes a run, a logged model or a version.
func (c collector) remove(ctx context.Context, r *Result) error {
	if r.UsedBy != "" {
		r.Outcome, r.Why = Kept, "used by "+r.UsedBy
		return nil
	}
	if r.Kind != trackingstore.Version {
		claimed, err := c.store.Claim(ctx, r.Garbage, c.before)
		if err != nil {
			return err
		}
		if !claimed {
			r.Outcome, r.Why = Kept, "it was restored, or a version uses it"
			return nil
		}
		killpoint.At(killpoint.AfterGarbageClaim)
		err = c.removeFiles(ctx, r)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			r.Outcome, r.Why = Failed, err.Error()
			return nil
		}
		killpoint.At(killpoint.AfterGarbageFiles)
	}
	r.Outcome = Removed
	return c.store.Remove(ctx, r.Garbage)
}

// removeFiles removes the folder of a run or a logged model, which holds nothing but its artifacts: …/ID/artifacts. Anything else is not of
// our making and stays.
func (c collector) removeFiles(ctx context.Context, r *Result) error {
	store, path, err := c.files.Find(r.ArtifactURI)
	folder, ours := strings.CutSuffix(path, "/artifacts")
	if apperror.CodeOf(err) == apperror.Invalid && err != nil || !ours || folder != r.ID && !strings.HasSuffix(folder, "/"+r.ID) {
		r.FilesLeft = r.ArtifactURI
		return nil
	}
	return store.Delete(ctx, folder)
}

// experiment removes an experiment in which nothing is left, and its folder if that is empty.
func (c collector) experiment(ctx context.Context, r *Result, emptied bool) error {
	switch {
	case r.UsedBy != "":
		r.Outcome, r.Why = Kept, "it holds "+r.UsedBy
		return nil
	case !emptied:
		r.Outcome, r.Why = Kept, "something in it was kept, or it was restored"
		return nil
	}
	r.Outcome = Removed
	if store, path, err := c.files.Find(r.ArtifactURI); err == nil && path != "" {
		if err := errors.Join(removeEmpty(ctx, store, path+"/models"), removeEmpty(ctx, store, path)); err != nil {
			r.FilesLeft = r.ArtifactURI
		}
	}
	return c.store.Remove(ctx, r.Garbage)
}

func removeEmpty(ctx context.Context, store artifact.Store, path string) error {
	left, err := store.List(ctx, path)
	if err != nil || len(left) > 0 {
		return err
	}
	return store.Delete(ctx, path)
}
