//go:build chaos

package chaos_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/testkit"
)

var (
	seed   = flag.Uint64("chaos.seed", uint64(time.Now().UnixNano()%1_000_000), "what is killed in which round, and when")
	rounds = flag.Int("chaos.rounds", 100, "how many rounds of kills")
)

var processes = []string{"tracking", "pipeline", "serving"}

// round is one world in which two DAG runs go to their end, under a load of predictions, while processes are killed.
type round struct {
	*world
	process map[string]*testkit.Process
	kills   map[string]int
	todo    []string // DAG runs, the one under way first
	begun   bool     // whether that one was triggered
}

func TestChaosOfRandomKills(t *testing.T) {
	bin := testkit.Build(t)
	undisturbed := func(withRetries bool) []string {
		w := newWorld(t, bin, "400,700")
		w.start(t, "tracking")
		pipeline := w.start(t, "pipeline")
		for _, id := range []string{"first", "second"} {
			require.True(t, w.trigger(t, id))
			w.await(t, id, pipeline)
		}
		return w.outcome(t, withRetries)
	}
	want := map[bool][]string{true: undisturbed(true), false: undisturbed(false)}
	say(t, "seed %d, %d rounds; the same again: make chaos SEED=%d ROUNDS=%d", *seed, *rounds, *seed, *rounds)
	begin, right, total := time.Now(), 0, map[string]int{}
	for n := 1; n <= *rounds; n++ {
		t.Run(fmt.Sprintf("round %d", n), func(t *testing.T) {
			from := time.Now()
			rng := rand.New(rand.NewPCG(*seed, uint64(n)))
			onlyPipeline := rng.IntN(2) == 0
			r := &round{world: newWorld(t, bin, "400,700"), process: map[string]*testkit.Process{}, kills: map[string]int{}, todo: []string{"first", "second"}}
			if !onlyPipeline {
				r.retries = 50 // each time that tracking is away costs one
			}
			wrong, answered := r.play(t, rng, onlyPipeline)
			wrong = append(wrong, differences(want[onlyPipeline], r.outcome(t, onlyPipeline))...)
			verdict := "as undisturbed"
			if len(wrong) > 0 {
				verdict = "WRONG"
			} else {
				right++
			}
			for role, n := range r.kills {
				total[role] += n
			}
			say(t, "round %3d: killed tracking %d, pipeline %d, serving %d times; %4d predictions answered; %.1f s; %s",
				n, r.kills["tracking"], r.kills["pipeline"], r.kills["serving"], answered, time.Since(from).Seconds(), verdict)
			require.Empty(t, wrong, "seed %d, round %d:\n%s", *seed, n, strings.Join(wrong, "\n"))
		})
	}
	say(t, "%d of %d rounds ended as undisturbed; killed tracking %d, pipeline %d, serving %d times; %.0f s; seed %d",
		right, *rounds, total["tracking"], total["pipeline"], total["serving"], time.Since(begin).Seconds(), *seed)
}

// play kills processes at random until it has killed enough, and returns when both DAG runs have ended and serving has the last model.
func (r *round) play(t *testing.T, rng *rand.Rand, onlyPipeline bool) (wrong []string, answered int) {
	t.Helper()
	for _, role := range processes {
		r.process[role] = r.launch(t, role)
	}
	load := r.loadServing(t.Context(), 3)
	defer load.wg.Wait()
	defer load.stop()
	left := 1 + rng.IntN(5)
	next := func() time.Duration { return time.Duration(rng.IntN(500)) * time.Millisecond }
	kill, look, limit := time.NewTimer(next()), time.NewTicker(10*time.Millisecond), time.After(runLimit)
	defer look.Stop()
	for {
		select {
		case <-kill.C:
			if left > 0 {
				role := "pipeline"
				if !onlyPipeline {
					role = processes[rng.IntN(len(processes))]
				}
				r.kill(t, role)
				left--
				kill.Reset(next())
			}
		case <-look.C:
			if r.goOn(t) && left == 0 && r.ask(t.Context(), "probe-"+fmt.Sprint(rng.Uint64())).Version == "2" {
				load.stop()
				load.wg.Wait()
				http.DefaultClient.CloseIdleConnections() // a stop waits seconds for one that never asked anything
				for _, role := range []string{"pipeline", "serving"} {
					require.True(t, r.process[role].Ready(t, 1), r.process[role].Log())
					r.process[role].Stop(t)
				}
				wrong, _ := load.wrong(t, r.world)
				return wrong, load.count()
			}
		case <-limit:
			require.Fail(t, "the DAG runs do not end", "%s\n%s", r.process["pipeline"].Log(), r.process["tracking"].Log())
		}
	}
}

// kill kills the process of a role, which must still run, and starts it again.
func (r *round) kill(t *testing.T, role string) {
	t.Helper()
	select {
	case <-r.process[role].Ended():
		require.Fail(t, role+" ended by itself", r.process[role].Log())
	default:
	}
	r.process[role].Kill(t)
	r.kills[role]++
	r.process[role] = r.launch(t, role)
}

// goOn triggers the next DAG run when the one before has ended, and reports whether all have.
func (r *round) goOn(t *testing.T) bool {
	t.Helper()
	if len(r.todo) == 0 {
		return true
	}
	if !r.begun {
		r.begun = r.trigger(t, r.todo[0])
		return false
	}
	switch state := r.state(t, r.todo[0]); state {
	case dag.RunFailed:
		require.Fail(t, "the DAG run "+r.todo[0]+" failed", r.process["pipeline"].Log())
	case dag.RunSuccess:
		r.todo, r.begun = r.todo[1:], false
	}
	return false
}

// differences returns the lines that only one of the two has.
func differences(want, got []string) (lines []string) {
	for _, line := range want {
		if !slices.Contains(got, line) {
			lines = append(lines, "missing: "+line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			lines = append(lines, "too much: "+line)
		}
	}
	if len(lines) == 0 && len(want) != len(got) {
		lines = append(lines, fmt.Sprintf("%d lines of outcome instead of %d: some are doubled", len(got), len(want)))
	}
	return lines
}
