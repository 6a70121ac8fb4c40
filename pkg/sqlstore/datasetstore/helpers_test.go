package datasetstore_test

import (
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"tasador/pkg/dataset"
	"tasador/pkg/property"
	"tasador/pkg/sqlstore/datasetstore"
)

var (
	fetchedAt = time.Date(2026, 1, 2, 3, 4, 5, 678_000, time.UTC)
	asOf      = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

type fixture struct {
	*datasetstore.Store
	folder string
}

func open(t testing.TB) *fixture {
	t.Helper()
	return openFiles(t, "raw.db", "clean.db")
}

func openFiles(t testing.TB, raw, clean string) *fixture {
	t.Helper()
	folder := t.TempDir()
	store, err := datasetstore.Open(t.Context(), datasetstore.Options{
		RawURL:   "sqlite:" + filepath.Join(folder, raw),
		CleanURL: "sqlite:" + filepath.Join(folder, clean),
		SpillDir: filepath.Join(folder, "spill"),
	}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return &fixture{Store: store, folder: folder}
}

// look reads one of the databases as a person with another tool would.
func (f *fixture) look(t testing.TB, file, query string, dests ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(f.folder, file))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.QueryRow(query).Scan(dests...), query)
}

func (f *fixture) rawRows(t testing.TB) (n int) {
	t.Helper()
	f.look(t, "raw.db", "SELECT count(*) FROM realtor_raw", &n)
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
	profile := &dataset.Profile{}
	for _, l := range rows {
		profile.Add(l)
	}
	_, err := f.StoreBatch(t.Context(), claim(run, "extract_data"), datasetstore.Batch{
		DAGRunID: run, Number: 4, Rows: len(rows), PayloadSHA256: "abc", Columns: property.Columns(), Profile: profile, FetchedAt: fetchedAt,
	}, feed(rows))
	require.NoError(t, err)
}

func feed(rows []property.Listing) func(func(property.Listing) error) error {
	return func(insert func(property.Listing) error) error {
		for _, l := range rows {
			if err := insert(l); err != nil {
				return err
			}
		}
		return nil
	}
}

func silent(int, int) {}
