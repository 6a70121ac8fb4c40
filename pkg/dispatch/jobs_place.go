package dispatch

import (
	"context"
	"errors"

	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"tasador/pkg/apperror"
	"tasador/pkg/redact"
	"tasador/pkg/sqlstore"
	"tasador/pkg/sqlstore/dagrunstore"
)

// openFileJobs puts River's tables into an SQLite file beside that of the rows.
func (e *Engine) openFileJobs(ctx context.Context) (*jobs, error) {
	file := dagrunstore.JobsFile(e.opts.Database)
	broken := func(err error) error {
		return apperror.Wrap(apperror.Unavailable, err,
			"cannot use the job file %s; check that it is writable and its disk not full; if it is damaged, delete it: it holds nothing that is not made again", file)
	}
	db, err := sqlstore.Open(ctx, "sqlite:"+file, e.opts.Log)
	if err != nil {
		return nil, broken(err)
	}
	pool, err := sqlstore.Pool(db)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1) // as riversqlite asks for
	client, err := newClient(ctx, e, fileDriver{riversqlite.New(pool)}, "")
	if err != nil {
		return nil, broken(errors.Join(err, pool.Close()))
	}
	return &jobs{client: client, close: pool.Close, broken: broken, probe: sqlstore.NewProbe(db, "river_job", "id")}, nil
}

// serverConns bounds River's connections to a server: it fetches, ends and tidies.
const serverConns = 4

// openServerJobs puts River's tables into a schema of their own in the database of the rows.
func (e *Engine) openServerJobs(ctx context.Context) (*jobs, error) {
	opts := e.opts
	broken := func(err error) error {
		if apperror.CodeOf(err) == apperror.Unavailable {
			return err
		}
		return apperror.Wrap(apperror.Unavailable, err, "cannot use the tables of jobs in the schema %s of the database %s; "+
			"if they are damaged, drop the schema: it holds nothing that is not made again", opts.JobsSchema, redact.URL(opts.Database))
	}
	if err := sqlstore.EnsureSchema(ctx, opts.Database, opts.JobsSchema); err != nil {
		return nil, err
	}
	pool, err := sqlstore.OpenPostgresPool(ctx, opts.Database, serverConns)
	if err != nil {
		return nil, err
	}
	client, err := newClient(ctx, e, serverDriver{riverpgxv5.New(pool)}, opts.JobsSchema)
	if err != nil {
		pool.Close()
		return nil, broken(err)
	}
	return &jobs{client: client, close: func() error { pool.Close(); return nil }, broken: broken}, nil
}

// The drivers go without notifications through the database. Those are for other processes, and one process at a time has these tables. Without them
// River tells the fetcher of its own process of each insert directly, which takes no connection and no round trip, and is faster (BenchmarkHandOver).
type (
	fileDriver   struct{ *riversqlite.Driver }
	serverDriver struct{ *riverpgxv5.Driver }
)

// SupportsListener is false: nobody listens through the database.
func (fileDriver) SupportsListener() bool { return false }

// SupportsListenNotify is false: nothing is notified through the database.
func (fileDriver) SupportsListenNotify() bool { return false }

// SupportsListener is false: nobody listens through the database.
func (serverDriver) SupportsListener() bool { return false }

// SupportsListenNotify is false: nothing is notified through the database.
func (serverDriver) SupportsListenNotify() bool { return false }
