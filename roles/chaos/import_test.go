package chaos_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tasador/pkg/dag"
	"tasador/pkg/killpoint"
	"tasador/pkg/testkit"
)

// importPoints are where an import is killed.
func importPoints() []string {
	return []string{
		string(killpoint.LoadRaw),                 // rows of the first chunk are with the database
		string(killpoint.LoadRaw) + ":3",          // those of a later one
		string(killpoint.AfterImportChunk),        // the first chunk is stored
		string(killpoint.AfterImportChunk) + ":2", // the second one
		string(killpoint.AfterImportChunk) + ":3", // all of it
	}
}

// importedRows are all rows of realtor_raw as they stand, in order.
func importedRows(t *testing.T, url string) []string {
	t.Helper()
	d := catalogOf(url)
	return query(t, openWith(t, d.driver, d.dsn),
		"SELECT brokered_by, status, price, bed, bath, acre_lot, street, city, state, zip_code, house_size, prev_sold_date FROM realtor_raw ORDER BY id")
}

// generate writes a file of n generated listings.
func generate(t *testing.T, bin string, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "listings.csv")
	out, err := exec.Command(bin, "source", "generate", fmt.Sprintf("--rows=%d", n), "--out="+path).CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

func TestAKilledImportGoesOnAndLosesAndDoublesNothing(t *testing.T) {
	if testing.Short() {
		return // builds and runs processes
	}
	bin := testkit.Build(t, "-tags=killpoints")
	path := generate(t, bin, 50_000)
	run := func(t *testing.T, database string) string {
		t.Helper()
		out, err := exec.Command(bin, "import", "--csv="+path, "--rawdata.url="+database).CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	for name, newDatabase := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "raw.db") },
		"mariadb":  testkit.MariaDB(t).NewDatabase,
		"postgres": testkit.Postgres(t).NewDatabase,
	} {
		undisturbed := newDatabase(t)
		run(t, undisturbed)
		want := importedRows(t, undisturbed)
		require.Len(t, want, 50_000)
		points := importPoints()
		if name != "sqlite" {
			points = points[1:2] // what differs is how a transaction ends
		}
		for _, point := range points {
			t.Run(name+" "+point, func(t *testing.T) {
				database := newDatabase(t)
				p := testkit.Launch(t, []string{"KILLPOINT=" + point}, bin, "import", "--csv="+path, "--rawdata.url="+database)
				<-p.Ended()
				require.True(t, p.KilledItself(), p.Log())
				out := run(t, database)
				if point == string(killpoint.AfterImportChunk)+":3" {
					require.Contains(t, out, "is imported already: 50000 rows")
				} else {
					require.Contains(t, out, "imported 50000 rows of "+path)
				}
				require.Equal(t, strings.Join(want, "\n"), strings.Join(importedRows(t, database), "\n"))
				require.Contains(t, run(t, database), "is imported already: 50000 rows")
			})
		}
	}
}

// A file is imported while a DAG run is at work on the same database: both end well, and the next run trains on all rows.
func TestAnImportBesideAPipelineAtWork(t *testing.T) {
	if testing.Short() {
		return // builds and runs processes
	}
	bin := testkit.Build(t)
	path := generate(t, bin, 60_000)
	w := newWorld(t, bin, "30000,700")
	w.start(t, "tracking")
	pipeline := w.start(t, "pipeline")
	require.True(t, w.trigger(t, "first"))
	database := filepath.Join(w.folder("pipeline"), "rawdata.db")
	cmd := exec.Command(bin, "import", "--csv="+path, "--rawdata.url=sqlite:"+database)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Run(), out.String())
	w.await(t, "first", pipeline)

	require.Eventually(t, func() bool { return w.trigger(t, "second") }, runLimit, 10*time.Millisecond)
	w.await(t, "second", pipeline)
	require.Equal(t, dag.RunSuccess, w.state(t, "second"))
	db := open(t, database)
	require.Equal(t, []string{"90700"}, query(t, db, "SELECT count(*) FROM realtor_raw"))
	require.Equal(t, []string{"90700"}, query(t, db, "SELECT (SELECT count(*) FROM train) + (SELECT count(*) FROM validation) + (SELECT count(*) FROM test)"))
	require.Equal(t, []string{"60000"}, query(t, db, "SELECT row_count FROM raw_batches WHERE dag_run_id LIKE 'import\\_\\_%' ESCAPE '\\'"))
}
