package dispatch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
	"tasador/pkg/writable"
)

const (
	// fetchPoll is how often River looks for jobs that it was not told of. Each insert tells it, so that this matters only after a failed fetch, and an idle
	// server rests.
	fetchPoll = time.Second
	// fetchCooldown is the least time between two looks.
	fetchCooldown = 5 * time.Millisecond
	// jobHistory is how long River keeps finished jobs. The history that people look at is in our rows.
	jobHistory = time.Hour
	// rescueAfter is when River gives up a job that nobody ends, which only tidies its table: our leases are what brings tasks back.
	rescueAfter = 7 * 24 * time.Hour
)

// jobArgs is a job: a try that is queued. It is unique by its task instance and try, among the jobs of one process: a job that a dead process had taken but not
// begun would otherwise keep its place until River rescues it.
type jobArgs struct {
	Instance int64 `json:"instance"`
	Try      int   `json:"try"`
	Epoch    int64 `json:"epoch"`
}

// Kind names the job to River.
func (jobArgs) Kind() string { return "task_try" }

// InsertOpts makes a job run once: trying again is ours to decide.
func (jobArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

type worker struct {
	river.WorkerDefaults[jobArgs]
	perform func(dagrunstore.Job) error
}

func (w *worker) Work(_ context.Context, job *river.Job[jobArgs]) error {
	return w.perform(dagrunstore.Job{Instance: job.Args.Instance, Try: job.Args.Try})
}

// Timeout is none: tasks have time-outs of their own.
func (w *worker) Timeout(*river.Job[jobArgs]) time.Duration { return -1 }

// jobs is River on a file of its own.
type jobs struct {
	file   string
	pool   *sql.DB
	probe  *writable.Probe
	client *river.Client[*sql.Tx]
}

func openJobs(ctx context.Context, opts Options, perform func(dagrunstore.Job) error) (*jobs, error) {
	file := opts.JobsFile
	db, err := sqlstore.Open(ctx, "sqlite:"+file, opts.Log)
	if err != nil {
		return nil, badFile(file, err)
	}
	pool, err := sqlstore.Pool(db)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1) // as riversqlite asks for
	client, err := newClient(ctx, pool, opts, perform)
	if err != nil {
		return nil, badFile(file, errors.Join(err, pool.Close()))
	}
	return &jobs{file: file, pool: pool, probe: sqlstore.NewProbe(db), client: client}, nil
}

func badFile(file string, err error) error {
	return apperror.Wrap(apperror.Unavailable, err, "cannot use the job file %s; check that it is writable and its disk not full; if it is damaged, delete it: it holds nothing that is not made again", file)
}

func newClient(ctx context.Context, pool *sql.DB, opts Options, perform func(dagrunstore.Job) error) (*river.Client[*sql.Tx], error) {
	quiet := slog.New(warnings{opts.Log.Handler()}).With("library", "river")
	driver := inProcess{riversqlite.New(pool)}
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet})
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	registered := river.NewWorkers()
	if err := river.AddWorkerSafely(registered, &worker{perform: perform}); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	var test river.TestConfig
	if opts.Now != nil {
		test.Time = riverClock(opts.Now)
	}
	return river.NewClient(driver, &river.Config{
		Test:                        test,
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: opts.Workers}},
		Workers:                     registered,
		Logger:                      quiet,
		FetchPollInterval:           fetchPoll,
		FetchCooldown:               fetchCooldown,
		JobTimeout:                  -1,
		RescueStuckJobsAfter:        rescueAfter,
		CompletedJobRetentionPeriod: jobHistory,
		DiscardedJobRetentionPeriod: jobHistory,
	})
}

func (j *jobs) start() error {
	if err := j.client.Start(context.Background()); err != nil {
		return badFile(j.file, err)
	}
	return nil
}

// stop fetches no more jobs and waits until those under way have returned or ctx ends.
func (j *jobs) stop(ctx context.Context) error { return j.client.Stop(ctx) }

func (j *jobs) close() error { return j.pool.Close() }

// insert adds a job unless it is there.
func (j *jobs) insert(ctx context.Context, job dagrunstore.Job, epoch int64) error {
	_, err := j.client.Insert(ctx, jobArgs{Instance: job.Instance, Try: job.Try, Epoch: epoch}, nil)
	return err
}

// riverClock is our clock as River reads it.
type riverClock func() time.Time

// Now is what the clock says.
func (c riverClock) Now() time.Time { return c().UTC() }

// NowOrNil is the same; nil would let the database say.
func (c riverClock) NowOrNil() *time.Time {
	now := c.Now()
	return &now
}

// inProcess is River's SQLite driver without its notifications through the database, which are for other processes and are polled for there. Without them
// River tells the fetcher of its own process of each insert directly.
type inProcess struct{ *riversqlite.Driver }

// SupportsListener is false: nobody listens through the database.
func (inProcess) SupportsListener() bool { return false }

// SupportsListenNotify is false: nothing is notified through the database.
func (inProcess) SupportsListenNotify() bool { return false }

// warnings passes on warnings and errors only.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && w.Handler.Enabled(ctx, l)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
