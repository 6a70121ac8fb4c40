package mlflowimport

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
	"tasador/pkg/registry"
	"tasador/pkg/sqlstore/trackingstore"
	"tasador/pkg/trackingclient"
)

// Sizes of pages. Those of runs and versions are small, because each may have many long tags.
const (
	experimentsPerPage = 500
	runsPerPage        = 100
	modelsPerPage      = 50
	versionsPerPage    = 100
	// experimentsPerSearch is how many experiments one search names.
	experimentsPerSearch = 50
)

// plan is what the source has, as far as it has to be known before anything is written.
type plan struct {
	experiments  []experiment.Experiment
	runs         []string
	loggedModels []string
	registered   int // models and versions
}

// look lists what the source has and refuses all of it if something here is in the way.
func (i *importer) look(ctx context.Context) (*plan, error) {
	p := &plan{}
	var err error
	if p.experiments, err = i.listExperiments(ctx); err != nil {
		return nil, err
	}
	ids := make([]string, len(p.experiments))
	for n, e := range p.experiments {
		ids[n] = e.ID
	}
	for part := range slices.Chunk(ids, experimentsPerSearch) {
		if err := i.listRuns(ctx, part, p); err != nil {
			return nil, err
		}
		if err := i.listLoggedModels(ctx, part, p); err != nil {
			return nil, err
		}
	}
	var models, versions, unusable []string
	err = i.eachModel(ctx, func(m registry.Model) error {
		if registry.CheckName(m.Name) != nil {
			unusable = append(unusable, m.Name)
		}
		models = append(models, m.Name)
		return nil
	})
	if err == nil {
		err = i.eachVersion(ctx, func(v registry.Version) error {
			versions = append(versions, trackingstore.VersionID(v.Name, v.Version))
			return nil
		})
	}
	if err != nil {
		return nil, err
	}
	p.registered = len(models) + len(versions)
	var o obstacles
	for _, name := range unusable {
		o.add("the registered model %q has a name that cannot be kept here; rename it there", name)
	}
	if err := i.checkExperiments(ctx, p.experiments, &o); err != nil {
		return nil, err
	}
	all := false // runs are here, and none came from there
	for _, taken := range []struct {
		kind trackingstore.Kind
		ids  []string
		says string
	}{
		{trackingstore.RegisteredModel, models, "there is a registered model %s here that did not come from there; rename one of the two"},
		{trackingstore.Version, versions, "version %s of a registered model was made here, and there is another one with this number there; rename the model on one side"},
		{trackingstore.Run, p.runs, "there is a run %s here that did not come from there"},
		{trackingstore.LoggedModel, p.loggedModels, "there is a logged model %s here that did not come from there"},
	} {
		if taken.kind == trackingstore.Version && len(o) > 0 {
			continue // of models that are in the way themselves
		}
		ids, err := i.to.Foreign(ctx, taken.kind, taken.ids)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			o.add(taken.says, id)
		}
		if taken.kind == trackingstore.Run && len(ids) > 0 && len(ids) == len(p.runs) {
			all = true
		}
	}
	return p, o.refuse(all)
}

// obstacles are sentences that say what is in the way.
type obstacles []string

func (o *obstacles) add(format string, args ...any) { *o = append(*o, fmt.Sprintf(format, args...)) }

// shownObstacles is how many are named.
const shownObstacles = 20

// refuse says what is in the way; all tells that the runs there are all here, which two servers come to only by a copy or by being one.
func (o obstacles) refuse(all bool) error {
	if len(o) == 0 {
		return nil
	}
	text := strings.Join(o[:min(len(o), shownObstacles)], "; ")
	if more := len(o) - shownObstacles; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	if all {
		text += ". All of its runs are here: is it the server of this very database"
		return apperror.New(apperror.FailedPrecondition, "nothing was imported: %s? If it was imported under another address before, say --known-as=ADDRESS", text)
	}
	return apperror.New(apperror.FailedPrecondition, "nothing was imported: %s. If the same server was imported under another address before, say --known-as=ADDRESS", text)
}

// checkExperiments looks for experiments that can be neither made nor merged.
func (i *importer) checkExperiments(ctx context.Context, list []experiment.Experiment, o *obstacles) error {
	known, err := i.to.Known(ctx, trackingstore.Experiment)
	if err != nil {
		return err
	}
	for _, e := range list {
		here, err := i.store.ExperimentByName(ctx, e.Name)
		if missing(err) {
			continue
		}
		if err != nil {
			return err
		}
		id, imported := known[e.ID]
		switch {
		case imported && id != here.ID && i.exists(ctx, id):
			o.add("experiment %s was renamed to %q there, and there is an experiment %s of that name here; rename one of the two", e.ID, e.Name, here.ID)
		case imported:
		case here.LifecycleStage == experiment.Deleted && e.LifecycleStage == experiment.Active:
			o.add("experiment %q is deleted here and in use there; restore it here or rename it there", e.Name)
		}
		if _, _, err := i.files.Find(here.ArtifactLocation); err != nil {
			o.add("the experiment %q here keeps its artifacts at %s, where they cannot be written; rename it here or there", e.Name, here.ArtifactLocation)
		}
	}
	return nil
}

