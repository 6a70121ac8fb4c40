package dag_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/dag"
)

func nothing(context.Context, *dag.TaskContext) (dag.Result, error) { return dag.Done(), nil }

func task(id string, upstream ...string) dag.Task {
	return dag.Task{ID: id, Upstream: upstream, Run: nothing}
}

func joined(id string, upstream ...string) dag.Task {
	t := task(id, upstream...)
	t.TriggerRule = dag.NoneFailedMinOneSuccess
	return t
}

func planOf(t *testing.T, tasks ...dag.Task) *dag.Plan {
	t.Helper()
	p, err := dag.NewPlan(dag.Definition{ID: "d", Tasks: tasks})
	require.NoError(t, err)
	return p
}

func TestNewPlanRefusesWhatCannotRun(t *testing.T) {
	rule := task("a")
	rule.TriggerRule = "one_success"
	negative := task("a")
	negative.RetryDelay = -time.Second
	for name, c := range map[string]struct {
		def  dag.Definition
		want string
	}{
		"no id":              {dag.Definition{Tasks: []dag.Task{task("a")}}, `the DAG id "" is malformed`},
		"no tasks":           {dag.Definition{ID: "d"}, "the DAG d has no tasks"},
		"malformed task":     {dag.Definition{ID: "d", Tasks: []dag.Task{task("a b")}}, `malformed id "a b"`},
		"duplicate":          {dag.Definition{ID: "d", Tasks: []dag.Task{task("a"), task("a")}}, "two tasks named a"},
		"unknown dependency": {dag.Definition{ID: "d", Tasks: []dag.Task{task("a", "z")}}, "task a of the DAG d depends on z, which the DAG does not have"},
		"doubled dependency": {dag.Definition{ID: "d", Tasks: []dag.Task{task("a"), task("b", "a", "a")}}, "depends on a twice"},
		"self":               {dag.Definition{ID: "d", Tasks: []dag.Task{task("a", "a")}}, "in a circle: a → a"},
		"cycle":              {dag.Definition{ID: "d", Tasks: []dag.Task{task("s"), task("a", "s", "c"), task("b", "a"), task("c", "b"), task("z", "c")}}, "in a circle: a → b → c → a"},
		"unknown rule":       {dag.Definition{ID: "d", Tasks: []dag.Task{rule}}, `unknown trigger rule "one_success"`},
		"negative":           {dag.Definition{ID: "d", Tasks: []dag.Task{negative}}, "negative"},
		"nothing to run":     {dag.Definition{ID: "d", Tasks: []dag.Task{{ID: "a"}}}, "has nothing to run"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dag.NewPlan(c.def)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
		})
	}
}

func TestPlanKnowsWhatIsDownstream(t *testing.T) {
	p := planOf(t, task("a"), task("b", "a"), task("c", "b"), task("d", "a", "c"))
	require.Equal(t, []string{"b", "d"}, p.Downstream("a"))
	require.Equal(t, []string{"b", "c", "d"}, p.AllDownstream("a"))
	require.Empty(t, p.AllDownstream("d"))
}

func TestABranchMayFollowOnlyItsOwnDownstream(t *testing.T) {
	p := planOf(t, task("branch"), task("left", "branch"), task("end", "left"))
	require.NoError(t, p.CheckFollow("branch", []string{"left"}))
	require.NoError(t, p.CheckFollow("branch", nil))
	require.ErrorContains(t, p.CheckFollow("branch", []string{"end"}), `"end", which is not directly downstream`)
}
