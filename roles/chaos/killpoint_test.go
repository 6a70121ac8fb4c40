package chaos_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/killpoint"
	"tasador/pkg/testkit"
)

// story is a sequence of DAG runs, and where the pipeline is killed in some of them.
type story struct {
	batches string
	runs    []string
	kill    []string // runs in which it is killed
	points  []string // NAME or NAME:N, one case each
	// database makes those of the listings; nil if they are files
	database func(t testing.TB) string
}

// The first batches train and are promoted both; after the last one the source has no more, and reset_data follows.
func stories() []story {
	train := story{batches: "400,700", runs: []string{"first", "second"}, kill: []string{"first", "second"}}
	for _, p := range []killpoint.Point{
		killpoint.AfterAnswer, killpoint.AfterPayload, killpoint.AfterBatch, killpoint.AfterRunOpened, killpoint.BeforeSplitsSwap, killpoint.AfterSplitsSwap,
		killpoint.BeforeCleanSwap, killpoint.AfterCleanSwap, killpoint.AfterModelLogged, killpoint.AfterRegistered, killpoint.AfterPromoted,
	} {
		train.points = append(train.points, string(p))
	}
	for _, p := range []killpoint.Point{killpoint.LoadRaw, killpoint.LoadSplits, killpoint.LoadClean} {
		train.points = append(train.points, fmt.Sprintf("%s:%d", p, 2)) // some rows are with the database by then, in chunks of this build
	}
	train.points = append(train.points, string(killpoint.AfterRunOpened)+":2", string(killpoint.AfterUpload)+":3")
	last := story{batches: train.batches, runs: train.runs, kill: []string{"second"}}
	for n := 1; n <= 7; n++ { // one for each task on the path
		for _, p := range []killpoint.Point{killpoint.AfterClaim, killpoint.BeforeFinish, killpoint.AfterFinish} {
			last.points = append(last.points, fmt.Sprintf("%s:%d", p, n))
		}
	}
	reset := story{batches: "400", runs: []string{"first", "empty", "again"}, kill: []string{"empty"}}
	for _, p := range []killpoint.Point{killpoint.AfterAnswer, killpoint.AfterPayload, killpoint.AfterSourceReset, killpoint.BetweenResets, killpoint.AfterRunOpened} {
		reset.points = append(reset.points, string(p))
	}
	return []story{train, last, reset}
}

func TestKilledAtEveryPointItEndsAsIfNothingHadHappened(t *testing.T) {
	if testing.Short() {
		return // takes a minute
	}
	bin := testkit.Build(t, "-tags=killpoints")
	for i, s := range stories() {
		t.Run(fmt.Sprintf("story %d", i), func(t *testing.T) { s.test(t, bin) })
	}
}

// test holds the outcome of every point against that of nothing.
func (s story) test(t *testing.T, bin string) {
	t.Helper()
	want := s.tell(t, bin, "")
	s.check(t, want)
	for _, point := range s.points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, strings.Join(want, "\n"), strings.Join(s.tell(t, bin, point), "\n"))
		})
	}
}

// TestKilledInEveryBulkStepOnServers does the same where the listings are on a server, at the points where their tables change.
func TestKilledInEveryBulkStepOnServers(t *testing.T) {
	if testing.Short() {
		return // takes a minute
	}
	bin := testkit.Build(t, "-tags=killpoints")
	loads := []killpoint.Point{
		killpoint.LoadRaw, killpoint.AfterBatch, killpoint.LoadSplits, killpoint.BeforeSplitsSwap, killpoint.AfterSplitsSwap,
		killpoint.LoadClean, killpoint.BeforeCleanSwap, killpoint.AfterCleanSwap,
	}
	for name, server := range map[string]*testkit.DatabaseServer{"mariadb": testkit.MariaDB(t), "postgres": testkit.Postgres(t)} {
		newDatabase := func(t testing.TB) string { return server.NewDatabase(t) }
		train := story{batches: "400,700", runs: []string{"first", "second"}, kill: []string{"second"}, database: newDatabase}
		for _, p := range loads {
			train.points = append(train.points, string(p))
		}
		for _, p := range []killpoint.Point{killpoint.LoadRaw, killpoint.LoadSplits, killpoint.LoadClean} {
			train.points = append(train.points, string(p)+":3")
		}
		reset := story{batches: "400", runs: []string{"first", "empty", "again"}, kill: []string{"empty"}, database: newDatabase}
		reset.points = append(reset.points, string(killpoint.AfterSourceReset), string(killpoint.BetweenResets))
		t.Run(name+" train", func(t *testing.T) { train.test(t, bin) })
		t.Run(name+" reset", func(t *testing.T) { reset.test(t, bin) })
	}
}

