//go:build bench

package bench_test

import (
	"database/sql"
	"io"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"tasador/pkg/dataset"
	"tasador/pkg/listingapi"
	"tasador/pkg/testkit"
)

// floor moves the rows of one DAG run with nothing but the statements that the database needs, from files that hold them as the database
// takes them. The tables are those that tasador made, by their own definitions.
type floor interface {
	// export writes the rows of a query into the file of that name.
	export(t testing.TB, query, name string)
	// create makes an empty table as one that tasador made, where it matters without its key.
	create(t testing.TB, like, table string)
	// load loads a file into a table.
	load(t testing.TB, name, table string)
	// key makes a table that was loaded fit for reading in the order of position.
	key(t testing.TB, table string)
	// read runs a query and throws the rows away.
	read(t testing.TB, query string)
	exec(t testing.TB, statement string)
}

// The tables of the floor have this before their names; those of tasador are beside them.
const own = "floor_"

// forCleaning are the columns of a split that cleaning reads.
const forCleaning = "position, status, bed, bath, acre_lot, house_size, price, prev_sold_date"

// exportAll writes what the DAG run made into the files.
func exportAll(t testing.TB, f floor) {
	t.Helper()
	f.export(t, "SELECT * FROM realtor_raw ORDER BY id", "realtor_raw")
	for _, split := range dataset.Splits() {
		f.export(t, "SELECT * FROM "+string(split)+" ORDER BY position", string(split))
		f.export(t, "SELECT * FROM "+string(split)+"_clean ORDER BY position", string(split)+"_clean")
	}
	f.export(t, "SELECT position, raw_id FROM train UNION ALL SELECT position, raw_id FROM validation UNION ALL SELECT position, raw_id FROM test", "positions")
}

// measureFloor runs the statements once. rows is how many raw ones there are.
func measureFloor(t testing.TB, f floor, server *testkit.DatabaseServer, rows int, m *measurement) {
	t.Helper()
	settle(t, server.PID())
	client, database := ownProcessor(t), processorOf(t, server.PID())
	timed := func(name string, do func()) float64 {
		begin := time.Now()
		do()
		seconds := time.Since(begin).Seconds()
		m.Steps = append(m.Steps, step{name, seconds})
		return seconds
	}
	loadSplits := func(suffix string) {
		for _, split := range dataset.Splits() {
			table := own + string(split) + suffix
			f.create(t, string(split)+suffix, table)
			f.load(t, string(split)+suffix, table)
			f.key(t, table)
		}
	}
	f.create(t, "realtor_raw", own+"realtor_raw")
	m.Seconds = timed("load realtor_raw", func() { f.load(t, "realtor_raw", own+"realtor_raw") })
	byClient := timed("read realtor_raw", func() { f.read(t, "SELECT * FROM "+own+"realtor_raw ORDER BY id") })
	byClient += timed("load splits", func() { loadSplits("") })
	m.Seconds += timed("read splits", func() {
		for _, split := range dataset.Splits() {
			f.read(t, "SELECT "+forCleaning+" FROM "+own+string(split)+" ORDER BY position")
		}
	})
	m.Seconds += timed("load clean", func() { loadSplits("_clean") })
	m.Seconds += timed("read clean", func() {
		for _, split := range dataset.Splits() {
			f.read(t, "SELECT * FROM "+own+string(split)+"_clean ORDER BY position")
		}
	})
	m.ClientCPU = ownProcessor(t) - client
	m.ServerCPU = processorOf(t, server.PID()) - database
	// The other way to split, of which the faster counts: the server joins the rows with their positions.
	for _, split := range dataset.Splits() {
		f.exec(t, "DROP TABLE "+own+string(split))
	}
	settle(t, server.PID())
	bySQL := timed("split by SQL alone", func() { splitBySQL(t, f, rows) })
	m.Seconds += min(byClient, bySQL)
	dropAll(t, f)
}

// splitBySQL loads the positions and has the server make the three splits.
func splitBySQL(t testing.TB, f floor, rows int) {
	t.Helper()
	f.exec(t, "CREATE TABLE "+own+"positions (position BIGINT NOT NULL PRIMARY KEY, raw_id BIGINT NOT NULL)")
	f.load(t, "positions", own+"positions")
	for _, split := range dataset.Splits() {
		table := own + string(split)
		from, to := dataset.Range(split, rows)
		f.create(t, string(split), table)
		f.exec(t, "INSERT INTO "+table+" SELECT p.position, r.id, "+rawColumns+" FROM "+own+"positions p JOIN "+own+"realtor_raw r ON r.id = p.raw_id"+
			" WHERE p.position >= "+str(from)+" AND p.position < "+str(to)+" ORDER BY p.position")
		f.key(t, table)
	}
}

// rawColumns are the columns that a split takes over.
const rawColumns = "brokered_by, status, price, bed, bath, acre_lot, street, city, state, zip_code, house_size, prev_sold_date, fetched_at"

func dropAll(t testing.TB, f floor) {
	t.Helper()
	tables := []string{"realtor_raw", "positions"}
	for _, split := range dataset.Splits() {
		tables = append(tables, string(split), string(split)+"_clean")
	}
	for _, table := range tables {
		f.exec(t, "DROP TABLE "+own+table)
	}
}

// download asks for the DAG run's batch again and throws it away.
func download(t testing.TB, source string) step {
	t.Helper()
	begin := time.Now()
	query := url.Values{"group_number": {"7"}, "day": {"Tuesday"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, source+"/data?"+query.Encode(), http.NoBody)
	require.NoError(t, err)
	req.Header.Set(listingapi.HeaderIdempotencyKey, dagRunID)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	return step{downloadStep, time.Since(begin).Seconds()}
}

// ownProcessor returns the seconds of processor time that this process has used.
func ownProcessor(t testing.TB) float64 {
	t.Helper()
	var usage syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

// openSQL opens a database of a server with the driver's own data source name.
func openSQL(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(1)
	return db
}

// discard runs a query as a prepared statement, whose rows MySQL sends without writing doubles as texts, and throws them away.
func discard(t testing.TB, db *sql.DB, query string) {
	t.Helper()
	statement, err := db.PrepareContext(t.Context(), query)
	require.NoError(t, err)
	defer statement.Close()
	rows, err := statement.QueryContext(t.Context())
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
	}
	require.NoError(t, rows.Err())
}

func openFile(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	return f
}
