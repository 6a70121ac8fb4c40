package cli

import (
	"fmt"
	"io"
	"time"

	"tasador/pkg/dag"
	"tasador/pkg/pipelineclient"
)

// follower tells of the tasks of a run whenever there is something new to say.
type follower struct {
	err  io.Writer
	told map[string]string // what was last said of a task
}

func (f *follower) seen(run *pipelineclient.Run, tasks []pipelineclient.Task) {
	for _, t := range tasks {
		f.tell(t.ID, taskWords(t))
	}
	f.tell("run", string(run.State))
}

func (f *follower) tell(who, what string) {
	if what != f.told[who] && what != "" {
		f.told[who] = what
		_, _ = fmt.Fprintf(f.err, "%s  %-24s %s\n", time.Now().Format(time.TimeOnly), who, what) // progress only
	}
}

// taskWords is what is worth telling of a task, empty for nothing.
func taskWords(t pipelineclient.Task) string {
	name := t.StateName()
	switch {
	case name == "none" || name == "scheduled" || name == "queued":
		return ""
	case t.Try > 1:
		name = fmt.Sprintf("%s (try %d)", name, t.Try)
	}
	if t.Duration != nil && t.State.Finished() && *t.State != dag.StateSkipped {
		name = fmt.Sprintf("%s after %.2f s", name, *t.Duration)
	}
	return name
}
