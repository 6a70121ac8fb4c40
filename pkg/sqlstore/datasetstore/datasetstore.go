// Package datasetstore keeps the listings: RawData holds what was collected (realtor_raw, raw_batches) and its splits (train,
// validation, test), CleanData the encoded splits (train_clean, validation_clean, test_clean).
//
// Rows of bookkeeping go through gorm; bulk loads, streams and set statements through the driver beneath it. What differs between
// databases is behind the engine of this package.
//
// Tables that belong together are loaded aside (train__new_…) in chunks and swapped at once, so that readers and crashes see all
// old ones or all new ones. Every write checks the claim of its task instance in the same transaction.
package datasetstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/sqlstore"
)

// The folders of migrations; the two may be applied to one database.
const (
	rawMigrations   = "dataset"
	cleanMigrations = "cleandata"
)

// Options say where the data is.
type Options struct {
	RawURL   string // RawData
	CleanURL string // CleanData; may be the same database
	SpillDir string // folder for the temporary files of a shuffle; what is in it is deleted
}

// Store is RawData and CleanData. It is safe for concurrent use; tasks that write the same tables take them from each other (see
// Claim).
type Store struct {
	raw, clean *database
	spillDir   string
}

// database is one of the two databases.
type database struct {
	db     *gorm.DB
	engine engine
	probe  *sqlstore.Probe
	label  string // RawData or CleanData, for messages
}

// Open opens both databases and brings their schemas up to date. Codes: Invalid for a URL that is not understood, Unavailable
// when a database does not answer.
func Open(ctx context.Context, opts Options, log *slog.Logger) (*Store, error) {
	if err := os.RemoveAll(opts.SpillDir); err != nil {
		return nil, apperror.Wrap(apperror.Unavailable, err, "cannot empty the folder %s; check its permissions", opts.SpillDir)
	}
	s := &Store{spillDir: opts.SpillDir}
	var err error
	if s.raw, err = open(ctx, opts.RawURL, "RawData", rawMigrations, rawTable(), log); err != nil {
		return nil, err
	}
	if s.clean, err = open(ctx, opts.CleanURL, "CleanData", cleanMigrations, cleanTable(), log); err != nil {
		return nil, errors.Join(err, s.raw.close())
	}
	return s, nil
}

// checkedTable is a table, and its columns from its first version on, by which a database is known as ours and its rights are tried.
type checkedTable struct {
	name    string
	columns []string
}

func rawTable() checkedTable {
	t := checkedTable{"realtor_raw", []string{"id"}}
	for _, c := range rawColumns() {
		t.columns = append(t.columns, c.name)
	}
	return t
}

func cleanTable() checkedTable {
	return checkedTable{"clean_columns", []string{"table_name", "ordinal", "column_name", "feature"}}
}

func open(ctx context.Context, url, label, migrations string, table checkedTable, log *slog.Logger) (*database, error) {
	db, err := sqlstore.Open(ctx, url, log)
	if err != nil {
		return nil, err
	}
	d := &database{db: db, label: label, probe: sqlstore.NewProbe(db, table.name, table.columns...)}
	if err = sqlstore.RefuseForeign(ctx, db, table.name, table.columns...); err == nil {
		err = sqlstore.Migrate(ctx, db, migrations)
	}
	if err == nil {
		d.engine, err = d.engineOf(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *database) close() error { return sqlstore.Close(d.db) }

// Close closes the connections of both databases.
func (s *Store) Close() error { return errors.Join(s.raw.close(), s.clean.close()) }

// Ready reports whether both databases answer and can be written. Codes: Unavailable.
func (s *Store) Ready(ctx context.Context) error {
	for _, d := range []*database{s.raw, s.clean} {
		pool, err := sqlstore.Pool(d.db)
		if err != nil {
			return err
		}
		if err := pool.PingContext(ctx); err != nil {
			if err = sqlstore.Explain(d.db, err); apperror.CodeOf(err) == apperror.Unavailable {
				return err
			}
			return apperror.Wrap(apperror.Unavailable, err, "the database %s does not answer", d.label)
		}
		if err := d.probe.Check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// exec runs statements without parameters outside of transactions, one after the other.
func (d *database) exec(ctx context.Context, statements ...string) error {
	pool, err := sqlstore.Pool(d.db)
	if err != nil {
		return err
	}
	if err := exec(ctx, pool, statements...); err != nil {
		return fmt.Errorf("%s: %w", d.label, sqlstore.Explain(d.db, err))
	}
	return nil
}

func (d *database) hasTable(ctx context.Context, name string) (bool, error) {
	list, err := d.engine.tablesLike(ctx, d, name)
	return slices.Contains(list, name), err
}

// exec runs statements without parameters, one after the other.
func exec(ctx context.Context, conn gorm.ConnPool, statements ...string) error {
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
