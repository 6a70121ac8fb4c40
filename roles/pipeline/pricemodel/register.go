package pricemodel

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/experiment"
	"tasador/pkg/killpoint"
	"tasador/pkg/model"
	"tasador/pkg/realtor"
	"tasador/pkg/registry"
)

// loggedName is the name of the logged model.
const loggedName = "model"

// register logs the model with its files and makes it a version of the registered model. As with runs (see openRun), a try that was
// paused takes back what it made too late.
func (d Deps) register(ctx context.Context, tc *dag.TaskContext, run *experiment.Run, m *model.Model) (*registry.Version, error) {
	logged, err := d.openLogged(ctx, tc, run)
	if err != nil {
		return nil, err
	}
	if logged.Status != experiment.ModelReady {
		if err := d.upload(ctx, run, logged, m); err != nil {
			return nil, err
		}
		if _, err := d.tracking.FinalizeLoggedModel(ctx, logged.ID, experiment.ModelReady); err != nil {
			return nil, err
		}
		killpoint.At(killpoint.AfterModelLogged)
		tc.Log.InfoContext(ctx, "model logged", "model", logged.ID)
	}
	_, err = d.tracking.CreateModel(ctx, realtor.Model, "", nil)
	if err != nil && apperror.CodeOf(err) != apperror.AlreadyExists {
		return nil, err
	}
	if err := d.data.Hold(ctx, claimOf(tc)); err != nil {
		return nil, err
	}
	made, err := d.tracking.CreateVersion(ctx, registry.NewVersion{
		Name: realtor.Model, Source: "models:/" + logged.ID, RunID: run.ID, ModelID: logged.ID,
		Tags: []experiment.Tag{{Key: realtor.TagDAGRunID, Value: tc.Run.ID}, fenceTag(tc)},
	})
	if err != nil {
		return nil, err
	}
	killpoint.At(killpoint.AfterRegistered)
	if err := d.data.Hold(ctx, claimOf(tc)); err != nil {
		return nil, errors.Join(err, d.tracking.DeleteVersion(ctx, realtor.Model, made.Version))
	}
	version, found, err := d.findVersion(ctx, tc, run.ID)
	if err != nil {
		return nil, err
	}
	if !found {
		version = made
	}
	tc.Log.InfoContext(ctx, "model registered", "name", realtor.Model, "version", version.Version)
	return version, nil
}

// findVersion returns the version of the registered model that the run made, if there is one: that of the newest try, should there be
// several. It archives the others.
func (d Deps) findVersion(ctx context.Context, tc *dag.TaskContext, runID string) (_ *registry.Version, found bool, err error) {
	var versions []registry.Version
	q := experiment.Search{Filter: "run_id = '" + runID + "'"}
	for more := true; more; more = q.PageToken != "" {
		page, err := d.tracking.SearchVersions(ctx, q)
		if err != nil {
			return nil, false, err
		}
		for _, v := range page.Items {
			if v.Name == realtor.Model {
				versions = append(versions, v)
			}
		}
		q.PageToken = page.NextPageToken
	}
	if len(versions) == 0 {
		return nil, false, nil
	}
	slices.SortFunc(versions, func(a, b registry.Version) int {
		return cmp.Or(cmp.Compare(fenceOf(b.Tags), fenceOf(a.Tags)), cmp.Compare(number(a.Version), number(b.Version)))
	})
	for _, extra := range versions[1:] {
		if extra.Stage == registry.Archived {
			continue
		}
		if err := d.data.Hold(ctx, claimOf(tc)); err != nil {
			return nil, false, err
		}
		tc.Log.WarnContext(ctx, "archiving a second version of the same DAG run", "version", extra.Version)
		if _, err := d.tracking.TransitionStage(ctx, realtor.Model, extra.Version, registry.Archived, false); err != nil {
			return nil, false, err
		}
	}
	return &versions[0], true, nil
}

