package pipeline

import (
	"net/url"
	"time"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore/dagrunstore"
)

// barHeight is that of the longest run, in pixels.
const barHeight = 48

// grid is the newest runs from left to right, with a bar for how long each took above the states of its tasks.
type grid struct {
	Runs    []gridRun
	Rows    []gridRow
	Longest *time.Duration
}

type gridRun struct {
	runView
	Choose string // the address that shows its graph
	Y, H   int    // of the bar
	Chosen bool
}

type gridRow struct {
	Task  string
	Cells []gridCell
}

type gridCell struct {
	Run    string
	Task   taskView
	Chosen bool
}

// drawGrid takes runs newest first.
func (p *pages) drawGrid(runs []dagrunstore.Run, instances map[int64][]dagrunstore.Instance, chosen string, now time.Time) grid {
	var g grid
	var longest time.Duration
	for i := range runs {
		run := runs[len(runs)-1-i]
		v := newRunView(run, now)
		if v.Clock.Took != nil {
			longest = max(longest, *v.Clock.Took)
		}
		g.Runs = append(g.Runs, gridRun{runView: v, Chosen: run.ID == chosen, Choose: dagPath(run.DAGID) + "?run=" + url.QueryEscape(run.ID)})
	}
	if longest > 0 {
		g.Longest = &longest
	}
	for i := range g.Runs {
		r := &g.Runs[i]
		r.H = 1
		if r.Clock.Took != nil && longest > 0 {
			r.H = max(1, int(float64(barHeight)*float64(*r.Clock.Took)/float64(longest)))
		}
		r.Y = barHeight - r.H
	}
	for _, task := range p.plan.TaskIDs() {
		row := gridRow{Task: task}
		for i := range runs {
			run := runs[len(runs)-1-i]
			cell := gridCell{Run: run.ID, Chosen: run.ID == chosen, Task: taskView{State: viewOf(string(dag.StateNone))}}
			for _, instance := range instances[run.Key] {
				if instance.TaskID == task {
					cell.Task = p.taskView(instance, now)
				}
			}
			row.Cells = append(row.Cells, cell)
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}
