package mlflowimport

import (
	"context"
	"net/url"
	"path"
	"strings"

	"tasador/pkg/experiment"
	"tasador/pkg/killpoint"
	"tasador/pkg/registry"
	"tasador/pkg/trackingclient"
)

// copyLoggedModel copies a logged model with its files.
func (i *importer) copyLoggedModel(ctx context.Context, id string) error {
	m, err := i.client.LoggedModelAlsoDeleted(ctx, id)
	if missing(err) || trackingclient.HasNoEndpoint(err) {
		return nil // removed there, or a name that a run gave without there being a model
	}
	if err != nil {
		return err
	}
	experimentID, known := i.experiments[m.ExperimentID]
	if !known {
		return nil
	}
	for n := range m.Metrics {
		m.Metrics[n].Value = finite(m.Metrics[n].Value)
		if m.Metrics[n].RunID == "" {
			m.Metrics[n].RunID = m.SourceRunID // of a server that does not say
		}
	}
	if !i.active[id] {
		if m.Deleted, err = i.isDeletedModel(ctx, id); err != nil {
			return err
		}
	}
	if err := i.to.PutLoggedModel(ctx, *m, experimentID); err != nil {
		return err
	}
	killpoint.At(killpoint.AfterImportedModel)
	here, err := i.store.LoggedModelAlsoDeleted(ctx, id)
	if err != nil {
		return err
	}
	of := "logged model " + id
	i.count(LoggedModels, 1, 1, of)
	i.count(LoggedModelParams, len(m.Params), held(m.Params, paramKey, here.Params, paramKey), of)
	i.count(LoggedModelTags, len(m.Tags), held(m.Tags, tagKey, here.Tags, tagKey), of)
	i.count(LoggedModelPoints, len(m.Metrics), min(len(m.Metrics), len(here.Metrics)), of)
	return i.copyFiles(ctx, of, trackingclient.Holder{ModelID: id, ArtifactURI: m.ArtifactURI}, here.ArtifactURI)
}

// isDeletedModel asks for a model as clients do that see no deleted ones: an answer does not say which it is.
func (i *importer) isDeletedModel(ctx context.Context, id string) (bool, error) {
	_, err := i.client.LoggedModel(ctx, id)
	if missing(err) {
		return true, nil
	}
	return false, err
}

// copyRegistry copies registered models and their versions, with the aliases at last.
func (i *importer) copyRegistry(ctx context.Context) error {
	err := i.eachModel(ctx, func(m registry.Model) error {
		if err := i.to.PutModel(ctx, m); err != nil {
			return err
		}
		killpoint.At(killpoint.AfterImportedRegistered)
		here, err := i.store.Model(ctx, m.Name)
		if err != nil {
			return err
		}
		i.count(RegisteredModels, 1, 1, "")
		i.count(RegisteredModelTags, len(m.Tags), held(m.Tags, tagKey, here.Tags, tagKey), "registered model "+m.Name)
		i.did(func(p *Progress) { p.Done++ })
		return nil
	})
	if err != nil {
		return err
	}
	if err := i.eachVersion(ctx, func(v registry.Version) error { return i.copyVersion(ctx, v) }); err != nil {
		return err
	}
	return i.eachModel(ctx, func(m registry.Model) error {
		err := i.to.PutAliases(ctx, m.Name, m.Aliases)
		if missing(err) {
			return nil // it was made there since
		}
		if err != nil {
			return err
		}
		here, err := i.store.Model(ctx, m.Name)
		if err != nil {
			return err
		}
		name := func(a registry.Alias) string { return a.Name }
		i.count(Aliases, len(m.Aliases), held(m.Aliases, name, here.Aliases, name), "registered model "+m.Name)
		return nil
	})
}

