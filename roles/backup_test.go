package roles_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/experiment"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/predictionstore"
	"tasador/pkg/testkit"
	"tasador/pkg/testkit/s3test"
	"tasador/pkg/trackingclient"
)

// command runs tasador to its end and returns its exit code, what it printed and what it said.
func command(t *testing.T, bin string, env []string, args ...string) (code int, out, said string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), bin, args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "TASADOR_") }), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // the exit code tells
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// succeed is command for what must go well.
func succeed(t *testing.T, bin string, env []string, args ...string) string {
	t.Helper()
	code, out, said := command(t, bin, env, args...)
	require.Zero(t, code, "%v: %s", args, said)
	return out
}

// startAll starts all roles on a data folder.
func startAll(t *testing.T, bin, dir string) *testkit.Process {
	t.Helper()
	return testkit.Start(t, bin, 4, "--role=source,tracking,pipeline,serving", "--data-dir", dir, "--source.listen=127.0.0.1:0", "--tracking.listen=127.0.0.1:0",
		"--pipeline.listen=127.0.0.1:0", "--serving.listen=127.0.0.1:0", "--source.batches=1500,30000,1500,rest", "--schedule.cron=none", "--schedule.retry-delay=10ms",
		"--gate.min-new-records=1000", "--serving.follow=50ms")
}

// trackingWriters write points, and files with a tag that says that they are there, each to a run of its own.
type trackingWriters struct {
	client *trackingclient.Client
	runs   []*experiment.Run
	acked  []atomic.Int64 // points of each run
}

const uploadedTag = "uploaded"

func newTrackingWriters(t *testing.T, address string, n int) *trackingWriters {
	t.Helper()
	w := &trackingWriters{client: trackingclient.New(address, trackingclient.Options{}), acked: make([]atomic.Int64, n)}
	for range n {
		run, err := w.client.CreateRun(t.Context(), experiment.NewRun{ExperimentID: experiment.DefaultID})
		require.NoError(t, err)
		w.runs = append(w.runs, run)
	}
	return w
}

// write writes until it is stopped. Each eighth client writes files too.
func (w *trackingWriters) write() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for i, run := range w.runs {
		all.Go(func() {
			for n := int64(0); ctx.Err() == nil; n++ {
				if i%8 == 0 && n%10 == 0 {
					if w.upload(ctx, run, n) != nil {
						return
					}
				}
				if w.client.LogBatch(ctx, run.ID, experiment.Batch{Metrics: []experiment.Metric{{Key: "m", Value: float64(n), Step: n, Timestamp: n + 1}}}) != nil {
					return
				}
				w.acked[i].Add(1)
			}
		})
	}
	return sync.OnceFunc(func() { cancel(); all.Wait() })
}

func (w *trackingWriters) upload(ctx context.Context, run *experiment.Run, n int64) error {
	if err := w.client.PutArtifact(ctx, run.ArtifactURI, fmt.Sprintf("files/%d.txt", n), strings.NewReader(fmt.Sprint(run.ID, n))); err != nil {
		return err
	}
	return w.client.LogBatch(ctx, run.ID, experiment.Batch{Tags: []experiment.Tag{{Key: uploadedTag, Value: fmt.Sprint(n)}}})
}

func (w *trackingWriters) counts() (acked []int64) {
	for i := range w.acked {
		acked = append(acked, w.acked[i].Load())
	}
	return acked
}

// requireIn holds another tracking server to what was acknowledged by some moment.
func (w *trackingWriters) requireIn(t *testing.T, address string, acked []int64) {
	t.Helper()
	client := trackingclient.New(address, trackingclient.Options{})
	defer client.Close()
	for i, was := range w.runs {
		run, err := client.Run(t.Context(), was.ID)
		require.NoError(t, err)
		var points []experiment.Metric
		for token := ""; ; {
			page, err := client.MetricHistory(t.Context(), was.ID, "m", experiment.PageRequest{MaxResults: 10000, PageToken: token})
			require.NoError(t, err)
			points = append(points, page.Items...)
			if token = page.NextPageToken; token == "" {
				break
			}
		}
		require.GreaterOrEqual(t, int64(len(points)), acked[i])
		slices.SortFunc(points, func(a, b experiment.Metric) int { return int(a.Step - b.Step) })
		for n, point := range points {
			require.Equal(t, int64(n), point.Step, "each once, and none left out")
		}
		for _, tag := range run.Tags {
			if tag.Key != uploadedTag {
				continue
			}
			file, _, err := client.OpenArtifact(t.Context(), run.ArtifactURI, "files/"+tag.Value+".txt")
			require.NoError(t, err)
			content, err := io.ReadAll(file)
			require.NoError(t, err)
			require.NoError(t, file.Close())
			require.Equal(t, was.ID+tag.Value, string(content))
		}
	}
	requireFilesOpen(t, client)
}

