// Package mlflowimport copies what another tracking server has, a stock MLflow one or tasador, into the tracking store: experiments, runs with all their
// points, logged models, registered models with their versions and aliases, and artifacts.
package mlflowimport

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact/places"
	"tasador/pkg/sqlstore/trackingstore"
	"tasador/pkg/trackingclient"
)

// Options say what is imported and how.
type Options struct {
	Client *trackingclient.Client // of the source
	// Source is the name under which it is remembered what came from there: the address of the server, without credentials.
	Source   string
	Parallel int            // how many runs, and how many files, are copied at once; 0 means 1
	Progress func(Progress) // may be nil; one call at a time
}

// Progress says how far an import is.
type Progress struct {
	Done, Total  int // of experiments, runs, logged models, registered models and versions; more may be found on the way
	Runs         int
	Points       int64
	Files, Bytes int64 // that were copied, not those that were here
}

// Run copies what is new or has changed at the source since the last import. First it looks whether all of it can be written here, and writes
// nothing if not. What it writes, it writes so that an import that is cut off at any place is made whole by the next one; tracking
// may run beside it. Registered models come last, when the files of their versions are here. What cannot be read of artifacts ends nothing: the report
// names it. Codes: FailedPrecondition (something here is in the way), PermissionDenied, Unavailable.
func Run(ctx context.Context, store *trackingstore.Store, files *places.Places, opt Options) (*Report, error) {
	opt.Parallel = max(opt.Parallel, 1)
	i := &importer{
		opt: opt, client: opt.Client, to: store.Import(opt.Source), store: store, files: files,
		experiments: map[string]string{}, active: map[string]bool{}, models: map[string]bool{}, report: &Report{}, throughServer: map[string]bool{},
		slots: make(chan struct{}, opt.Parallel),
	}
	p, err := i.look(ctx)
	if err != nil {
		return nil, err
	}
	i.progress.Total = len(p.experiments) + len(p.runs) + len(p.loggedModels) + p.registered
	if err := i.copyExperiments(ctx, p); err != nil {
		return nil, err
	}
	if err := i.each(ctx, p.runs, i.copyRun); err != nil {
		return nil, err
	}
	if err := i.each(ctx, i.allModels(p.loggedModels), i.copyLoggedModel); err != nil {
		return nil, err
	}
	if err := i.copyRegistry(ctx); err != nil {
		return nil, err
	}
	return i.report, nil
}

type importer struct {
	opt    Options
	client *trackingclient.Client
	to     *trackingstore.Import
	store  *trackingstore.Store
	files  *places.Places

	experiments map[string]string // ids here by ids there
	active      map[string]bool   // logged models that a search found, so that they are not deleted
	slots       chan struct{}     // of files that are copied

	mu            sync.Mutex
	report        *Report
	progress      Progress
	models        map[string]bool // logged models that runs name
	throughServer map[string]bool // places of artifacts that only the source itself reaches
}

// each calls copyOne with each id, several at once.
func (i *importer) each(parent context.Context, ids []string, copyOne func(ctx context.Context, id string) error) error {
	group, ctx := errgroup.WithContext(parent)
	group.SetLimit(i.opt.Parallel)
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			if err := copyOne(ctx, id); err != nil {
				return err
			}
			i.did(func(p *Progress) { p.Done++ })
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return parent.Err()
}

// did changes the progress and tells it.
func (i *importer) did(change func(*Progress)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(&i.progress)
	i.progress.Total = max(i.progress.Total, i.progress.Done)
	if i.opt.Progress != nil {
		i.opt.Progress(i.progress)
	}
}

// allModels are logged models that were found by searching, and those that only runs name because they were deleted.
func (i *importer) allModels(found []string) []string {
	all := found
	for _, id := range found {
		i.active[id] = true
	}
	for id := range i.models {
		if !i.active[id] {
			all = append(all, id)
		}
	}
	return all
}

// missing reports whether an error says that something is not there.
func missing(err error) bool { return err != nil && apperror.CodeOf(err) == apperror.NotFound }