func (i *importer) exists(ctx context.Context, experimentID string) bool {
	_, err := i.store.Experiment(ctx, experimentID)
	return err == nil
}

// pages calls ask for one page after the other until there is no more.
func pages[T any](size int, ask func(experiment.PageRequest) (experiment.Page[T], error), each func(T) error) error {
	q := experiment.PageRequest{MaxResults: size}
	for {
		page, err := ask(q)
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			if err := each(item); err != nil {
				return err
			}
		}
		// Some servers send a token that leads to the same page again.
		if page.NextPageToken == "" || page.NextPageToken == q.PageToken || len(page.Items) == 0 {
			return nil
		}
		q.PageToken = page.NextPageToken
	}
}

func (i *importer) listExperiments(ctx context.Context) ([]experiment.Experiment, error) {
	var list []experiment.Experiment
	seen := map[string]bool{} // pages move when something is added meanwhile
	err := pages(experimentsPerPage, func(q experiment.PageRequest) (experiment.Page[experiment.Experiment], error) {
		return i.client.SearchExperiments(ctx, experiment.Search{PageRequest: q, View: experiment.All})
	}, func(e experiment.Experiment) error {
		if !seen[e.ID] {
			list = append(list, e)
		}
		seen[e.ID] = true
		return nil
	})
	// The oldest first, so that ids that are not kept come in the same order.
	slices.SortFunc(list, func(a, b experiment.Experiment) int {
		return strings.Compare(fmt.Sprintf("%40s", a.ID), fmt.Sprintf("%40s", b.ID))
	})
	return list, err
}

func (i *importer) listRuns(ctx context.Context, experiments []string, p *plan) error {
	seen := map[string]bool{}
	return pages(runsPerPage, func(q experiment.PageRequest) (experiment.Page[experiment.Run], error) {
		return i.client.SearchRuns(ctx, experiment.RunSearch{Search: experiment.Search{PageRequest: q, View: experiment.All}, ExperimentIDs: experiments})
	}, func(r experiment.Run) error {
		if !seen[r.ID] {
			p.runs = append(p.runs, r.ID)
		}
		seen[r.ID] = true
		return nil
	})
}

// listLoggedModels lists those that are not deleted. Servers of MLflow 2 have none.
func (i *importer) listLoggedModels(ctx context.Context, experiments []string, p *plan) error {
	seen := map[string]bool{}
	err := pages(modelsPerPage, func(q experiment.PageRequest) (experiment.Page[experiment.LoggedModel], error) {
		return i.client.SearchLoggedModels(ctx, experiment.RunSearch{Search: experiment.Search{PageRequest: q}, ExperimentIDs: experiments})
	}, func(m experiment.LoggedModel) error {
		if !seen[m.ID] {
			p.loggedModels = append(p.loggedModels, m.ID)
		}
		seen[m.ID] = true
		return nil
	})
	if trackingclient.HasNoEndpoint(err) {
		return nil
	}
	return err
}

// onlyPrompts is the filter that searches of the registry need to find prompts.
const onlyPrompts = "tags.`mlflow.prompt.is_prompt` = 'true'"

// eachModel calls f with each registered model, and then with each prompt.
func (i *importer) eachModel(ctx context.Context, f func(registry.Model) error) error {
	return eachOfRegistry(i.client.SearchModels, func(m registry.Model) string { return m.Name }, f)(ctx)
}

// eachVersion calls f with each version of a registered model, and then of a prompt.
func (i *importer) eachVersion(ctx context.Context, f func(registry.Version) error) error {
	return eachOfRegistry(i.client.SearchVersions, func(v registry.Version) string { return trackingstore.VersionID(v.Name, v.Version) }, f)(ctx)
}

func eachOfRegistry[T any](
	search func(context.Context, experiment.Search) (experiment.Page[T], error), key func(T) string, f func(T) error,
) func(context.Context) error {
	return func(ctx context.Context) error {
		seen := map[string]bool{}
		for _, filter := range []string{"", onlyPrompts} {
			err := pages(versionsPerPage, func(q experiment.PageRequest) (experiment.Page[T], error) {
				return search(ctx, experiment.Search{PageRequest: q, Filter: filter})
			}, func(item T) error {
				if seen[key(item)] {
					return nil
				}
				seen[key(item)] = true
				return f(item)
			})
			if filter == onlyPrompts && apperror.CodeOf(err) == apperror.Invalid && err != nil {
				return nil // a server that has no such filter has no prompts
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}