// check makes sure that the undisturbed outcome is what the points need.
func (s story) check(t *testing.T, want []string) {
	t.Helper()
	for _, id := range s.runs {
		require.Contains(t, want, fmt.Sprintf("run %s success %s", id, conf))
		if id == "first" || id == "second" { // "again" has the rows of "first"
			require.Contains(t, want, fmt.Sprintf("%s train__%s: tag promoted=true", id, id), "the point after the promotion is passed")
		}
	}
}

// tell runs the DAG runs one after the other, kills the pipeline at the point in those of kill, starts it again, and returns the outcome.
func (s story) tell(t *testing.T, bin, point string) []string {
	t.Helper()
	w := newWorld(t, bin, s.batches)
	if s.database != nil {
		w.listings = map[string]string{"rawdata": s.database(t), "cleandata": s.database(t)}
	}
	w.start(t, "tracking")
	for _, id := range s.runs {
		if point != "" && slices.Contains(s.kill, id) {
			w.runUntilKilled(t, id, point)
		}
		pipeline := w.start(t, "pipeline")
		require.True(t, w.trigger(t, id))
		w.await(t, id, pipeline)
		pipeline.Stop(t)
	}
	return w.outcome(t, true)
}

// runUntilKilled begins a DAG run in a process that kills itself at the point.
func (w *world) runUntilKilled(t *testing.T, id, point string) {
	t.Helper()
	pipeline := w.start(t, "pipeline", "KILLPOINT="+point)
	w.trigger(t, id) // the answer may be lost with the process
	select {
	case <-pipeline.Ended():
		require.True(t, pipeline.KilledItself(), pipeline.Log())
	case <-time.After(runLimit):
		require.Fail(t, "the DAG run does not pass the point "+point, "%s: %s", w.state(t, id), pipeline.Log())
	}
	require.NotEqual(t, dag.RunSuccess, w.state(t, id))
}

// TestEveryPointIsTried reads the points where they are named.
func TestEveryPointIsTried(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(testkit.ModuleRoot(t), "pkg", "killpoint", "killpoint.go"))
	require.NoError(t, err)
	var named []string
	for _, m := range regexp.MustCompile(`Point = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1) {
		named = append(named, m[1])
	}
	var tried []string
	for _, p := range slices.Concat(importPoints(), garbagePoints(), predictionPoints(), mlflowPoints()) {
		p, _, _ = strings.Cut(p, ":")
		tried = append(tried, p)
	}
	for point := range swaps() {
		tried = append(tried, string(point))
	}
	for _, s := range stories() {
		for _, p := range s.points {
			p, _, _ = strings.Cut(p, ":")
			tried = append(tried, p)
		}
	}
	backups, err := os.ReadFile(filepath.Join(testkit.ModuleRoot(t), "roles", "backup_test.go")) // where backups and restores are killed
	require.NoError(t, err)
	for _, p := range named {
		if strings.Contains(string(backups), `"`+p) {
			tried = append(tried, p)
		}
	}
	slices.Sort(tried)
	require.ElementsMatch(t, named, slices.Compact(tried))
}

func TestTheBinaryThatIsShippedHasNoKillPoints(t *testing.T) {
	if testing.Short() {
		return // builds it
	}
	content, err := os.ReadFile(testkit.Build(t))
	require.NoError(t, err)
	for _, text := range []string{"KILLPOINT", string(killpoint.AfterSplitsSwap), string(killpoint.AfterPredictionIn)} {
		require.NotContains(t, string(content), text)
	}
}
