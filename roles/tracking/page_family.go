package tracking

import (
	"context"
	"net/url"
	"strconv"

	"tasador/pkg/apperror"
	"tasador/pkg/experiment"
)

// maxChildren is how many child runs the page of a run lists.
const maxChildren = 50

// tagParentRun names the run that a run belongs to, as MLflow's clients do for nested runs.
const tagParentRun = "mlflow.parentRunId"

// family is what a run can be compared with.
type family struct {
	Parent       *runLine
	Children     []runLine
	MoreChildren bool
	AllChildren  string // address of a table of them
	WithChildren string // addresses of comparisons; empty if there is nothing to compare with
	WithSiblings string
	WithPrevious string
}

// familyOf finds the parent, the children and the run before in the same experiment.
func (p *pages) familyOf(ctx context.Context, run *experiment.Run) (family, error) {
	var f family
	children, err := p.childrenOf(ctx, run, run.ID, maxChildren)
	if err != nil {
		return f, err
	}
	f.AllChildren = address("/experiments/"+run.ExperimentID, url.Values{"filter": {childFilter(run.ID)}})
	f.MoreChildren = children.NextPageToken != ""
	for _, child := range children.Items {
		f.Children = append(f.Children, newRunLine(child))
	}
	f.WithChildren = compareWith(run, children.Items)
	if id, ok := run.Tag(tagParentRun); ok {
		if err := p.addParent(ctx, &f, run, id); err != nil {
			return f, err
		}
	}
	q := experiment.RunSearch{ExperimentIDs: []string{run.ExperimentID}}
	q.Filter, q.MaxResults = "attributes.start_time < "+strconv.FormatInt(run.StartTime, 10), 1
	q.OrderBy = []string{"attributes.start_time DESC"}
	before, err := p.store.SearchRuns(ctx, q)
	f.WithPrevious = compareWith(run, before.Items)
	return f, err
}

// addParent adds the parent, if it exists, and its other children.
func (p *pages) addParent(ctx context.Context, f *family, run *experiment.Run, id string) error {
	parent, err := p.store.Run(ctx, id)
	if err != nil {
		if code := apperror.CodeOf(err); code == apperror.NotFound || code == apperror.Invalid { // a client may write what it likes
			return nil
		}
		return err
	}
	shown := newRunLine(*parent)
	f.Parent = &shown
	siblings, err := p.childrenOf(ctx, run, parent.ID, maxCompared)
	f.WithSiblings = compareWith(run, siblings.Items)
	return err
}

// childrenOf returns the runs of an experiment that belong to a run, whose id is known to be one.
func (p *pages) childrenOf(ctx context.Context, of *experiment.Run, parentID string, most int) (experiment.Page[experiment.Run], error) {
	q := experiment.RunSearch{ExperimentIDs: []string{of.ExperimentID}}
	q.Filter, q.MaxResults = childFilter(parentID), most
	return p.store.SearchRuns(ctx, q)
}

func childFilter(parentID string) string { return "tags.`" + tagParentRun + "` = '" + parentID + "'" }

// compareWith is the address that compares a run with others; empty without any.
func compareWith(run *experiment.Run, others []experiment.Run) string {
	q := url.Values{"run": {run.ID}}
	for _, other := range others {
		if other.ID != run.ID && len(q["run"]) < maxCompared {
			q.Add("run", other.ID)
		}
	}
	if len(q["run"]) == 1 {
		return ""
	}
	return address("/compare", q)
}

// datasetLine is a dataset that a run used, with what for.
type datasetLine struct {
	experiment.Dataset
	Context string
}

// datasetLines makes lines of what a run used.
func datasetLines(inputs []experiment.DatasetInput) []datasetLine {
	lines := make([]datasetLine, len(inputs))
	for i, in := range inputs {
		lines[i].Dataset = in.Dataset
		for _, tag := range in.Tags {
			if tag.Key == experiment.TagDataContext {
				lines[i].Context = tag.Value
			}
		}
	}
	return lines
}