func (i *importer) copyVersion(ctx context.Context, v registry.Version) error {
	there := v
	location, err := i.client.DownloadURI(ctx, v.Name, v.Version)
	if err != nil && !missing(err) {
		return err
	}
	if location == "" {
		location = v.Source
	}
	if v.Stage == "" {
		v.Stage = registry.None
	}
	if id, ok := strings.CutPrefix(v.Source, "models:/m-"); ok && v.ModelID == "" {
		v.ModelID = "m-" + strings.Trim(id, "/")
	}
	of := "version " + v.Version + " of " + v.Name
	if v.Status != "" && v.Status != "READY" {
		i.notice("%s has the status %s there; here it counts as ready", of, v.Status)
	}
	location, settled, err := i.rehome(ctx, location, v, of)
	if err != nil {
		return err
	}
	if !settled {
		there.Status += " without its files" // the next import tries again
	}
	if !strings.HasPrefix(v.Source, "models:") && !strings.HasPrefix(v.Source, "runs:") {
		if v.Source, _, err = i.rehome(ctx, v.Source, v, ""); err != nil {
			return err
		}
	}
	err = i.to.PutVersion(ctx, v, location, there)
	if missing(err) {
		return nil // its model was made there since
	}
	if err != nil {
		return err
	}
	killpoint.At(killpoint.AfterImportedVersion)
	here, err := i.store.Version(ctx, v.Name, v.Version)
	if missing(err) {
		i.count(Versions, 1, 0, of+", which was deleted here")
		return nil
	}
	if err != nil {
		return err
	}
	i.count(Versions, 1, 1, of)
	i.count(VersionTags, len(v.Tags), held(v.Tags, tagKey, here.Tags, tagKey), of)
	i.did(func(p *Progress) { p.Done++ })
	return nil
}

// rehome returns where the folder uri of the source is here: in the folder of the run or the logged model that it belongs to there. What belongs to none stays
// where it is; with a name for it the report says so. It is not settled where files that only the source has should be here.
func (i *importer) rehome(ctx context.Context, uri string, v registry.Version, of string) (_ string, settled bool, _ error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" && !path.IsAbs(uri) || u.Scheme == "runs" || u.Scheme == "models" {
		return uri, true, nil //nolint:nilerr // it names no place, or names it by an id, which is the same here; that of a prompt names nothing
	}
	// Each part of the path may be the id.
	candidates := append(strings.Split(u.Path, "/"), v.RunID, v.ModelID)
	for n := len(candidates) - 1; n >= 0; n-- {
		there, here, err := i.folderOf(ctx, candidates[n])
		if err != nil {
			return "", false, err
		}
		rest, within := strings.CutPrefix(uri, strings.TrimSuffix(there, "/"))
		if there != "" && within && (rest == "" || rest[0] == '/') {
			return strings.TrimSuffix(here, "/") + rest, true, nil
		}
	}
	switch {
	case of == "":
	case u.Scheme == "mlflow-artifacts" || u.Scheme == "file" || u.Scheme == "":
		i.misses("%s: its files are at %s, which belongs to no run and no logged model, and were not copied", of, uri)
		return uri, false, nil
	default:
		i.notice("%s keeps its files at %s, which belongs to no run and no logged model; they stay there", of, uri)
	}
	return uri, true, nil
}

// folderOf returns the artifact URIs, there and here, of the run or the logged model with an id; empty ones if there is none.
func (i *importer) folderOf(ctx context.Context, id string) (there, here string, err error) {
	switch {
	case strings.HasPrefix(id, "m-"):
		mine, err := i.store.LoggedModelAlsoDeleted(ctx, id)
		if err != nil {
			return "", "", ignoreMissing(err)
		}
		m, err := i.client.LoggedModelAlsoDeleted(ctx, id)
		if err != nil {
			return "", "", ignoreMissing(err)
		}
		return m.ArtifactURI, mine.ArtifactURI, nil
	case len(id) == idLength && experiment.CheckRunID(id) == nil:
		mine, err := i.store.Run(ctx, id)
		if err != nil {
			return "", "", ignoreMissing(err)
		}
		r, err := i.client.Run(ctx, id)
		if err != nil {
			return "", "", ignoreMissing(err)
		}
		return r.ArtifactURI, mine.ArtifactURI, nil
	}
	return "", "", nil
}

// idLength is the length of the ids that MLflow gives to runs.
const idLength = 32

func ignoreMissing(err error) error {
	if missing(err) {
		return nil
	}
	return err
}
