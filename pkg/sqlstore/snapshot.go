package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"

	"tasador/migrations"
	"tasador/pkg/apperror"
)

// Snapshot is an SQLite file as it was at one moment, while others, also other processes, go on reading and writing it. It is a transaction that reads: nobody
// waits for it, but the file's WAL grows by what is written until it is closed.
type Snapshot struct {
	pool *sql.DB
	conn *sql.Conn
	file *sqliteFile // for its sentences
	size int64
}

// OpenSnapshot takes the moment. Codes: NotFound if there is no file, Unavailable.
func OpenSnapshot(ctx context.Context, path string) (*Snapshot, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, apperror.Wrap(apperror.NotFound, err, "there is no database %s", path)
	}
	pool, err := openExisting(path)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{pool: pool, file: &sqliteFile{path: path}}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(s.explain(err), s.Close())
	}
	return s, nil
}

// openExisting opens a file as it is: nothing is made, and no setting of it is changed.
func openExisting(path string) (*sql.DB, error) {
	pragmas := url.Values{"mode": {"rw"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), fmt.Sprintf("cache_size(-%d)", fileCache)}}
	pool, err := sql.Open("sqlite", fileDSN(path, pragmas))
	if err != nil {
		return nil, apperror.Wrap(apperror.Invalid, err, "cannot open the database %s", path)
	}
	pool.SetMaxOpenConns(1)
	return pool, nil
}

func (s *Snapshot) begin(ctx context.Context) (err error) {
	if s.conn, err = s.pool.Conn(ctx); err != nil {
		return err
	}
	if _, err := s.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	// The first statement that reads the file is what takes the moment.
	var tables, pages, pageSize int64
	for _, one := range []struct {
		query string
		value *int64
	}{{"SELECT count(*) FROM sqlite_master", &tables}, {"PRAGMA page_count", &pages}, {"PRAGMA page_size", &pageSize}} {
		if err := s.conn.QueryRowContext(ctx, one.query).Scan(one.value); err != nil {
			return err
		}
	}
	s.size = pages * pageSize
	return nil
}

func (s *Snapshot) explain(err error) error {
	if err == nil {
		return nil
	}
	if explained := s.file.explain(err); apperror.CodeOf(explained) != apperror.Internal {
		return explained
	}
	return apperror.Wrap(apperror.Unavailable, err, "the database %s cannot be read", s.file.path)
}

// Size is the length of the file in bytes.
func (s *Snapshot) Size() int64 { return s.size }

// Schemas are the versions of the stores that the file keeps.
func (s *Snapshot) Schemas(ctx context.Context) (map[string]int64, error) {
	versions := map[string]int64{}
	for _, store := range migrations.Stores() {
		var has int
		err := s.conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?", versionTable(store)).Scan(&has)
		if err == nil && has > 0 {
			var version int64
			err = s.conn.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM "+versionTable(store)).Scan(&version)
			versions[store] = version
		}
		if err != nil {
			return nil, s.explain(err)
		}
	}
	return versions, nil
}

// NewestSchema is the newest version of a store's schema in SQLite that this binary knows, 0 for a store that it does not know.
func NewestSchema(store string) int64 {
	files, err := migrations.Of(store, string(SQLite))
	if err != nil {
		return 0
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return 0
	}
	newest := int64(0)
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			newest = max(newest, n)
		}
	}
	return newest
}

// Reader reads the bytes of the file. The pages come through the transaction, out of the file or of its WAL, wherever the moment has them.
func (s *Snapshot) Reader(ctx context.Context) (io.ReadCloser, error) {
	rows, err := s.conn.QueryContext(ctx, "SELECT data FROM sqlite_dbpage ORDER BY pgno") //nolint:rowserrcheck // Read does
	if err != nil {
		return nil, s.explain(err)
	}
	return &pageReader{snapshot: s, rows: rows}, nil
}

type pageReader struct {
	snapshot *Snapshot
	rows     *sql.Rows
	page     sql.RawBytes // what is left of the current one
}

// Read implements io.Reader.
func (r *pageReader) Read(p []byte) (int, error) {
	if len(r.page) == 0 {
		if !r.rows.Next() {
			if err := r.rows.Err(); err != nil {
				return 0, r.snapshot.explain(err)
			}
			return 0, io.EOF
		}
		if err := r.rows.Scan(&r.page); err != nil {
			return 0, r.snapshot.explain(err)
		}
	}
	n := copy(p, r.page)
	r.page = r.page[n:]
	return n, nil
}

// Close implements io.Closer.
func (r *pageReader) Close() error { return r.rows.Close() }

// Close ends the transaction.
func (s *Snapshot) Close() error {
	var errs []error
	if s.conn != nil {
		_, err := s.conn.ExecContext(context.Background(), "ROLLBACK")
		errs = append(errs, err, s.conn.Close())
	}
	return errors.Join(append(errs, s.pool.Close())...)
}

// CheckFile reads a whole SQLite file that nobody uses, and reports whether its pages, rows and constraints are sound. Codes: Unavailable.
func CheckFile(ctx context.Context, path string) error {
	pool, err := openExisting(path)
	if err != nil {
		return err
	}
	var found string
	err = pool.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found)
	if err = errors.Join(err, pool.Close()); err != nil {
		return (&Snapshot{file: &sqliteFile{path: path}}).explain(err)
	}
	if found != "ok" {
		return apperror.New(apperror.Unavailable, "the database %s is damaged: %s", path, found)
	}
	return nil
}
