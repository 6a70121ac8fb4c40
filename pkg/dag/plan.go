package dag

import (
	"regexp"
	"slices"
	"strings"

	"tasador/pkg/apperror"
)

// idForm is what ids may look like: they are parts of addresses, run ids and tags.
var idForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$`)

// Plan is a Definition that was found sound, with what planning needs at hand.
type Plan struct {
	def        Definition
	index      map[string]int      // task id to position in def.Tasks
	downstream map[string][]string // direct, in the order of def.Tasks
	order      []int               // every task after all of its upstreams
}

// NewPlan checks a definition. Codes: Invalid, with a sentence that names the task, for an id that is malformed or used twice, a
// dependency that is unknown, named twice or part of a cycle, an unknown trigger rule, a negative number, or a missing function.
func NewPlan(def Definition) (*Plan, error) {
	if !idForm.MatchString(def.ID) {
		return nil, apperror.New(apperror.Invalid, "the DAG id %q is malformed; use letters, digits, dots, dashes and underscores", def.ID)
	}
	if len(def.Tasks) == 0 {
		return nil, apperror.New(apperror.Invalid, "the DAG %s has no tasks", def.ID)
	}
	p := &Plan{def: def, index: map[string]int{}, downstream: map[string][]string{}}
	for i, t := range def.Tasks {
		if _, twice := p.index[t.ID]; twice {
			return nil, apperror.New(apperror.Invalid, "the DAG %s has two tasks named %s", def.ID, t.ID)
		}
		if err := checkTask(def.ID, t); err != nil {
			return nil, err
		}
		p.index[t.ID] = i
	}
	if err := p.link(); err != nil {
		return nil, err
	}
	return p, p.sort()
}

func checkTask(dagID string, t Task) error {
	switch {
	case !idForm.MatchString(t.ID):
		return apperror.New(apperror.Invalid, "the DAG %s has a task with the malformed id %q; use letters, digits, dots, dashes and underscores", dagID, t.ID)
	case t.rule() != AllSuccess && t.rule() != NoneFailedMinOneSuccess:
		return apperror.New(apperror.Invalid, "task %s of the DAG %s has the unknown trigger rule %q; use %s or %s",
			t.ID, dagID, t.TriggerRule, AllSuccess, NoneFailedMinOneSuccess)
	case t.Retries < 0 || t.RetryDelay < 0 || t.Timeout < 0:
		return apperror.New(apperror.Invalid, "task %s of the DAG %s has a negative number of retries, retry delay or time-out", t.ID, dagID)
	case t.Run == nil:
		return apperror.New(apperror.Invalid, "task %s of the DAG %s has nothing to run", t.ID, dagID)
	}
	return nil
}

func (p *Plan) link() error {
	for _, t := range p.def.Tasks {
		seen := map[string]bool{}
		for _, up := range t.Upstream {
			if _, known := p.index[up]; !known {
				return apperror.New(apperror.Invalid, "task %s of the DAG %s depends on %s, which the DAG does not have", t.ID, p.def.ID, up)
			}
			if seen[up] {
				return apperror.New(apperror.Invalid, "task %s of the DAG %s depends on %s twice", t.ID, p.def.ID, up)
			}
			seen[up] = true
			p.downstream[up] = append(p.downstream[up], t.ID)
		}
	}
	return nil
}

// sort finds an order in which every task comes after its upstreams, or a cycle.
func (p *Plan) sort() error {
	waiting := make([]int, len(p.def.Tasks))
	for i, t := range p.def.Tasks {
		waiting[i] = len(t.Upstream)
		if waiting[i] == 0 {
			p.order = append(p.order, i)
		}
	}
	for next := 0; next < len(p.order); next++ {
		for _, down := range p.downstream[p.def.Tasks[p.order[next]].ID] {
			i := p.index[down]
			if waiting[i]--; waiting[i] == 0 {
				p.order = append(p.order, i)
			}
		}
	}
	if len(p.order) < len(p.def.Tasks) {
		return apperror.New(apperror.Invalid, "the tasks of the DAG %s depend on each other in a circle: %s", p.def.ID, strings.Join(p.cycle(waiting), " → "))
	}
	return nil
}

// cycle walks upstream among the tasks that sort could not place until it meets one again.
func (p *Plan) cycle(waiting []int) []string {
	at := slices.IndexFunc(waiting, func(n int) bool { return n > 0 })
	var path []string
	for {
		id := p.def.Tasks[at].ID
		if from := slices.Index(path, id); from >= 0 {
			path = append(path[from:], id)
			slices.Reverse(path)
			return path
		}
		path = append(path, id)
		for _, up := range p.def.Tasks[at].Upstream {
			if waiting[p.index[up]] > 0 {
				at = p.index[up]
				break
			}
		}
	}
}

// Definition returns what the plan was made from.
func (p *Plan) Definition() Definition { return p.def }

// TaskIDs lists the tasks in the order of the definition.
func (p *Plan) TaskIDs() []string {
	ids := make([]string, len(p.def.Tasks))
	for i, t := range p.def.Tasks {
		ids[i] = t.ID
	}
	return ids
}

// Task returns a task by its id, and whether there is one.
func (p *Plan) Task(id string) (Task, bool) {
	i, ok := p.index[id]
	if !ok {
		return Task{}, false
	}
	return p.def.Tasks[i], true
}

// Downstream returns the direct downstream tasks.
func (p *Plan) Downstream(id string) []string { return p.downstream[id] }

// AllDownstream returns every task that depends on id, directly or not, in the order of the definition.
func (p *Plan) AllDownstream(id string) []string {
	reached := p.closure([]string{id})
	var out []string
	for _, t := range p.def.Tasks {
		if t.ID != id && reached[t.ID] {
			out = append(out, t.ID)
		}
	}
	return out
}

// closure returns ids and everything downstream of them.
func (p *Plan) closure(ids []string) map[string]bool {
	reached := map[string]bool{}
	todo := slices.Clone(ids)
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !reached[id] {
			reached[id] = true
			todo = append(todo, p.downstream[id]...)
		}
	}
	return reached
}

func (t Task) rule() TriggerRule {
	if t.TriggerRule == "" {
		return AllSuccess
	}
	return t.TriggerRule
}
