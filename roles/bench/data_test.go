//go:build bench

// Package bench_test measures the real binary against what others need for the same: whole DAG runs, and predictions that are served.
package bench_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/testkit"
)

var (
	sizes      = flag.String("data.rows", "100000,1000000,4000000", "how many raw rows")
	engines    = flag.String("data.engines", "mariadb,postgres", "on which databases")
	rounds     = flag.Int("data.rounds", 0, "how many rounds of each size; 0: fewer the larger it is")
	pandasRows = flag.Int("data.pandas", 1_000_000, "the largest size that the pandas job is run with")
	resume     = flag.Bool("data.resume", false, "take what -data.results has of the same engine, size and round, and measure the rest")
	results    = flag.String("data.results", "", "the file that keeps all measurements, one JSON a line")
	binary     = flag.String("data.binary", "", "the tasador to measure; empty: one that is built now")
)

// servers start with their defaults, with which every commit is on the disk, but for what is named here.
var servers = map[string]func(t testing.TB) *testkit.DatabaseServer{
	"mariadb": func(t testing.TB) *testkit.DatabaseServer {
		return testkit.StartMariaDB(t, "innodb-buffer-pool-size=512M", "local-infile=1")
	},
	"postgres": func(t testing.TB) *testkit.DatabaseServer { return testkit.StartPostgres(t) },
}

// TestData measures every engine and size, ours, the floor and the pandas job in turn, and prints what it found.
func TestData(t *testing.T) {
	bin := *binary
	if bin == "" {
		bin = testkit.Build(t, "-trimpath", "-ldflags=-s -w")
	}
	book := openBook(t, *results, *resume)
	for _, engine := range strings.Split(*engines, ",") {
		require.Contains(t, servers, engine, "-data.engines takes mariadb and postgres")
		for _, text := range strings.Split(*sizes, ",") {
			rows, err := strconv.Atoi(text)
			require.NoError(t, err, "-data.rows takes whole numbers with commas between")
			t.Run(fmt.Sprintf("%s/%d", engine, rows), func(t *testing.T) { measureSize(t, bin, engine, rows, book) })
		}
	}
	book.report(t)
}

func roundsOf(rows int) int {
	switch {
	case *rounds > 0:
		return *rounds
	case rows <= 200_000:
		return 5
	case rows <= 2_000_000:
		return 2
	}
	return 1
}

// measureSize runs the rounds of one size on one server.
func measureSize(t *testing.T, bin, engine string, rows int, book *book) {
	var todo []int
	for round := range roundsOf(rows) {
		if !book.has(engine, rows, round) {
			todo = append(todo, round)
		}
	}
	if len(todo) == 0 {
		return
	}
	server := servers[engine](t)
	files := t.TempDir() // of the floor
	for _, round := range todo {
		t.Run(strconv.Itoa(round), func(t *testing.T) { measureRound(t, bin, engine, rows, round, server, files, book) })
		if t.Failed() {
			return
		}
	}
}

// measureRound runs ours first, since it makes the tables that the floor is about; then the others, in another order every round.
func measureRound(t *testing.T, bin, engine string, rows, round int, server *testkit.DatabaseServer, files string, book *book) {
	others := startOthers(t, bin, rows)
	measured := func(subject string) *measurement {
		return &measurement{Engine: engine, Rows: rows, Round: round, Subject: subject}
	}
	all := []*measurement{measured(ours), measured(floorSubject)}
	url := server.NewDatabase(t) // of RawData and CleanData both, so that the floor has all tables beside its own
	o := measureOurs(t, bin, others, server, url, all[0])
	turns := []func(){func() {
		f := floorOf(t, engine, url, files)
		if _, err := os.Stat(filepath.Join(files, "positions")); err != nil {
			exportAll(t, f)
		}
		measureFloor(t, f, server, rows, all[1])
		all[1].Steps = append(all[1].Steps, download(t, others.Addresses["source"]))
	}}
	if rows <= *pandasRows {
		m := measured(pandas)
		all = append(all, m)
		turns = append(turns, func() {
			p := measurePandas(t, others.Addresses["source"], server, server.NewDatabase(t), m)
			book.compare(t, engine, rows, o, p)
		})
	}
	for i := range turns {
		turns[(i+round)%len(turns)]()
	}
	for _, m := range all {
		book.add(t, m)
	}
}

func floorOf(t testing.TB, engine, url, folder string) floor {
	t.Helper()
	if engine == "mariadb" {
		return newMariaDBFloor(t, url, folder)
	}
	return newPostgresFloor(t, url, folder)
}