func number(version string) int {
	n, err := strconv.Atoi(version)
	if err != nil {
		return 0 // versions count from 1
	}
	return n
}

// openLogged returns the run's logged model, which is made if it is missing, and sees that the run names it.
func (d Deps) openLogged(ctx context.Context, tc *dag.TaskContext, run *experiment.Run) (*experiment.LoggedModel, error) {
	logged, found, err := d.findLogged(ctx, tc, run)
	if err != nil {
		return nil, err
	}
	if !found {
		logged, err = d.tracking.CreateLoggedModel(ctx, experiment.NewLoggedModel{
			ExperimentID: run.ExperimentID, Name: loggedName, SourceRunID: run.ID,
			Tags: []experiment.Tag{{Key: realtor.TagDAGRunID, Value: tc.Run.ID}, fenceTag(tc)},
		})
		if err != nil {
			return nil, err
		}
		if err := d.data.Hold(ctx, claimOf(tc)); err != nil {
			return nil, errors.Join(err, d.tracking.DeleteLoggedModel(ctx, logged.ID))
		}
	}
	named := slices.ContainsFunc(run.ModelOutputs, func(o experiment.ModelOutput) bool { return o.ModelID == logged.ID })
	if named {
		return logged, nil
	}
	return logged, d.tracking.LogOutputs(ctx, run.ID, []experiment.ModelOutput{{ModelID: logged.ID}})
}

// findLogged returns the run's logged model that the newest try made, if there is one that can be finished.
func (d Deps) findLogged(ctx context.Context, tc *dag.TaskContext, run *experiment.Run) (_ *experiment.LoggedModel, found bool, err error) {
	value, err := literal(tc.Run.ID)
	if err != nil {
		return nil, false, err
	}
	q := experiment.RunSearch{ExperimentIDs: []string{run.ExperimentID}}
	q.Filter = "tags." + realtor.TagDAGRunID + " = " + value
	page, err := d.tracking.SearchLoggedModels(ctx, q)
	if err != nil {
		return nil, false, err
	}
	models := slices.DeleteFunc(page.Items, func(m experiment.LoggedModel) bool {
		return m.SourceRunID != run.ID || m.Status == experiment.ModelUploadFailed
	})
	if len(models) == 0 {
		return nil, false, nil
	}
	newest := slices.MaxFunc(models, func(a, b experiment.LoggedModel) int { return cmp.Compare(fenceOf(a.Tags), fenceOf(b.Tags)) })
	return &newest, true, nil
}

// upload writes the model's folder and sends its files. The same model gives the same files, so a retry replaces what is there.
func (d Deps) upload(ctx context.Context, run *experiment.Run, logged *experiment.LoggedModel, m *model.Model) error {
	if err := os.MkdirAll(d.workDir, 0o750); err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot make the folder %s; check that its parent is writable", d.workDir)
	}
	dir, err := os.MkdirTemp(d.workDir, "model-")
	if err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot write to the folder %s; check that it is writable and has space", d.workDir)
	}
	defer func() { _ = os.RemoveAll(dir) }() // the next start empties the folder
	meta := model.Meta{
		RunID: run.ID, ModelID: logged.ID, ArtifactPath: logged.ArtifactURI, Producer: d.producer,
		CreatedAt: time.UnixMilli(logged.CreationTime).UTC(),
	}
	if err := model.WriteFolder(dir, m, meta); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot read the folder %s", dir)
	}
	for _, e := range entries {
		if err := d.put(ctx, logged.ArtifactURI, filepath.Join(dir, e.Name())); err != nil {
			return err
		}
		killpoint.At(killpoint.AfterUpload)
	}
	return nil
}

func (d Deps) put(ctx context.Context, artifactURI, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return apperror.Wrap(apperror.Unavailable, err, "cannot read %s", file)
	}
	defer func() { _ = f.Close() }() // only read
	return d.tracking.PutArtifact(ctx, artifactURI, filepath.Base(file), f)
}
