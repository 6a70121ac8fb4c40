package pricemodel

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
	"tasador/pkg/experiment"
	"tasador/pkg/killpoint"
	"tasador/pkg/realtor"
	"tasador/pkg/registry"
)

// Tracking is what the tasks need of the tracking server: calls that a stock MLflow server has, too.
type Tracking interface {
	experiment.Store
	registry.Store
	// PutArtifact stores a file under a folder of artifacts.
	PutArtifact(ctx context.Context, artifactURI, name string, r io.Reader) error
}

// tagFence says which try of a task made something.
const tagFence = "tasador.fence"

// experimentID returns the id of the experiment, which is made if it is missing.
func (d Deps) experimentID(ctx context.Context) (string, error) {
	e, err := d.tracking.ExperimentByName(ctx, realtor.Experiment)
	if apperror.CodeOf(err) == apperror.NotFound {
		id, err := d.tracking.CreateExperiment(ctx, experiment.NewExperiment{Name: realtor.Experiment})
		if err == nil || apperror.CodeOf(err) != apperror.AlreadyExists {
			return id, err
		}
		e, err = d.tracking.ExperimentByName(ctx, realtor.Experiment)
		if err != nil {
			return "", err
		}
		return e.ID, nil
	}
	if err != nil {
		return "", err
	}
	if e.LifecycleStage == experiment.Deleted {
		return "", apperror.New(apperror.FailedPrecondition, "the experiment %s is deleted; restore it in tracking", realtor.Experiment)
	}
	return e.ID, nil
}

// openRun returns the run of that name of the DAG run, which is made if it is missing.
//
// Tracking knows no fences, so a try that was paused between its look and its call may make a second one after another try has taken
// over. Then the one of the newest try stays: that try deletes the others when it sees them, and the paused one deletes its own.
func (d Deps) openRun(ctx context.Context, tc *dag.TaskContext, name string) (*experiment.Run, error) {
	experimentID, err := d.experimentID(ctx)
	if err != nil {
		return nil, err
	}
	run, found, err := d.findRun(ctx, tc, experimentID, name)
	if err != nil || found {
		return run, err
	}
	if err := d.data.Hold(ctx, claimOf(tc)); err != nil {
		return nil, err
	}
	tags, err := d.runTags(tc)
	if err != nil {
		return nil, err
	}
	made, err := d.tracking.CreateRun(ctx, experiment.NewRun{ExperimentID: experimentID, Name: name, UserID: d.schedule.Owner, Tags: tags})
	if err != nil {
		return nil, err
	}
	killpoint.At(killpoint.AfterRunOpened)
	if err := d.data.Hold(ctx, claimOf(tc)); err != nil {
		return nil, errors.Join(err, d.tracking.DeleteRun(ctx, made.ID))
	}
	run, found, err = d.findRun(ctx, tc, experimentID, name)
	if err != nil || found {
		return run, err
	}
	return made, nil
}

func (d Deps) runTags(tc *dag.TaskContext) ([]experiment.Tag, error) {
	run := tc.Run
	asOf, err := asOfOf(run)
	if err != nil {
		return nil, err
	}
	return []experiment.Tag{
		{Key: realtor.TagDAGRunID, Value: run.ID}, {Key: realtor.TagExecutionDate, Value: isoformat(run.LogicalDate)}, {Key: realtor.TagAsOf, Value: isoformat(asOf)}, fenceTag(tc),
		{Key: experiment.TagSourceName, Value: realtor.DAG}, {Key: experiment.TagSourceType, Value: "JOB"}, {Key: experiment.TagUser, Value: d.schedule.Owner},
	}, nil
}

func fenceTag(tc *dag.TaskContext) experiment.Tag {
	return experiment.Tag{Key: tagFence, Value: strconv.FormatInt(tc.Fence, 10)}
}

// fenceOf reads the fence tag; what has none is older than all.
func fenceOf(tags []experiment.Tag) int64 {
	for _, t := range tags {
		if t.Key == tagFence {
			if n, err := strconv.ParseInt(t.Value, 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}

// findRun returns the DAG run's run of that name, if there is one: that of the newest try, should there be several. It deletes the others.
func (d Deps) findRun(ctx context.Context, tc *dag.TaskContext, experimentID, name string) (_ *experiment.Run, found bool, err error) {
	value, err := literal(tc.Run.ID)
	if err != nil {
		return nil, false, err
	}
	var runs []experiment.Run
	err = d.eachRun(ctx, experimentID, "tags."+realtor.TagDAGRunID+" = "+value, nil, func(run experiment.Run) bool {
		if run.Name == name {
			runs = append(runs, run)
		}
		return true
	})
	if err != nil || len(runs) == 0 {
		return nil, false, err
	}
	slices.SortFunc(runs, func(a, b experiment.Run) int {
		return cmp.Or(cmp.Compare(fenceOf(b.Tags), fenceOf(a.Tags)), cmp.Compare(a.StartTime, b.StartTime), cmp.Compare(a.ID, b.ID))
	})
	for _, extra := range runs[1:] {
		if err := d.data.Hold(ctx, claimOf(tc)); err != nil {
			return nil, false, err
		}
		tc.Log.WarnContext(ctx, "deleting a second run of the same DAG run", "run", extra.ID, "name", name)
		if err := d.tracking.DeleteRun(ctx, extra.ID); err != nil {
			return nil, false, err
		}
	}
	return &runs[0], true, nil
}

// eachRun calls each for the active runs of the experiment that match, page by page, until it returns false.
func (d Deps) eachRun(ctx context.Context, experimentID, filter string, order []string, each func(experiment.Run) bool) error {
	q := experiment.RunSearch{ExperimentIDs: []string{experimentID}}
	q.Filter, q.OrderBy, q.View, q.MaxResults = filter, order, experiment.ActiveOnly, 100
	for {
		page, err := d.tracking.SearchRuns(ctx, q)
		if err != nil {
			return err
		}
		for _, run := range page.Items {
			if !each(run) {
				return nil
			}
		}
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			return nil
		}
	}
}

// literal quotes a text for MLflow's filter language, which has no escapes.
func literal(s string) (string, error) {
	for _, quote := range []string{"'", `"`} {
		if !strings.Contains(s, quote) {
			return quote + s + quote, nil
		}
	}
	return "", apperror.New(apperror.Invalid, "the DAG run id %s holds both kinds of quotes, which tracking cannot search for; choose another id", s)
}

func (d Deps) finishRun(ctx context.Context, id string, status experiment.Status) error {
	end := time.Now().UnixMilli()
	_, err := d.tracking.UpdateRun(ctx, id, experiment.RunUpdate{Status: &status, EndTime: &end})
	return err
}

// missingMetrics returns those metrics that the run does not have yet with the same value, dated now: a retry adds no points.
func missingMetrics(run *experiment.Run, metrics []experiment.Metric, now time.Time) []experiment.Metric {
	var out []experiment.Metric
	for _, m := range metrics {
		have, logged := run.Metric(m.Key)
		if logged && (have == m.Value || math.IsNaN(have) && math.IsNaN(m.Value)) {
			continue
		}
		m.Timestamp = now.UnixMilli()
		out = append(out, m)
	}
	return out
}
