package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
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
	Round    int64 `json:"round,omitempty"` // of jobs that are overdue: theirs may have been lost with a connection, taken and not begun
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

// jobs is River on tables that nobody else writes.
type jobs struct {
	client client
	close  func() error
	broken func(error) error // says what is wrong with the place of the tables
	probe  *sqlstore.Probe   // of the file; a server has none
}

// client is River's, whatever its driver calls a transaction.
type client interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Insert(ctx context.Context, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

func (e *Engine) openJobs(ctx context.Context) (*jobs, error) {
	if sqlstore.IsServer(e.opts.Database) {
		return e.openServerJobs(ctx)
	}
	return e.openFileJobs(ctx)
}

// newClient brings River's tables up to date and returns a client that performs jobs.
func newClient[T any](ctx context.Context, e *Engine, driver riverdriver.Driver[T], schema string) (*river.Client[T], error) {
	quiet := slog.New(warnings{e.opts.Log.Handler(), e.holds}).With("library", "river")
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet, Schema: schema})
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	if _, err := migrator.ExistingVersions(ctx); err != nil { // they are another River's
		return nil, fmt.Errorf("migrations: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	registered := river.NewWorkers()
	if err := river.AddWorkerSafely(registered, &worker{perform: e.perform}); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	var test river.TestConfig
	if e.opts.Now != nil {
		test.Time = riverClock(e.opts.Now)
	}
	return river.NewClient(driver, &river.Config{
		Schema:                      schema,
		Test:                        test,
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: e.opts.Workers}},
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
		return j.broken(err)
	}
	return nil
}

// stop fetches no more jobs and waits until those under way have returned or ctx ends.
func (j *jobs) stop(ctx context.Context) error { return j.client.Stop(ctx) }

// ready reports why jobs cannot be stored, before one has to be.
func (j *jobs) ready(ctx context.Context) error {
	if j.probe == nil {
		return nil
	}
	return j.probe.Check(ctx)
}

// insert adds a job unless it is there.
func (j *jobs) insert(ctx context.Context, job dagrunstore.Job, epoch, round int64) error {
	_, err := j.client.Insert(ctx, jobArgs{Instance: job.Instance, Try: job.Try, Epoch: epoch, Round: round}, nil)
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

// warnings passes on warnings and errors only, and nothing while the lock is lost: the server is away then, which one line of ours has said.
type warnings struct {
	slog.Handler
	holds func() bool
}

func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && w.holds() && w.Handler.Enabled(ctx, l)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs), w.holds}
}

func (w warnings) WithGroup(name string) slog.Handler {
	return warnings{w.Handler.WithGroup(name), w.holds}
}
