package datasetstore_test

import (
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"tasador/pkg/dataset"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore/datasetstore"
	"tasador/pkg/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

var (
	fetchedAt = time.Date(2026, 1, 2, 3, 4, 5, 678_000, time.UTC)
	asOf      = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

type fixture struct {
	*datasetstore.Store
	folder string
	urls   map[string]string // of raw and clean
}

// engines make an empty database of each kind and return its URL.
func engines() map[string]func(t testing.TB) string {
	return map[string]func(t testing.TB) string{
		"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "listings.db") },
		"mariadb":  func(t testing.TB) string { return testkit.MariaDB(t).NewDatabase(t) },
		"postgres": func(t testing.TB) string { return testkit.Postgres(t).NewDatabase(t) },
	}
}

// onEach runs a test on every engine.
func onEach(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	for name, database := range engines() {
		t.Run(name, func(t *testing.T) { test(t, openURLs(t, database(t), database(t))) })
	}
}

func openURLs(t testing.TB, raw, clean string) *fixture {
	t.Helper()
	f := &fixture{folder: t.TempDir(), urls: map[string]string{"raw": raw, "clean": clean}}
	store, err := datasetstore.Open(t.Context(), datasetstore.Options{RawURL: raw, CleanURL: clean, SpillDir: filepath.Join(f.folder, "spill")},
		slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	f.Store = store
	return f
}

// database opens raw or clean as a person with another tool would.
func (f *fixture) database(t testing.TB, which string) *sql.DB {
	t.Helper()
	scheme, rest, _ := strings.Cut(f.urls[which], ":")
	driver, dsn := "sqlite", rest
	switch scheme {
	case "postgres":
		driver, dsn = "pgx", f.urls[which]
	case "mysql":
		user, address, _ := strings.Cut(strings.TrimPrefix(rest, "//"), "@")
		host, name, _ := strings.Cut(address, "/")
		driver, dsn = "mysql", user+"@tcp("+host+")/"+name+"?sql_mode=ANSI_QUOTES"
	}
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// look runs a query for one row on raw or clean.
func (f *fixture) look(t testing.TB, which, query string, dests ...any) {
	t.Helper()
	require.NoError(t, f.database(t, which).QueryRow(query).Scan(dests...), query)
}

// same is the condition that r and s agree in the columns, NULL or not.
func (f *fixture) same(columns []string) string {
	operator := map[string]string{"sqlite": "IS", "mysql": "<=>", "postgres": "IS NOT DISTINCT FROM"}[strings.SplitN(f.urls["raw"], ":", 2)[0]]
	var conditions []string
	for _, c := range columns {
		conditions = append(conditions, "s."+c+" "+operator+" r."+c)
	}
	return strings.Join(conditions, " AND ")
}

func (f *fixture) rawRows(t testing.TB) (n int) {
	t.Helper()
	f.look(t, "raw", "SELECT count(*) FROM realtor_raw", &n)
	return n
}

func claim(run, task string) datasetstore.Claim {
	return datasetstore.Claim{DAGRunID: run, TaskID: task, Fence: 1}
}

// listings are plain rows; every seventh has no bath, every fifth no date.
func listings(n int) []property.Listing {
	random := rand.New(rand.NewPCG(1, 2))
	statuses := []string{"for_sale", "sold", "ready_to_build"}
	out := make([]property.Listing, n)
	for i := range out {
		l := property.Listing{
			BrokeredBy: float64(i), Status: property.NewText(statuses[random.IntN(3)]), Price: float64(100_000 + random.IntN(900_000)),
			Bed: float64(random.IntN(6)), Bath: float64(random.IntN(4)), AcreLot: random.Float64(), Street: property.Null(),
			City: property.NewText(fmt.Sprintf("City %d", i%9)), ZipCode: property.NewText("00601"), HouseSize: float64(500 + random.IntN(4000)),
			PrevSoldDate: property.NewText(fmt.Sprintf("20%02d-03-04", i%25)),
		}
		if i%7 == 3 {
			l.Bath = property.Null()
		}
		if i%5 == 1 {
			l.PrevSoldDate = property.Text{}
		}
		out[i] = l
	}
	return out
}

// collect stores a batch of rows for a DAG run.
func (f *fixture) collect(t testing.TB, run string, rows []property.Listing) {
	t.Helper()
	profiler := dataset.NewProfiler(nil)
	for _, l := range rows {
		profiler.Add(&l)
	}
	_, err := f.StoreBatch(t.Context(), claim(run, "extract_data"), datasetstore.Batch{
		DAGRunID: run, Number: 4, Rows: len(rows), PayloadSHA256: "abc", Columns: property.Columns(), Profile: profiler.Profile(), FetchedAt: fetchedAt,
	}, feed(rows))
	require.NoError(t, err)
}

func feed(rows []property.Listing) datasetstore.ReadBatch {
	return func(_ *datasetstore.Batch, insert func(property.Listing) error) error {
		for _, l := range rows {
			if err := insert(l); err != nil {
				return err
			}
		}
		return nil
	}
}

func silent(int, int) {}