// requireFilesOpen opens every file of every run and logged model that a tracking server names.
func requireFilesOpen(t *testing.T, client *trackingclient.Client) {
	t.Helper()
	experiments, err := client.SearchExperiments(t.Context(), experiment.Search{})
	require.NoError(t, err)
	var ids []string
	for _, e := range experiments.Items {
		ids = append(ids, e.ID)
	}
	models, err := client.SearchLoggedModels(t.Context(), experiment.RunSearch{ExperimentIDs: ids})
	require.NoError(t, err)
	require.NotEmpty(t, models.Items)
	for _, m := range models.Items {
		if m.Status == experiment.ModelReady {
			require.NoError(t, client.DownloadFolder(t.Context(), m.ArtifactURI, t.TempDir()))
		}
	}
}

// TestABackupOfAllRolesUnderLoad makes backups while a DAG run is under way, 32 clients write to tracking and three ask for prices, restores them elsewhere, and
// goes on there.
func TestABackupOfAllRolesUnderLoad(t *testing.T) {
	bin, dir, place := testkit.Build(t), filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "safe")
	server := s3test.Start(t)
	server.MakeBucket(t, "safe")
	onS3 := append(server.Env(), "MLFLOW_S3_ENDPOINT_URL="+server.Endpoint)
	first := startAll(t, bin, dir)
	trigger(t, first, "first")
	awaitSuccess(t, first, "first")
	serves := func(p *testkit.Process) func() bool {
		return func() bool {
			status, _ := post(t, p.Addresses["serving"]+"/predict", example)
			return status == http.StatusOK
		}
	}
	require.Eventually(t, serves(first), time.Minute, 20*time.Millisecond, "%s", first.Log())
	succeed(t, bin, nil, "backup", "--to", place, "--data-dir", dir)

	writers := newTrackingWriters(t, first.Addresses["tracking"], 32)
	clients := &killedClients{answered: map[string]int{}}
	address := first.Addresses["serving"]
	clients.address.Store(&address)
	stopWriting, stopAsking := writers.write(), clients.ask(3)
	defer stopWriting()
	defer stopAsking()
	require.Eventually(t, func() bool { return clients.count() > 100 && slices.Min(writers.counts()) > 0 }, time.Minute, time.Millisecond)
	trigger(t, first, "second")

	var kept [2]struct {
		acked    []int64
		answered map[string]int
	}
	for i, args := range [][]string{{"--to", place, "--rate=0"}, {"--to=s3://safe/all"}} {
		kept[i].acked, kept[i].answered = writers.counts(), clients.copy()
		out := succeed(t, bin, onS3, append([]string{"backup", "--data-dir", dir}, args...)...)
		t.Log(out)
	}
	stopWriting()
	stopAsking()
	code, _, said := command(t, bin, nil, "restore", "--from", place, "--data-dir", dir)
	require.Equal(t, 1, code)
	require.Contains(t, said, "another process already runs the role")
	awaitSuccess(t, first, "second")

	for i, from := range []string{place, "s3://safe/all"} {
		t.Run([]string{"folder", "s3"}[i], func(t *testing.T) {
			t.Log(succeed(t, bin, onS3, "backup", "verify", "--from", from))
			restored := filepath.Join(t.TempDir(), "restored")
			succeed(t, bin, onS3, "restore", "--from", from, "--data-dir", restored)
			requireIntegrity(t, restored)
			second := startAll(t, bin, restored)
			require.Eventually(t, serves(second), time.Minute, 20*time.Millisecond, "%s", second.Log())
			awaitSuccess(t, second, "first")
			awaitSuccess(t, second, "second")
			trigger(t, second, "third")
			awaitSuccess(t, second, "third")
			writers.requireIn(t, second.Addresses["tracking"], kept[i].acked)
			requireAnswered(t, second, restored, kept[i].answered)
			second.Stop(t)
			requireIntegrity(t, restored)
			code, _, said := command(t, bin, onS3, "restore", "--from", from, "--data-dir", restored)
			require.Equal(t, 1, code)
			require.Contains(t, said, "is not empty")
		})
	}
}

