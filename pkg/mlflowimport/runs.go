package mlflowimport

import (
	"context"
	"math"

	"tasador/pkg/experiment"
	"tasador/pkg/killpoint"
	"tasador/pkg/trackingclient"
)

const (
	pointsPerPage = 25_000 // as MLflow's own clients ask for
	pointsPerPut  = 5_000
)

func tagKey(t experiment.Tag) string     { return t.Key }
func paramKey(p experiment.Param) string { return p.Key }

// copyExperiments writes the experiments and learns their ids here.
func (i *importer) copyExperiments(ctx context.Context, p *plan) error {
	for _, e := range p.experiments {
		id, merged, err := i.to.PutExperiment(ctx, e)
		if err != nil {
			return err
		}
		killpoint.At(killpoint.AfterImportedExperiment)
		here, err := i.store.Experiment(ctx, id)
		if err != nil {
			return err
		}
		i.experiments[e.ID] = id
		if id != e.ID || merged {
			i.report.Placed = append(i.report.Placed, Placed{SourceID: e.ID, ID: id, Name: e.Name, Merged: merged})
		}
		i.count(Experiments, 1, 1, "")
		i.count(ExperimentTags, len(e.Tags), held(e.Tags, tagKey, here.Tags, tagKey), "experiment "+e.Name)
		i.did(func(p *Progress) { p.Done++ })
	}
	return nil
}

// copyRun copies a run, its points and its files, and counts them on both sides.
func (i *importer) copyRun(ctx context.Context, id string) error {
	r, err := i.client.Run(ctx, id)
	if missing(err) {
		return nil // removed there meanwhile
	}
	if err != nil {
		return err
	}
	experimentID, known := i.experiments[r.ExperimentID]
	if !known {
		return nil // it is not in what was looked at
	}
	if name, ok := r.Tag(experiment.TagRunName); ok && r.Name == "" {
		r.Name = name // servers of old have it only there
	}
	if err := i.to.PutRun(ctx, *r, experimentID); err != nil {
		return err
	}
	killpoint.At(killpoint.AfterImportedRun)
	i.noteModels(r)
	var points int
	for _, m := range r.Metrics {
		n, err := i.copyPoints(ctx, id, m.Key)
		if err != nil {
			return err
		}
		points += n
	}
	here, err := i.store.Run(ctx, id)
	if err != nil {
		return err
	}
	have, err := i.to.CountPoints(ctx, id)
	if err != nil {
		return err
	}
	of := "run " + id
	i.count(Runs, 1, 1, of)
	i.count(Params, len(r.Params), held(r.Params, paramKey, here.Params, paramKey), of)
	i.count(RunTags, len(r.Tags), held(r.Tags, tagKey, here.Tags, tagKey), of)
	i.count(Points, points, min(points, int(have)), of) // more may have been logged here
	i.count(Datasets, len(r.DatasetInputs), held(r.DatasetInputs, datasetKey, here.DatasetInputs, datasetKey), of)
	i.count(ModelLinks, len(r.ModelInputs), held(r.ModelInputs, inputKey, here.ModelInputs, inputKey), of)
	i.count(ModelLinks, len(r.ModelOutputs), held(r.ModelOutputs, outputKey, here.ModelOutputs, outputKey), of)
	i.did(func(p *Progress) { p.Runs++ })
	return i.copyFiles(ctx, of, trackingclient.Holder{RunID: id, ArtifactURI: r.ArtifactURI}, here.ArtifactURI)
}

func datasetKey(d experiment.DatasetInput) [2]string {
	return [2]string{d.Dataset.Name, d.Dataset.Digest}
}
func inputKey(m experiment.ModelInput) string   { return m.ModelID }
func outputKey(m experiment.ModelOutput) string { return m.ModelID }

// noteModels remembers which logged models a run names, because searches do not find deleted ones.
func (i *importer) noteModels(r *experiment.Run) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, m := range r.ModelInputs {
		i.models[m.ModelID] = true
	}
	for _, m := range r.ModelOutputs {
		i.models[m.ModelID] = true
	}
}

// copyPoints copies all points of a metric and returns how many different ones there are at the source.
func (i *importer) copyPoints(ctx context.Context, runID, key string) (n int, err error) {
	var batch []experiment.Metric
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := i.to.PutPoints(ctx, runID, batch); err != nil {
			return err
		}
		killpoint.At(killpoint.AfterImportedPoints)
		i.did(func(p *Progress) { p.Points += int64(len(batch)) })
		batch = batch[:0]
		return nil
	}
	most := pointsPerPut
	if killpoint.ChunkRows > 0 {
		most = killpoint.ChunkRows
	}
	seen := distinct{}
	err = pages(pointsPerPage, func(q experiment.PageRequest) (experiment.Page[experiment.Metric], error) {
		return i.client.MetricHistory(ctx, runID, key, q)
	}, func(m experiment.Metric) error {
		m.Key, m.Value = key, finite(m.Value)
		if !seen.isNew(m) {
			return nil
		}
		n++
		if batch = append(batch, m); len(batch) < most {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	return n, err
}

// finite is how an infinite value is kept: as the largest finite one of its sign, as MLflow's databases do. Its folders of files do not.
func finite(v float64) float64 {
	switch {
	case math.IsInf(v, 1):
		return math.MaxFloat64
	case math.IsInf(v, -1):
		return -math.MaxFloat64
	}
	return v
}

// distinct tells points apart. A database sends points in the order of their times and none twice, so only those of one time are remembered; a server that
// keeps files may send one twice, in any order, which is found within one time only.
type distinct struct {
	timestamp int64
	points    map[point]bool
}

type point struct {
	step  int64
	value float64
	isNaN bool
}

func (d *distinct) isNew(m experiment.Metric) bool {
	if d.points == nil || d.timestamp != m.Timestamp {
		d.timestamp, d.points = m.Timestamp, map[point]bool{}
	}
	p := point{m.Step, m.Value, math.IsNaN(m.Value)}
	if p.isNaN {
		p.value = 0 // it is unequal to itself
	}
	if d.points[p] {
		return false
	}
	d.points[p] = true
	return true
}
