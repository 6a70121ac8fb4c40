package chaos_test

import (
	"database/sql"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/artifact"
	"tasador/pkg/artifact/places"
	"tasador/pkg/config"
	"tasador/pkg/experiment"
	"tasador/pkg/killpoint"
	"tasador/pkg/sqlstore/trackingstore"
	"tasador/pkg/testkit"
)

// garbagePoints are where a removal of what was deleted is killed.
func garbagePoints() []string {
	return []string{
		string(killpoint.AfterGarbageClaim),        // nothing of the first run is removed yet
		string(killpoint.AfterGarbageFiles),        // its files are
		string(killpoint.AfterGarbageClaim) + ":3", // two runs are gone
		string(killpoint.AfterGarbageFiles) + ":4", // what was killed was the logged model
	}
}

// TestAKilledRemovalIsFinishedByTheNext: while tracking has its database and folder open, tasador gc is killed at every point and given again.
func TestAKilledRemovalIsFinishedByTheNext(t *testing.T) {
	if testing.Short() {
		return // builds and runs processes
	}
	bin := testkit.Build(t, "-tags=killpoints")
	for _, point := range garbagePoints() {
		t.Run(point, func(t *testing.T) {
			ctx, dir := t.Context(), t.TempDir()
			database := filepath.Join(dir, "tracking.db")
			files, err := places.Open(ctx, config.Artifacts{URL: "file:" + filepath.Join(dir, "artifacts")})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, files.Close()) })
			store, err := trackingstore.Open(ctx, "sqlite:"+database, files.Root(), slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, store.Close()) })

			id, err := store.CreateExperiment(ctx, experiment.NewExperiment{Name: "goes"})
			require.NoError(t, err)
			var runs []string
			put := func(uri string) {
				at, path, err := files.Find(uri)
				require.NoError(t, err)
				require.NoError(t, at.Put(ctx, path+"/deep/file", strings.NewReader("x")))
			}
			for range 3 {
				run, err := store.CreateRun(ctx, experiment.NewRun{ExperimentID: id})
				require.NoError(t, err)
				require.NoError(t, store.LogBatch(ctx, run.ID, experiment.Batch{Metrics: []experiment.Metric{{Key: "m", Value: 1}}}))
				put(run.ArtifactURI)
				runs = append(runs, run.ID)
			}
			model, err := store.CreateLoggedModel(ctx, experiment.NewLoggedModel{ExperimentID: id, Name: "m", SourceRunID: runs[0]})
			require.NoError(t, err)
			put(model.ArtifactURI)
			kept, err := store.CreateRun(ctx, experiment.NewRun{ExperimentID: "0"})
			require.NoError(t, err)
			put(kept.ArtifactURI)
			require.NoError(t, store.DeleteExperiment(ctx, id))

			args := []string{"gc", "--older-than=0s", "--yes", "--data-dir=" + dir}
			p := testkit.Launch(t, []string{"KILLPOINT=" + point}, bin, args...)
			<-p.Ended()
			require.True(t, p.KilledItself(), p.Log())
			require.Equal(t, apperror.FailedPrecondition, apperror.CodeOf(store.RestoreExperiment(ctx, id)), "it is half gone")
			for _, run := range runs {
				require.Contains(t, []apperror.Code{apperror.FailedPrecondition, apperror.NotFound}, apperror.CodeOf(store.RestoreRun(ctx, run)))
			}

			// Also with another age: what was begun is finished.
			out, err := exec.Command(bin, "gc", "--older-than=10d", "--yes", "--data-dir="+dir).CombinedOutput()
			require.NoError(t, err, string(out))
			require.Contains(t, string(out), "0 kept, 0 failed")
			require.Contains(t, string(out), "removed experiment "+id)
			require.Equal(t, map[string]int{"experiments": 1, "runs": 1, "metrics": 0, "latest_metrics": 0, "run_tags": 1, "logged_models": 0, "garbage": 0}, rowsOf(t, database))
			list, err := files.Proxied().List(ctx, "")
			require.NoError(t, err)
			require.Equal(t, []artifact.Info{{Path: "0", IsDir: true}}, list)
			_, err = store.Run(ctx, kept.ID)
			require.NoError(t, err)
			require.NoError(t, store.Ping(ctx))
		})
	}
}

// rowsOf counts the rows of tables of tracking.
func rowsOf(t *testing.T, path string) map[string]int {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	counts := map[string]int{}
	for _, table := range []string{"experiments", "runs", "metrics", "latest_metrics", "run_tags", "logged_models", "garbage"} {
		var n int
		require.NoError(t, db.QueryRow("SELECT count(*) FROM "+table).Scan(&n))
		counts[table] = n
	}
	return counts
}