// copy is what was answered so far.
func (c *killedClients) copy() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	answered := make(map[string]int, len(c.answered))
	for id, items := range c.answered {
		answered[id] = items
	}
	return answered
}

func requireIntegrity(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.db"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 5)
	for _, file := range files {
		db, err := sqlstore.Open(t.Context(), "sqlite:"+file, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		var verdict string
		require.NoError(t, db.Raw("PRAGMA integrity_check").Scan(&verdict).Error)
		require.NoError(t, sqlstore.Close(db))
		require.Equal(t, "ok", verdict, file)
	}
}

// requireAnswered holds the table of predictions of a restored folder to what clients had been answered: all of it, and nothing twice.
func requireAnswered(t *testing.T, p *testkit.Process, dir string, answered map[string]int) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, metrics := get(t, p.Addresses["serving"]+"/metrics")
		return strings.Contains(metrics, "tasador_journal_backlog_entries 0\n")
	}, time.Minute, 10*time.Millisecond, "%s", p.Log())
	store, err := predictionstore.Open(t.Context(), "sqlite:"+filepath.Join(dir, "predictions.db"), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	records, _, err := store.Recent(t.Context(), predictionstore.Query{Limit: 1_000_000})
	require.NoError(t, err)
	rows := map[string]int{}
	for _, r := range records {
		rows[fmt.Sprint(r.RequestID, "/", r.Item)]++
	}
	for row, times := range rows {
		require.Equal(t, 1, times, row)
	}
	for id, items := range answered {
		for item := range items {
			require.Contains(t, rows, fmt.Sprint(id, "/", item))
		}
	}
	t.Logf("%d answers, %d rows", len(answered), len(rows))
}

// TestAKilledBackupOrRestoreIsNone kills both at several places: what is half there is never taken for whole, and the next try succeeds.
func TestAKilledBackupOrRestoreIsNone(t *testing.T) {
	bin, dir, place := testkit.Build(t, "-tags=killpoints"), filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "safe")
	p := startAll(t, bin, dir)
	trigger(t, p, "first")
	awaitSuccess(t, p, "first")
	p.Stop(t)
	succeed(t, bin, nil, "backup", "--to", place, "--data-dir", dir)
	whole := succeed(t, bin, nil, "backup", "list", "--from", place)
	for _, point := range []string{"after-backup-file:1", "after-backup-file:9", "before-manifest"} {
		code, _, said := command(t, bin, []string{"KILLPOINT=" + point}, "backup", "--to", place, "--data-dir", dir)
		require.Equal(t, -1, code, said)
		require.Equal(t, whole, succeed(t, bin, nil, "backup", "list", "--from", place))
		succeed(t, bin, nil, "backup", "verify", "--from", place)
	}
	succeed(t, bin, nil, "backup", "--to", place, "--data-dir", dir, "--keep=1")
	succeed(t, bin, nil, "backup", "verify", "--from", place)
	folders, err := os.ReadDir(filepath.Join(place, "backups"))
	require.NoError(t, err)
	require.Len(t, folders, 1, "what was not finished is removed, and so is what was not to be kept")

	restored := filepath.Join(t.TempDir(), "restored")
	for _, point := range []string{"after-restored-file:1", "after-restored-file:7", "after-restored-file:15"} {
		code, _, said := command(t, bin, []string{"KILLPOINT=" + point}, "restore", "--from", place, "--data-dir", restored)
		require.Equal(t, -1, code, said)
		code, _, said = command(t, bin, nil, "--role=tracking", "--tracking.listen=127.0.0.1:0", "--data-dir", restored)
		require.Equal(t, 1, code)
		require.Contains(t, said, "was not finished; run tasador restore again")
		code, _, said = command(t, bin, nil, "backup", "--to", t.TempDir(), "--data-dir", restored)
		require.Equal(t, 1, code)
		require.Contains(t, said, "was not finished; run tasador restore again")
	}
	succeed(t, bin, nil, "restore", "--from", place, "--data-dir", restored)
	p = startAll(t, bin, restored)
	trigger(t, p, "second")
	awaitSuccess(t, p, "second")
}
