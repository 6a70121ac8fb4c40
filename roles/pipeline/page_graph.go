package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"tasador/pkg/dag"
)

// The sizes of the graph in pixels. Seven layers of boxes are as wide as a page.
const (
	boxWidth, boxHeight = 144, 66
	gapWidth, gapHeight = 24, 22
	graphMargin         = 4
)

// graph is a DAG drawn with its layers from left to right.
type graph struct {
	Width, Height int
	Boxes         []box
	Edges         []graphEdge
}

// box is a task with its upper left corner.
type box struct {
	X, Y int
	Task taskView
}

// graphEdge is a dependency. Way is taken, left (a skipped task is at one end) or open.
type graphEdge struct{ Path, Way string }

// slot is a place in a layer: a task's, or a bend of an edge that passes through.
type slot struct {
	task    string // empty for a bend
	layer   int
	place   float64 // in rows from the middle
	sources []*slot
}

func (s *slot) average() float64 {
	sum := 0.0
	for _, f := range s.sources {
		sum += f.place
	}
	return sum / float64(max(len(s.sources), 1))
}

// drawGraph lays a plan out. tasks holds what the boxes show, by task.
func drawGraph(plan *dag.Plan, tasks map[string]taskView) graph {
	layers, places := arrange(plan)
	rows := 0
	for _, l := range layers {
		rows = max(rows, len(l))
	}
	g := graph{
		Width:  2*graphMargin + len(layers)*(boxWidth+gapWidth) - gapWidth,
		Height: 2*graphMargin + rows*(boxHeight+gapHeight) - gapHeight,
	}
	corner := func(s *slot) (x, y int) {
		return graphMargin + s.layer*(boxWidth+gapWidth), g.Height/2 - boxHeight/2 + int(s.place*(boxHeight+gapHeight))
	}
	for _, id := range plan.TaskIDs() {
		x, y := corner(places[id])
		g.Boxes = append(g.Boxes, box{X: x, Y: y, Task: tasks[id]})
		for _, source := range places[id].sources {
			from, path := trace(source, places[id], corner)
			g.Edges = append(g.Edges, graphEdge{Path: path, Way: wayOf(tasks[from].State.Name, tasks[id].State.Name)})
		}
	}
	// What was taken is drawn last, above the rest.
	slices.SortStableFunc(g.Edges, func(a, b graphEdge) int { return strings.Compare(a.Way, b.Way) })
	return g
}

func wayOf(from, to string) string {
	switch {
	case from == string(dag.StateSkipped) || to == string(dag.StateSkipped):
		return "left"
	case from == string(dag.StateSuccess) && to != "none" && to != string(dag.StateUpstreamFailed):
		return "taken"
	}
	return "open"
}

// arrange gives every task a layer, one more than the largest of its upstream tasks, and every layer an order in which few edges cross: by the average place
// of what leads to a slot. Edges over several layers get a bend in each between.
func arrange(plan *dag.Plan) ([][]*slot, map[string]*slot) {
	places := map[string]*slot{}
	var layers [][]*slot
	add := func(s *slot) *slot {
		for len(layers) <= s.layer {
			layers = append(layers, nil)
		}
		layers[s.layer] = append(layers[s.layer], s)
		return s
	}
	var place func(id string) *slot
	place = func(id string) *slot {
		if s := places[id]; s != nil {
			return s
		}
		task, _ := plan.Task(id)
		s := &slot{task: id}
		for _, up := range task.Upstream {
			s.layer = max(s.layer, place(up).layer+1)
		}
		for _, up := range task.Upstream {
			from := places[up]
			for l := from.layer + 1; l < s.layer; l++ {
				from = add(&slot{layer: l, sources: []*slot{from}})
			}
			s.sources = append(s.sources, from)
		}
		places[id] = add(s)
		return s
	}
	for _, id := range plan.TaskIDs() {
		place(id)
	}
	for _, layer := range layers {
		slices.SortStableFunc(layer, func(a, b *slot) int {
			switch d := a.average() - b.average(); {
			case d < 0:
				return -1
			case d > 0:
				return 1
			}
			return 0
		})
		for i, s := range layer {
			s.place = float64(i) - float64(len(layer)-1)/2
		}
	}
	return layers, places
}

// trace draws the edge that ends at to and comes through source, and returns the task where it begins.
func trace(source, to *slot, corner func(*slot) (x, y int)) (from, path string) {
	chain := []*slot{to, source}
	for chain[len(chain)-1].task == "" {
		chain = append(chain, chain[len(chain)-1].sources[0])
	}
	slices.Reverse(chain)
	var b strings.Builder
	x, y := corner(chain[0])
	fmt.Fprintf(&b, "M%d %d", x+boxWidth, y+boxHeight/2)
	for i, s := range chain[1:] {
		fromX, fromY := corner(chain[i])
		x, y = corner(s)
		begin, end, middle := fromX+boxWidth, x, (fromX+boxWidth+x)/2
		fmt.Fprintf(&b, "C%d %d %d %d %d %d", middle, fromY+boxHeight/2, middle, y+boxHeight/2, max(begin, end), y+boxHeight/2)
		if s.task == "" {
			fmt.Fprintf(&b, "H%d", x+boxWidth)
		}
	}
	return chain[0].task, b.String()
}
