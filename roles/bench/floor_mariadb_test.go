//go:build bench

package bench_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// mariadbFloor loads with LOAD DATA LOCAL and reads with the driver's stream.
type mariadbFloor struct {
	db     *sql.DB
	folder string
}

// newMariaDBFloor works in the database of the URL, mysql://user@host:port/name.
func newMariaDBFloor(t testing.TB, url, folder string) floor {
	t.Helper()
	user, address, _ := strings.Cut(strings.TrimPrefix(url, "mysql://"), "@")
	host, name, _ := strings.Cut(address, "/")
	return &mariadbFloor{openSQL(t, "mysql", user+"@tcp("+host+")/"+name+"?maxAllowedPacket=0"), folder}
}

func (f *mariadbFloor) exec(t testing.TB, statement string) {
	t.Helper()
	_, err := f.db.ExecContext(t.Context(), statement)
	require.NoError(t, err, statement)
}

func (f *mariadbFloor) create(t testing.TB, like, table string) {
	t.Helper()
	f.exec(t, "CREATE TABLE "+table+" LIKE "+like)
}

func (f *mariadbFloor) key(testing.TB, string) {} // the table has had it from the start

func (f *mariadbFloor) read(t testing.TB, query string) {
	t.Helper()
	discard(t, f.db, query)
}

func (f *mariadbFloor) load(t testing.TB, name, table string) {
	t.Helper()
	file := openFile(t, filepath.Join(f.folder, name))
	defer file.Close()
	mysql.RegisterReaderHandler(name, func() io.Reader { return file })
	defer mysql.DeregisterReaderHandler(name)
	f.exec(t, fmt.Sprintf("LOAD DATA LOCAL INFILE 'Reader::%s' INTO TABLE %s CHARACTER SET utf8mb4", name, table))
	var warnings int
	require.NoError(t, f.db.QueryRowContext(t.Context(), "SELECT @@warning_count").Scan(&warnings))
	require.Zero(t, warnings)
}

func (f *mariadbFloor) export(t testing.TB, query, name string) {
	t.Helper()
	file, err := os.Create(filepath.Join(f.folder, name))
	require.NoError(t, err)
	out := bufio.NewWriter(file)
	rows, err := f.db.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	values, dests := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range values {
		dests[i] = &values[i]
	}
	escape := strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`)
	for rows.Next() {
		require.NoError(t, rows.Scan(dests...))
		for i, v := range values {
			if i > 0 {
				require.NoError(t, out.WriteByte('\t'))
			}
			text := `\N`
			if v != nil {
				text = escape.Replace(string(v))
			}
			_, err := out.WriteString(text)
			require.NoError(t, err)
		}
		require.NoError(t, out.WriteByte('\n'))
	}
	require.NoError(t, rows.Err())
	require.NoError(t, out.Flush())
	require.NoError(t, file.Close())
}
