//go:build bench

package bench_test

import (
	"bufio"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
)

// postgresFloor loads and reads with COPY in its binary format.
type postgresFloor struct {
	db     *sql.DB
	folder string
}

func newPostgresFloor(t testing.TB, url, folder string) floor {
	t.Helper()
	return &postgresFloor{openSQL(t, "pgx", url), folder}
}

func (f *postgresFloor) exec(t testing.TB, statement string) {
	t.Helper()
	_, err := f.db.ExecContext(t.Context(), statement)
	require.NoError(t, err, statement)
}

// create gives realtor_raw its key from the start, as it has it when rows come; splits get theirs when they are loaded.
func (f *postgresFloor) create(t testing.TB, like, table string) {
	t.Helper()
	including := ""
	if like == "realtor_raw" {
		including = " INCLUDING ALL"
	}
	f.exec(t, "CREATE TABLE "+table+" (LIKE "+like+including+")")
}

func (f *postgresFloor) key(t testing.TB, table string) {
	t.Helper()
	f.exec(t, "ALTER TABLE "+table+" ADD PRIMARY KEY (position)")
	f.exec(t, "ANALYZE "+table+" (position)") // without it the server sorts what lies in order
}

func (f *postgresFloor) read(t testing.TB, query string) {
	t.Helper()
	f.copyTo(t, io.Discard, query)
}

func (f *postgresFloor) copyTo(t testing.TB, w io.Writer, query string) {
	t.Helper()
	f.conn(t, func(c *pgconn.PgConn) error {
		_, err := c.CopyTo(t.Context(), w, "COPY ("+query+") TO STDOUT (FORMAT binary)")
		return err
	})
}

func (f *postgresFloor) load(t testing.TB, name, table string) {
	t.Helper()
	file := openFile(t, filepath.Join(f.folder, name))
	defer file.Close()
	f.conn(t, func(c *pgconn.PgConn) error {
		_, err := c.CopyFrom(t.Context(), file, "COPY "+table+" FROM STDIN (FORMAT binary)")
		return err
	})
}

func (f *postgresFloor) export(t testing.TB, query, name string) {
	t.Helper()
	file, err := os.Create(filepath.Join(f.folder, name))
	require.NoError(t, err)
	out := bufio.NewWriter(file)
	f.copyTo(t, out, query)
	require.NoError(t, out.Flush())
	require.NoError(t, file.Close())
}

// conn runs fn on the driver's connection.
func (f *postgresFloor) conn(t testing.TB, fn func(*pgconn.PgConn) error) {
	t.Helper()
	conn, err := f.db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Raw(func(driverConn any) error { return fn(driverConn.(*stdlib.Conn).Conn().PgConn()) }))
}
