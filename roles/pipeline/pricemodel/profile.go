package pricemodel

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/dataset"
	"tasador/pkg/experiment"
	"tasador/pkg/property"
	"tasador/pkg/realtor"
	"tasador/pkg/sqlstore/datasetstore"
)

// batchMetrics is what the decision run records of a batch: its rows, the share that fails the gate, the rows seen before, for each
// required column the shares of rows in which it is null or out of range (or of the wrong type), and mean and median of the numbers.
func batchMetrics(p *dataset.Profile, gate dataset.Gate) []experiment.Metric {
	out := []experiment.Metric{{Key: realtor.MetricRows, Value: float64(p.Rows())}}
	if p.Rows() == 0 {
		return out
	}
	ratio := func(key string, rows int) {
		out = append(out, experiment.Metric{Key: key, Value: float64(rows) / float64(p.Rows())})
	}
	ratio(realtor.MetricInvalidRatio, gate.Examine(p).Failing)
	if p.SeenBefore != nil {
		out = append(out, experiment.Metric{Key: realtor.MetricSeenBefore, Value: float64(p.SeenBefore.Rows)})
	}
	for _, c := range p.Statistics {
		if slices.Contains(property.Required(), c.Column) {
			ratio(realtor.MetricNullRatio+c.Column, c.Nulls)
			ratio(realtor.MetricOutOfRangeRatio+c.Column, c.OutOfRange+c.WrongType)
		}
		if n := c.Numbers; n != nil && n.Values > 0 {
			median, _ := n.Quantile(0.5) // every profile has it
			out = append(out, experiment.Metric{Key: realtor.MetricMean + c.Column, Value: n.Mean}, experiment.Metric{Key: realtor.MetricMedian + c.Column, Value: median})
		}
	}
	return out
}

// logProfile stores a profile as a JSON file of a run; a retry replaces it by the same. A server whose artifacts cannot be reached from here
// goes without it.
func (d Deps) logProfile(ctx context.Context, tc *dag.TaskContext, run *experiment.Run, name string, profile any) error {
	text, err := json.MarshalIndent(profile, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	err = d.tracking.PutArtifact(ctx, run.ArtifactURI, name, bytes.NewReader(text))
	if apperror.CodeOf(err) == apperror.FailedPrecondition {
		tc.Log.WarnContext(ctx, "tracking does not keep the profile", "file", name, "error", err)
		return nil
	}
	return err
}

// splitProfilers profile the splits while they are made.
type splitProfilers map[dataset.SplitName]*dataset.BackgroundProfiler

func newSplitProfilers() splitProfilers {
	out := splitProfilers{}
	for _, split := range dataset.Splits() {
		out[split] = dataset.NewProfiler(nil).InBackground()
	}
	return out
}

func (p splitProfilers) add(split dataset.SplitName, row *property.Listing) { p[split].Add(row) }

// wait returns the profiles. It must be called, also after a failure.
func (p splitProfilers) wait() datasetstore.SplitProfiles {
	out := datasetstore.SplitProfiles{}
	for split, b := range p {
		out[split] = b.Wait().Profile()
	}
	return out
}

// logSplits records in the training run what its splits hold, as split_data found it. It returns the metrics that go with it.
func (d Deps) logSplits(ctx context.Context, tc *dag.TaskContext, run *experiment.Run) ([]experiment.Metric, error) {
	batch, err := d.data.Batch(ctx, tc.Run.ID)
	switch {
	case apperror.CodeOf(err) == apperror.NotFound, err == nil && batch.Splits == nil:
		tc.Log.WarnContext(ctx, "there is no profile of the splits")
		return nil, nil
	case err != nil:
		return nil, err
	}
	var metrics []experiment.Metric
	for _, split := range slices.Sorted(maps.Keys(batch.Splits)) {
		metrics = append(metrics, experiment.Metric{Key: realtor.MetricRows + "_" + string(split), Value: float64(batch.Splits[split].Rows())})
	}
	return metrics, d.logProfile(ctx, tc, run, realtor.FileSplitsProfile, batch.Splits)
}
