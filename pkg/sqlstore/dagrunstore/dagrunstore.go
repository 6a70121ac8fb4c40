// Package dagrunstore keeps DAG runs, task instances, their tries with their logs, and XComs. Its rows are the truth about what runs: every change of
// state is one guarded UPDATE (… WHERE state = what it was), so that of two who want to make the same change one does and the other learns it.
//
// Log lines of tries are rows too, not files: they are in the same backup, a server without a disk of its own can keep them, and a line that was written is there
// after a kill. Tasks write tens of lines, and MaxLogLines bounds them.
package dagrunstore

import (
	"context"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/dag"
	"tasador/pkg/sqlstore"
)

// Store is the store on one database. It is safe for concurrent use.
type Store struct {
	db    *gorm.DB
	probe *sqlstore.Probe
}

// Open brings the schema of db up to date and returns the store. Codes: those of sqlstore.Migrate.
func Open(ctx context.Context, db *gorm.DB) (*Store, error) {
	if err := sqlstore.Migrate(ctx, db, "dagrun"); err != nil {
		return nil, err
	}
	return &Store{db: db, probe: sqlstore.NewProbe(db, "dag_run", "run_key")}, nil
}

// Close closes the database.
func (s *Store) Close() error { return sqlstore.Close(s.db) }

// Ping tells whether the database answers and can be written. Codes: Unavailable.
func (s *Store) Ping(ctx context.Context) error {
	if err := sqlstore.Ping(ctx, s.db); err != nil {
		return sqlstore.Translate(err, "the pipeline database")
	}
	return s.probe.Check(ctx)
}

// DAG is what is stored of a DAG; the rest is its definition.
type DAG struct {
	ID      string
	Paused  bool
	NextRun time.Time // start of the next interval of the schedule; zero before the first start
}

// Run is a DAG run as stored.
type Run struct {
	dag.Run
	Key         int64     // grows in the order of triggering
	IntervalEnd time.Time // of the data interval that starts at the logical date
	DecidedAt   time.Time // when the run was last planned
	TriggeredBy string    // cli, rest_api, timetable, backfill, …
	User        string    // who triggered it, if that user had logged in
	Note        string
	Backfill    int64 // that queued the run last; 0 if none did
}

// Instance is a task instance as stored. Times are of the current try.
type Instance struct {
	Key                                     int64
	DAGID, RunID, TaskID                    string
	State                                   dag.TaskState
	Try, Failures, Lost                     int
	RetryAt                                 time.Time
	ScheduledAt, QueuedAt, StartedAt, Ended time.Time
	SkippedBy                               string
}

// Try is one try of a task instance that a worker has claimed.
type Try struct {
	Try                        int
	State                      dag.TaskState
	QueuedAt, StartedAt, Ended time.Time
	Error                      string
}

// Job names a try that is queued.
type Job struct {
	Instance int64 // key of the task instance
	Try      int
}

// micros and moment translate times to and from columns.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
